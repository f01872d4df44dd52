"""`manage.py token create USER NAME|list|revoke`: API tokens for scripts, from the terminal. `tracing.tokens` keeps them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tracing import auditing, tokens
from tracing.clock import now_ns
from tracing.lengths import DAY_NS
from tracing.management.asking import demand_tables, known_user
from tracing.roles import GIVEN, role_named
from tracing.sentence import Sentence
from tracing.tokens import Token
from tracing.unfit import Unfit


class Command(BaseCommand):
    help = "API tokens: create USER NAME [--role] [--days], list, revoke USER NAME."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True)
        create = does.add_parser("create", help="a new token; its secret is printed once")
        create.add_argument("username")
        create.add_argument("name")
        create.add_argument("--role", choices=[role.word for role in GIVEN], help="at most this role")
        create.add_argument("--days", type=int, help="for so many days (until it is revoked)")
        does.add_parser("list", help="all tokens")
        revoke = does.add_parser("revoke", help="refuse it from now on")
        revoke.add_argument("username")
        revoke.add_argument("name")

    def handle(self, *arguments: Any, **options: Any) -> None:
        demand_tables()
        getattr(self, options["does"])(options)

    def create(self, options: dict[str, Any]) -> None:
        user, days = known_user(options["username"]), options["days"]
        if days is not None and not 1 <= days <= 36_500:
            raise Sentence("A token lives for 1 to 36,500 days, or until it is revoked.")
        role = role_named(options["role"]) if options["role"] else None
        until_ns = now_ns() + days * DAY_NS if days else None
        try:
            made, secret = tokens.issue(user, options["name"][:100], role, until_ns)
        except Unfit as problem:
            raise Sentence(problem.sentence) from None
        auditing.note(auditing.TERMINAL, "token made", made.label, f"for {user.username}")
        self.stdout.write(secret)
        self.stderr.write("Shown only now; send it as `Authorization: Bearer …` with any page's address.")

    def list(self, options: dict[str, Any]) -> None:
        for token in Token.objects.select_related("user"):
            role = f", as {token.given.word}" if token.given else ""
            state = ", over" if token.is_over else ""
            self.stdout.write(f"{token.user.username}  {token.label}  {token.hint}…{role}{state}")

    def revoke(self, options: dict[str, Any]) -> None:
        user = known_user(options["username"])
        gone, _ = Token.objects.filter(user=user, label=options["name"]).delete()
        if not gone:
            raise Sentence(
                f"{user.username} has no token {options['name']!r}; `manage.py token list` names them all."
            )
        auditing.note(auditing.TERMINAL, "token revoked", options["name"], f"of {user.username}")
        self.stdout.write(f"{options['name']} is revoked.")
