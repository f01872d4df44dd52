"""`manage.py user create|list|role|password|remove`: who may sign in, from the terminal of whoever runs Threadline.

A password is typed, piped in, or made and shown once. The page is `/settings/people`; both go through `tracing.users`.
"""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tracing import auditing, users
from tracing.management.asking import demand_tables, known_user, password
from tracing.roles import GIVEN, Role, role_named
from tracing.sentence import Sentence
from tracing.unfit import Unfit
from tracing.users import User

WORDS = [role.word for role in GIVEN]


class Command(BaseCommand):
    help = "Users: create NAME [--role], list, role NAME ROLE, password NAME, remove NAME."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True)
        create = does.add_parser("create", help="a new user")
        create.add_argument("username")
        create.add_argument("--role", choices=WORDS, default=Role.VIEWER.word)
        create.add_argument("--name", default="", help="as they sign what they say")
        create.add_argument("--email", default="")
        create.add_argument(
            "--password-stdin", action="store_true", help="read the password from standard input"
        )
        does.add_parser("list", help="all users")
        role = does.add_parser("role", help="another role")
        role.add_argument("username")
        role.add_argument("role", choices=WORDS)
        secret = does.add_parser("password", help="a new password; ends all their sessions")
        secret.add_argument("username")
        secret.add_argument("--password-stdin", action="store_true", help="read it from standard input")
        does.add_parser("remove", help="remove them; what they said stays").add_argument("username")

    def handle(self, *arguments: Any, **options: Any) -> None:
        demand_tables()
        try:
            getattr(self, options["does"])(options)
        except Unfit as problem:
            raise Sentence(problem.sentence) from None

    def create(self, options: dict[str, Any]) -> None:
        role = role_named(options["role"]) or Role.VIEWER
        username = users.check_username(options["username"])
        told = password(User(username=username, name=options["name"]), options["password_stdin"])
        user, secret = users.create(username, role, told, options["name"], options["email"])
        auditing.note(auditing.TERMINAL, "person added", user.username, role.word)
        self.say(f"{user.username} is {role.article} {role.word} now.")
        self.show(secret, told)
        if not users.administrators().exists():
            self.say("Nobody can administer yet: `manage.py user create NAME --role administrator`.")

    def list(self, options: dict[str, Any]) -> None:
        everybody = User.objects.all()
        if not everybody:
            self.say("There are no users: Threadline is open to whoever sits at this machine.")
        for user in everybody:
            state = "" if user.is_active else ", switched off"
            seen = (
                f"signed in last {user.last_login:%Y-%m-%d %H:%M} UTC"
                if user.last_login
                else "never signed in"
            )
            self.say(
                f"{user.username}  {user.given.word}{state}, {seen}{f'  {user.name}' if user.name else ''}"
            )

    def role(self, options: dict[str, Any]) -> None:
        user, role = known_user(options["username"]), role_named(options["role"]) or Role.VIEWER
        users.change(user, role=role)
        auditing.note(auditing.TERMINAL, "role changed", user.username, f"{user.given.word} → {role.word}")
        self.say(f"{user.username} is {role.article} {role.word} now.")

    def password(self, options: dict[str, Any]) -> None:
        user = known_user(options["username"])
        told = password(user, options["password_stdin"])
        secret = users.set_password(user, told)
        auditing.note(auditing.TERMINAL, "password reset", user.username)
        self.say(
            f"The password of {user.username} is changed; wherever they were signed in, they no longer are."
        )
        self.show(secret, told)

    def remove(self, options: dict[str, Any]) -> None:
        user = known_user(options["username"])
        users.remove(user)
        auditing.note(auditing.TERMINAL, "person removed", user.username)
        self.say(f"{user.username} is removed.")

    def show(self, secret: str, told: str | None) -> None:
        if told is None:
            self.say(f"Their password, shown only now and to be changed at the first sign-in: {secret}")

    def say(self, line: str) -> None:
        self.stdout.write(line)
