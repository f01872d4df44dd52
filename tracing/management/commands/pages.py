"""`manage.py pages`: serves the pages, their static files and, for senders with one address, OTLP over HTTP.

The application is `tracing.wsgi`; this is only the process around it. `manage.py up` starts it.
"""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.urls import get_resolver

from tracing import guarding, ports, server, stopping
from tracing.management import waiting

# Each keeps one connection to the database once it has served a page.
THREADS = 8


class Command(BaseCommand):
    help = "Serve the pages."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--port", type=int, default=settings.PORT)
        waiting.add_argument(parser)

    def handle(self, *arguments: str, **options: Any) -> None:
        host = guarding.listening(options["host"])
        ports.demand_free(host, {"--port": options["port"]})
        waiting.demand(options, listens=True)
        from tracing.wsgi import application, receiving

        stop = stopping.event()
        serving = server.in_thread((host, options["port"]), application, THREADS)
        get_resolver().url_patterns  # noqa: B018  (loads all pages now, not in the first visitor's time)
        stop.wait()
        serving.stop()
        receiving.close()
