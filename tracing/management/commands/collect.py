"""`manage.py collect`: receives OTLP over HTTP and gRPC, and does nothing else.

It holds no state and needs no page, so under `manage.py up` it listens first and answers 503 until the database
is there; started by hand it wants to see the database. More of them may run beside each other.
"""

import contextlib
import gc
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from tracing import guarding, health, ports, server, sharing, stopping
from tracing.database import conninfo
from tracing.management import waiting
from tracing.sentence import Sentence

if TYPE_CHECKING:
    from tracing.storing import Store

THREADS = 16
DRAIN_S = 5
# Cycles are rare here (an exception with its frames), so a few seconds of them weigh nothing.
COLLECT_EVERY_S = 30.0


class Command(BaseCommand):
    help = "Receive OTLP over HTTP and gRPC."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HOST)
        parser.add_argument("--otlp-port", type=int, default=settings.OTLP_PORT)
        parser.add_argument("--grpc-port", type=int, default=settings.GRPC_PORT)
        waiting.add_argument(parser)
        parser.add_argument(
            "--take", type=int, help="listen to nothing; serve the connections handed over on this descriptor"
        )

    def handle(self, *arguments: str, **options: Any) -> None:
        helping = options["take"] is not None
        options["host"] = guarding.listening(options["host"])
        if not helping:
            waiting.demand(options, listens=True)
        stop = stopping.event()
        spare_the_collector()
        with storing() as store:
            if helping:
                help_out(store, options["take"], stop)
            else:
                receive(store, options, stop)


@contextlib.contextmanager
def storing() -> "Iterator[Store]":
    from tracing.awake import Awake
    from tracing.storing import Store

    # Where several processes receive, one writer each: what waits for it shares its next transaction.
    writers = 1 if settings.RECEIVERS > 1 else 2
    database = conninfo(settings.DATABASES["default"])
    store = Store(database, settings.ENVIRONMENT, settings.MAX_DAYS, writers)
    there = Awake(lambda: database)
    there.start()
    try:
        yield store
    finally:
        there.close()
        store.close()


def receive(store: "Store", options: dict[str, Any], stop: threading.Event) -> None:
    """Listen on both ports and share the HTTP connections with the helpers."""
    from tracing.otlp import grpc, http

    host = options["host"]
    ports.demand_free(host, {"--otlp-port": options["otlp_port"], "--grpc-port": options["grpc_port"]})
    endpoint = http.application(store)
    application = health.around(endpoint, store.ready)
    # They must know who can reach us, whatever said so here.
    environ = os.environ | {"THREADLINE_HOST": host}
    helpers = [sharing.Helper(["collect"], environ) for _ in range(settings.RECEIVERS - 1)]
    dealer = sharing.Dealer(helpers, lambda sentence: print(sentence, flush=True))
    # Both ports before the helpers: who takes one between the look and here must not leave processes behind.
    with contextlib.ExitStack() as undoing:
        with seizing(host, "--grpc-port", options["grpc_port"]):
            over_grpc = grpc.serve(store, f"{f'[{host}]' if ':' in host else host}:{options['grpc_port']}")
        undoing.callback(over_grpc.stop, 0)
        with seizing(host, "--otlp-port", options["otlp_port"]):
            address = host, options["otlp_port"]
            over_http = server.in_thread(address, application, THREADS, dealer, endpoint.worded)
        undoing.pop_all()
    try:
        dealer.start()
        stop.wait()
    finally:
        dealer.ask_to_stop()
        ended = over_grpc.stop(DRAIN_S)
        over_http.stop()
        ended.wait(DRAIN_S)
        dealer.stop(1.0)


@contextlib.contextmanager
def seizing(host: str, flag: str, port: int) -> Iterator[None]:
    """A port that was free a moment ago and is not is still one sentence."""
    try:
        yield
    except (OSError, RuntimeError):
        raise Sentence(
            f"Port {port} on {host} is taken: stop what holds it, or choose another with {flag} PORT."
        ) from None


def help_out(store: "Store", descriptor: int, stop: threading.Event) -> None:
    """Serve what the listening process hands over."""
    from tracing.otlp import http

    endpoint = http.application(store)
    application = health.around(endpoint, store.ready)
    with tempfile.TemporaryDirectory(prefix="threadline-") as folder:
        # cheroot wants to listen somewhere; nobody else can reach this.
        over_http = server.in_thread(
            str(Path(folder) / "nobody"), application, THREADS, wording=endpoint.worded
        )
        sharing.take(descriptor, lambda connection: sharing.adopt(over_http, connection))
        stop.wait()
        over_http.stop()


def spare_the_collector() -> None:
    """Collect garbage by the clock, not by the count of objects: a sixth less work a span.

    A batch is thousands of objects without a cycle, which the default would walk a dozen times over; what was
    imported stays for good.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
    threading.Thread(target=collect_by_the_clock, name="garbage", daemon=True).start()


def collect_by_the_clock() -> None:
    while True:
        time.sleep(COLLECT_EVERY_S)
        gc.collect()
