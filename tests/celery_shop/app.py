"""The mail room's tasks, instrumented as OpenTelemetry's documentation says: one that works, one that works the second time,
one that fails for good, and one whose second try its worker does not live to see.

Broker, exporter and service name come from the environment, as a user would set them.
"""

import os
from typing import Any, NoReturn

from celery import Celery, Task
from celery.signals import worker_process_init
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

SOON_S = 0.5
# Long enough for a test to see the promise and to kill the worker before it keeps it.
LATER_S = 4

app = Celery("mail room", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
app.conf.broker_connection_retry_on_startup = True


def instrument(*_: Any, **__: Any) -> None:
    """In each process after it was forked: the exporter's thread does not survive a fork."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]


worker_process_init.connect(instrument, weak=False)


class Away(Exception):
    """The mail server does not answer."""


def send(order: str) -> str:
    return f"sent {order}"


def send_again(task: Task, order: str) -> str:
    """The first try fails, as with `autoretry_for` and `countdown`."""
    if not task.request.retries:
        raise task.retry(exc=Away("connection to mail.example refused"), countdown=SOON_S)
    return f"sent {order}"


def send_nowhere(order: str) -> NoReturn:
    raise Away(f"no address for {order}")


def send_later(task: Task, order: str) -> NoReturn:
    raise task.retry(exc=Away("connection to mail.example refused"), countdown=LATER_S)


receipt = app.task(name="mail.receipt")(send)
reminder = app.task(name="mail.reminder", bind=True)(send_again)
invoice = app.task(name="mail.invoice")(send_nowhere)
newsletter = app.task(name="mail.newsletter", bind=True)(send_later)
