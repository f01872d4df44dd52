"""`manage.py watch`: the loop that does what no request does: days ahead, days dropped, rules applied.

Its duties are `tracing.watch.loop`; several watchers may run, each duty guards itself.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tracing import stopping
from tracing.database import conninfo
from tracing.management import waiting
from tracing.watch import loop


class Command(BaseCommand):
    help = "Keep partitions, retention and rule jobs going."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        waiting.add_argument(parser)

    def handle(self, *arguments: str, **options: Any) -> None:
        waiting.demand(options)
        loop.run_all(conninfo(settings.DATABASES["default"]), loop.duties(), stopping.event())
