"""`manage.py demo`: plays a small shop through the real OTLP endpoints and says which pages to open.

`tracing.demo` is the shop; this is its command line: arguments in, addresses out, a sentence when nothing listens.
"""

import logging
import socket
import time
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tracing import stopping
from tracing.clock import now_ns
from tracing.demo.anchor import Anchor, remember_sent, remembered
from tracing.demo.cast import Endpoints
from tracing.demo.history import History, Run
from tracing.demo.live import Live
from tracing.demo.post import NotDelivered, Post
from tracing.demo.stories import Story
from tracing.management.borrowing import borrowed, welcome
from tracing.sentence import Sentence


class Command(BaseCommand):
    key = ""
    help = "Send a small shop's traffic through the real OTLP endpoints with the real SDK exporters."
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--orders", type=at_least_one, default=2_000, help="ordinary orders (2000)")
        parser.add_argument("--hours", type=at_least_one, default=48, help="how far back they reach (48)")
        parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same history (1)")
        parser.add_argument("--live", action="store_true", help="then go on with new orders in real time")

        parser.add_argument("--key", default=settings.KEY, help="a sender's key (THREADLINE_KEY)")
        parser.add_argument("--own-key", action="store_true", help=SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # a sentence below says it once
        someone_listens()
        with borrowed(options["key"], options["own_key"]) as key:
            welcome(key)
            self.key = key
            self.run(options)

    def run(self, options: dict[str, Any]) -> None:
        orders, hours, seed = options["orders"], options["hours"], options["seed"]
        try:
            anchor = remembered(settings.HOME, seed, now_ns(), settings.RETENTION_DAYS, hours)
            run = Run(anchor.anchor_ns, seed, orders, hours, anchor.era)
            self.play(run, anchor, options["live"])
        except OSError as error:
            raise Sentence(f"The demo cannot keep its place in {settings.HOME}: {error}.") from None
        except NotDelivered as error:
            # A key that was made, or revoked, since it began is told as such.
            welcome(self.key)
            raise Sentence(f"{error}: is Threadline still running at {where()}?") from None

    def play(self, run: Run, anchor: Anchor, live: bool) -> None:
        """The history, unless only what comes after it is wanted; then, if asked, the present."""
        post = Post()
        history = History(run, endpoints(self.key), post)
        try:
            if not (live and run.size in anchor.sent):
                self.send(history, post)
                remember_sent(settings.HOME, run.seed, anchor, run.size)
            if live:
                self.say("The shop is open: new orders live a hundred times faster than real ones.")
                Live(history.shop).run(stopping.event())
        finally:
            history.shop.hang_up()
            post.close()

    def send(self, history: History, post: Post) -> None:
        began = time.monotonic()
        run = history.run
        self.say(f"Demo: sending {run.orders:,} orders over {run.hours} hours to {where()} …")
        history.play(self.say)
        self.say(f"Sent {post.delivered:,} spans and logs in {time.monotonic() - began:.0f} s.")
        self.say(listing(history.stories))

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"a whole number from 1 on, not '{text}'")
    return int(text)


def listing(stories: list[Story]) -> str:
    """The stories with the addresses that tell them."""
    rows = [f"  {story.title}\n    {settings.URL}{story.path}" for story in stories]
    return "\n".join(("Open:", *rows))


def endpoints(key: str = "") -> Endpoints:
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    return Endpoints(
        http=f"http://{host}:{settings.OTLP_PORT}",
        grpc=f"http://{host}:{settings.GRPC_PORT}",
        environment=settings.ENVIRONMENT,
        key=key,
    )


def where() -> str:
    far = endpoints()
    return f"{far.http} and {far.grpc.removeprefix('http://')} (gRPC)"


def someone_listens() -> None:
    """Raises Sentence when one of the two endpoints is not there."""
    for port in (settings.OTLP_PORT, settings.GRPC_PORT):
        try:
            socket.create_connection((settings.HOST, port), timeout=5).close()
        except OSError:
            raise Sentence(
                f"Nothing listens on {settings.HOST}:{port}: start Threadline with `manage.py up`, or say where it"
                " is with THREADLINE_HOST, THREADLINE_OTLP_PORT and THREADLINE_GRPC_PORT."
            ) from None
