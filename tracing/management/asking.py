"""What the commands for people, tokens and keys share: reading a password, checking it, naming who sat at the terminal.

`manage.py user`, `token` and `key` use it; what they do is `tracing.users`, `tokens` and `senderkeys`.
"""

import contextlib
import getpass
import sys

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import ProgrammingError

from tracing.readiness import newest_is_there
from tracing.sentence import Sentence
from tracing.users import User, normal


def demand_tables() -> None:
    """Brings them up to date where they are not: people and keys are made before Threadline is first started for others."""
    with contextlib.suppress(ProgrammingError):
        if newest_is_there():
            return
    call_command("migrate", verbosity=0)


def password(user: User, from_stdin: bool) -> str | None:
    """The password given on stdin or typed twice; None where nobody can type one, so that one is made."""
    if from_stdin:
        told = sys.stdin.readline().rstrip("\r\n")
        if not told:
            raise Sentence("--password-stdin found no password on standard input; pipe one line into it.")
        return _fit(told, user)
    if not sys.stdin.isatty():
        return None
    told = getpass.getpass(f"A password for {user.username} (none: one is made and shown once): ")
    if not told:
        return None
    if getpass.getpass("Once more: ") != told:
        raise Sentence("The two passwords are not the same; nothing was changed.")
    return _fit(told, user)


def _fit(told: str, user: User) -> str:
    try:
        validate_password(told, user)
    except ValidationError as error:
        raise Sentence(f"This password cannot be taken: {' '.join(error.messages)}") from None
    return told


def known_user(username: str) -> User:
    found = User.objects.filter(username=normal(username)).first()
    if found is None:
        raise Sentence(f"There is no user {username!r}; `manage.py user list` names them all.")
    return found
