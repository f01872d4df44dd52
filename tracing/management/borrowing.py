"""The key a demo sends with: the one it was given, or under `up --demo` one of its own that ends with it.

`manage.py demo` uses it. Its own key is good for minutes and renewed while the demo lives, so that one that was killed leaves
nothing open behind; the table is `tracing.senderkeys`.
"""

import contextlib
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

from django.conf import settings
from django.db import Error, connections

from tracing import auditing, senderkeys
from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.senderkeys import SenderKey
from tracing.sentence import Sentence

LIVES_NS = 5 * MINUTE_NS
RENEWED_S = 60.0


@contextlib.contextmanager
def borrowed(given: str, may_make: bool) -> Iterator[str]:
    """The secret to send with; empty where none is needed or OTEL_EXPORTER_OTLP_HEADERS brings one."""
    if given or not may_make or not _is_asked():
        yield given
        return
    made, secret = senderkeys.issue(
        f"the demo of process {os.getpid()}", by=auditing.TERMINAL, until_ns=now_ns() + LIVES_NS
    )
    auditing.note(auditing.TERMINAL, "key made", made.name, "for minutes")
    stop = threading.Event()
    renewing = threading.Thread(target=_renew, args=(made, stop), name="key", daemon=True)
    renewing.start()
    try:
        yield secret
    finally:
        stop.set()
        renewing.join(5)
        with contextlib.suppress(Error):
            made.delete()
            auditing.note(auditing.TERMINAL, "key removed", made.name)


def _is_asked() -> bool:
    """Whether a key is needed; where the database cannot be asked `welcome` finds out."""
    try:
        return SenderKey.objects.exists()
    except Error:
        return False
    finally:
        connections.close_all()


def _renew(made: SenderKey, stop: threading.Event) -> None:
    while not stop.wait(RENEWED_S):
        with contextlib.suppress(Error):
            SenderKey.objects.filter(pk=made.pk).update(until_ns=now_ns() + LIVES_NS)
        connections.close_all()


def welcome(key: str) -> None:
    """Raises Sentence where the receivers ask for a key and refuse this one, before the shop is opened."""
    host = f"[{settings.HOST}]" if ":" in settings.HOST else settings.HOST
    headers = {"Content-Type": "application/json"} | ({"x-threadline-key": key} if key else _from_sdk())
    address = f"http://{host}:{settings.OTLP_PORT}/v1/traces"
    request = urllib.request.Request(address, b"{}", headers)
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 401:
                raise Sentence(
                    "This Threadline asks for a key: make one with `manage.py key create demo` and give it to the demo"
                    " with --key, THREADLINE_KEY or OTEL_EXPORTER_OTLP_HEADERS=x-threadline-key=…."
                ) from None
    except OSError:
        return  # said elsewhere


def _from_sdk() -> dict[str, str]:
    from opentelemetry.util.re import parse_env_headers

    told = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
    return dict(parse_env_headers(told, liberal=True)) if told else {}
