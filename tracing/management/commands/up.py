"""`manage.py up` as Django lists it. What it does is `tracing.up`, which `tracing.commandline` runs without Django."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tracing import up


class Command(BaseCommand):
    help = "Run all of Threadline: database, receivers, pages, watcher."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        up.add_arguments(parser)

    def handle(self, *arguments: str, **options: Any) -> None:
        up.run(options)
