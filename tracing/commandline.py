"""One command run from the terminal: what goes wrong outside the program is one sentence and exit 2.

Django's own command line prefixes, prints usages and tracebacks; ours are told apart by their application.
`up` runs without Django at all. Commands that need the embedded database and find no owner of it own it
themselves while they run.
"""

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from tracing.sentence import Sentence

# Without the database these have nothing to do; `up` brings its own, and the demo only sends.
NEED_DATABASE = frozenset(
    {
        "migrate",
        "watch",
        "collect",
        "pages",
        "import",
        "forget",
        "shell",
        "dbshell",
        "inspectdb",
        "showmigrations",
        "user",
        "token",
        "key",
    }
)


def run(argv: Sequence[str]) -> int:
    """The process's exit code."""
    try:
        return dispatch(list(argv))
    except Sentence as error:
        return complain(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read what it prints has read enough; Python would complain again when it closes the output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


class Parser(argparse.ArgumentParser):
    """argparse that complains in a sentence, without repeating the usage."""

    def error(self, message: str) -> NoReturn:
        raise Sentence(hint(f"Error: {message}", self.prog.split()[-1]))


def without_django(argv: list[str]) -> int:
    from tracing import up

    parser = Parser(prog="manage.py up", description="Run all of Threadline in one terminal.")
    up.add_arguments(parser)
    up.run(vars(parser.parse_args(argv[2:])))
    return 0


def dispatch(argv: list[str]) -> int:
    name = argv[1] if len(argv) > 1 else "help"
    if name == "up":
        return without_django(argv)
    import django

    from tracing import settings  # its complaints are sentences; Django's loader would wrap them

    django.setup()
    from django.core.management import execute_from_command_line, get_commands

    known = get_commands().get(name)
    if known is None and not name.startswith("-") and name != "help":
        raise Sentence(f"There is no command {name!r}; `manage.py help` lists them all.")
    with contextlib.ExitStack() as stack:
        if settings.EMBEDDED and name in NEED_DATABASE and not leaves_database(argv):
            from tracing import postgres

            stack.enter_context(postgres.running(settings.HOME))
        if known == "tracing":
            return own(name, argv)
        execute_from_command_line(argv)
    return 0


def leaves_database(argv: list[str]) -> bool:
    """Whether somebody else brings the database: who waits for it, or helps one who has it, must not become its owner.

    Under load a receiver of `up` was there before `up` itself, made the data folder instead of answering 503, and the
    database would have ended with it.
    """
    return any(word in ("-h", "--help", "--wait") or word.startswith("--take") for word in argv)


def own(name: str, argv: list[str]) -> int:
    """Run one of our commands; like Django's `run_from_argv`, but a mistake is a sentence."""
    from django.core.management import CommandError, load_command_class
    from django.core.management.base import handle_default_options
    from django.db import InterfaceError, OperationalError, connections

    command = load_command_class("tracing", name)
    try:
        options = command.create_parser(argv[0], name).parse_args(argv[2:])
        handle_default_options(options)
        words = vars(options)
        command.execute(*words.pop("args", ()), **words)
    except CommandError as error:
        raise Sentence(hint(str(error), name)) from None
    except (OperationalError, InterfaceError) as error:
        raise Sentence(unreachable(error)) from None
    finally:
        connections.close_all()
    return 0


def hint(complaint: str, name: str) -> str:
    """argparse's complaint, with what to do about it."""
    if not complaint.startswith("Error: "):
        return complaint
    return f"{complaint.removeprefix('Error: ')}; `manage.py {name} --help` says what can be given."


def unreachable(error: Exception) -> str:
    from django.conf import settings

    from tracing.database import described

    where = described(settings.DATABASES["default"])
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (
        f"The database {where} does not answer ({'; '.join(lines[:2])}): "
        "start it, or correct DATABASE_URL (unset, Threadline brings its own)."
    )


def complain(error: Sentence) -> int:
    print(" ".join(str(error).split()), file=sys.stderr, flush=True)
    return 2
