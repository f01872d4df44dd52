"""`manage.py key create NAME|list|revoke|limit`: keys with which services send. `tracing.senderkeys` keeps them."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tracing import auditing, senderkeys
from tracing.management.asking import demand_tables
from tracing.senderkeys import SenderKey
from tracing.sentence import Sentence
from tracing.unfit import Unfit


class Command(BaseCommand):
    help = "Senders' keys: create NAME [--limit], list, revoke NAME, limit NAME [N]."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        does = parser.add_subparsers(dest="does", required=True)
        create = does.add_parser("create", help="a new key; its secret is printed once")
        create.add_argument("name")
        create.add_argument("--limit", type=int, help="records a second over all its senders")
        does.add_parser("list", help="all keys")
        does.add_parser("revoke", help="refuse it from now on").add_argument("name")
        limit = does.add_parser("limit", help="another limit; none without a number")
        limit.add_argument("name")
        limit.add_argument("limit", type=int, nargs="?")

    def handle(self, *arguments: Any, **options: Any) -> None:
        demand_tables()
        try:
            getattr(self, options["does"])(options)
        except Unfit as problem:
            raise Sentence(problem.sentence) from None

    def create(self, options: dict[str, Any]) -> None:
        is_first = not SenderKey.objects.exists()
        made, secret = senderkeys.issue(options["name"], options["limit"], auditing.TERMINAL)
        auditing.note(auditing.TERMINAL, "key made", made.name)
        self.stdout.write(secret)
        hint = "Shown only now; a service sends it with OTEL_EXPORTER_OTLP_HEADERS=x-threadline-key=…"
        self.stderr.write(hint + (" From now on nothing is taken without a key." if is_first else ""))

    def list(self, options: dict[str, Any]) -> None:
        for key in SenderKey.objects.all():
            state = "valid" if key.is_valid else "revoked" if key.revoked_ns else "over"
            limit = f", at most {key.per_second:,} records a second" if key.per_second else ""
            used = "used" if key.used_ns else "never used"
            self.stdout.write(f"{key.name}  {key.hint}…  {state}, {used}{limit}")

    def revoke(self, options: dict[str, Any]) -> None:
        found = _known(options["name"])
        senderkeys.revoke(found)
        auditing.note(auditing.TERMINAL, "key revoked", found.name)
        self.stdout.write(f"{found.name} is revoked: it is refused within two seconds.")

    def limit(self, options: dict[str, Any]) -> None:
        found = _known(options["name"])
        senderkeys.set_limit(found, options["limit"])
        auditing.note(auditing.TERMINAL, "key limited", found.name, str(options["limit"] or "no limit"))
        limited = (
            f"at most {options['limit']:,} records a second" if options["limit"] else "any number of records"
        )
        self.stdout.write(f"{found.name} may send {limited}.")


def _known(name: str) -> SenderKey:
    found = SenderKey.objects.filter(name=name).first()
    if found is None:
        raise Sentence(f"There is no key {name!r}; `manage.py key list` names them all.")
    return found
