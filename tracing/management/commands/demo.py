"""`manage.py demo`: plays a small shop through the real OTLP endpoints and says which pages to open.

`tracing.demo` is the shop; this is its command line: arguments in, addresses out, exit 2 when nothing listens.
"""

import logging
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tracing.clock import now_ns
from tracing.demo.anchor import remembered
from tracing.demo.cast import Endpoints
from tracing.demo.history import History, Run
from tracing.demo.live import Live
from tracing.demo.post import NotDelivered, Post
from tracing.demo.stories import Story


class Command(BaseCommand):
    help = "Send a small shop's traffic through the real OTLP endpoints with the real SDK exporters."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=_at_least_one, default=2_000, help="ordinary orders (2000)")
        parser.add_argument("--hours", type=_at_least_one, default=48, help="how far back they reach (48)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same history (1)")
        parser.add_argument("--live", action="store_true", help="go on with new orders in real time")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # the sentence below says it once
        try:
            _someone_listens()
            self._play(options["orders"], options["hours"], options["seed"], options["live"])
        except (OSError, NotDelivered) as error:
            self.stderr.write(f"{error}.")
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(130)

    def _play(self, orders: int, hours: int, seed: int, live: bool) -> None:
        began = time.monotonic()
        anchor = remembered(settings.HOME, seed, now_ns(), settings.RETENTION_DAYS, hours)
        run = Run(anchor.anchor_ns, seed, orders, hours, anchor.era)
        post = Post()
        try:
            history = History(run, _endpoints(), post)
            self._say(f"Demo: sending {orders:,} orders over {hours} hours to {_where()} …")
            history.play(self._say)
            self._say(f"Sent {post.delivered:,} spans and logs in {time.monotonic() - began:.0f} s.")
            self._say(listing(history.stories))
            if live:
                self._say("New orders come in now, a hundred times faster than real ones. Ctrl-C ends them.")
                Live(history.shop).run(_until_told())
        finally:
            post.close()

    def _say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def listing(stories: list[Story]) -> str:
    """The stories with the addresses that tell them."""
    rows = [f"  {story.title}\n    {settings.URL}{story.path}" for story in stories]
    return "\n".join(("Open:", *rows))


def _endpoints() -> Endpoints:
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    return Endpoints(
        http=f"http://{host}:{settings.OTLP_PORT}",
        grpc=f"http://{host}:{settings.GRPC_PORT}",
        environment=settings.ENVIRONMENT,
    )


def _where() -> str:
    endpoints = _endpoints()
    return f"{endpoints.http} and {endpoints.grpc.removeprefix('http://')} (gRPC)"


def _someone_listens() -> None:
    for port in (settings.OTLP_PORT, settings.GRPC_PORT):
        try:
            socket.create_connection((settings.HOST, port), timeout=5).close()
        except OSError as error:
            raise NotDelivered(
                f"Nothing listens on {settings.HOST}:{port}; start Threadline first with manage.py up"
                " (THREADLINE_HOST, _OTLP_PORT and _GRPC_PORT say where)"
            ) from error


def _until_told() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("must be 1 or more")
    return number
