"""`manage.py collect`: receives OTLP over HTTP and gRPC, and does nothing else.

It holds no state and needs no page, so it listens first and answers 503 until the database is there.
`manage.py up` starts it; more of them may run beside each other.
"""

import gc
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tracing import health, ports, server, stopping
from tracing.database import conninfo

THREADS = 16
DRAIN_S = 5


class Command(BaseCommand):
    help = "Receive OTLP over HTTP and gRPC."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--otlp-port", type=int, default=settings.OTLP_PORT)
        parser.add_argument("--grpc-port", type=int, default=settings.GRPC_PORT)

    def handle(self, *arguments: str, **options: Any) -> None:
        from tracing.otlp import grpc, http
        from tracing.storing import Store

        host = ports.loopback(options["host"])
        ports.demand_free(host, {"--otlp-port": options["otlp_port"], "--grpc-port": options["grpc_port"]})
        stop = stopping.event()
        spare_the_collector()
        store = Store(conninfo(settings.DATABASES["default"]), settings.ENVIRONMENT, settings.MAX_DAYS)
        application = health.around(http.application(store), store.ready)
        over_http = server.in_thread((host, options["otlp_port"]), application, THREADS)
        over_grpc = grpc.serve(store, f"{f'[{host}]' if ':' in host else host}:{options['grpc_port']}")
        stop.wait()
        ended = over_grpc.stop(DRAIN_S)
        over_http.stop()
        ended.wait(DRAIN_S)
        store.close()


def spare_the_collector() -> None:
    """Let the garbage collector look at what a request makes, seldom: a tenth less work a span.

    A batch is thousands of objects without cycles, which the default of 700 walks a dozen times over, and what
    was imported stays for good.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
