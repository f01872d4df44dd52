"""A service of the shop: its own SDK providers, resource, exporter and clock, with context over real headers.

`cast` names the services; `orders` and its neighbours act through them. What is recorded goes to `outbox`.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AnyValue

from tracing.demo.failures import Failure
from tracing.demo.outbox import GatherLogs, GatherSpans, Outbox
from tracing.demo.post import Export
from tracing.demo.scene import Ids, Scene

Headers = dict[str, str]
Attributes = Mapping[str, AnyValue]
SEVERITY = {
    "DEBUG": SeverityNumber.DEBUG,
    "INFO": SeverityNumber.INFO,
    "WARN": SeverityNumber.WARN,
    "ERROR": SeverityNumber.ERROR,
}
W3C = TraceContextTextMapPropagator()


class Service:
    """One sender. `skew_ns` is what its clock is ahead of everybody's."""

    def __init__(
        self,
        resource: Attributes,
        scene: Scene,
        ids: Ids,
        outbox: Outbox,
        exports: tuple[Export, Export],
        skew_ns: int = 0,
    ) -> None:
        self.name = str(resource["service.name"])
        self._scene = scene
        self._skew_ns = skew_ns
        sdk_resource = Resource(resource)
        spans, logs = (outbox.bag(self.name, export) for export in exports)
        tracers = TracerProvider(ALWAYS_ON, sdk_resource, shutdown_on_exit=False, id_generator=ids)
        tracers.add_span_processor(GatherSpans(outbox, spans))
        loggers = LoggerProvider(sdk_resource, shutdown_on_exit=False)
        loggers.add_log_record_processor(GatherLogs(outbox, logs, sdk_resource))
        scope = f"demo.{self.name}"
        self._tracer = tracers.get_tracer(scope, "1.0.0")
        self._logger = loggers.get_logger(scope, "1.0.0")

    @property
    def now(self) -> int:
        """What this service's clock says, in Unix nanoseconds."""
        return self._scene.now + self._skew_ns

    @contextmanager
    def span(
        self,
        name: str,
        attributes: Attributes,
        kind: SpanKind = SpanKind.INTERNAL,
        headers: Headers | None = None,
        links: Sequence[Headers] = (),
        lost: bool = False,
    ) -> Iterator[Span]:
        """A span over what happens inside.

        `headers` are those of the request or message that caused it: an empty dict begins a trace, None stays in
        the current one. `links` are headers of messages it handles. `lost` spans never end, so nobody sees them.
        """
        span = self._tracer.start_span(
            name,
            context=None if headers is None else W3C.extract(headers, Context()),
            kind=kind,
            attributes=attributes,
            links=[Link(context_of(one)) for one in links],
            start_time=self.now,
        )
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield span
        if not lost:
            span.end(self.now)

    def server(self, name: str, attributes: Attributes, headers: Headers | None = None) -> Any:
        """A request that arrived with these headers; without any it came from outside."""
        return self.span(name, attributes, SpanKind.SERVER, headers if headers is not None else {})

    def client(self, name: str, attributes: Attributes) -> Any:
        return self.span(name, attributes, SpanKind.CLIENT)

    def publish(self, topic: str, attributes: Attributes) -> Headers:
        """Send a message; returns its headers, which carry the producer's context."""
        about = {"messaging.system": "kafka", "messaging.destination.name": topic, **attributes}
        with self.span(f"{topic} publish", about, SpanKind.PRODUCER):
            self._scene.spend(1, 6)
            return headers_here()

    def consume(self, topic: str, message: Headers, attributes: Attributes, lag_ms: float = 40) -> Any:
        """Handle a message in a trace of its own, linked to the producer as the conventions ask."""
        self._scene.spend(lag_ms / 4, lag_ms)
        about = {
            "messaging.system": "kafka",
            "messaging.destination.name": topic,
            "messaging.consumer.group.name": self.name,
            "messaging.operation.type": "process",
            **attributes,
        }
        return self.span(f"{topic} process", about, SpanKind.CONSUMER, {}, [message])

    def event(self, name: str, attributes: Attributes) -> None:
        """A span event on the current span."""
        trace.get_current_span().add_event(name, attributes, self.now)

    def log(
        self,
        body: AnyValue,
        attributes: Attributes,
        severity: str = "INFO",
        event: str | None = None,
    ) -> None:
        """A log record, in the current span's context if there is one."""
        record = LogRecord(
            timestamp=self.now,
            observed_timestamp=self.now + 150_000,
            severity_text=severity,
            severity_number=SEVERITY[severity],
            body=body,
            attributes=attributes,
            event_name=event,
        )
        self._logger.emit(record)

    def fail(self, span: Span, failure: Failure, logged: bool = True) -> None:
        """The exception as a span event, the status, and (as most services do) the same told by a log."""
        span.add_event("exception", failure.attributes, self.now)
        span.set_status(Status(StatusCode.ERROR, failure.message))
        if logged:
            self.log(failure.message, failure.attributes, "ERROR")


def headers_here() -> Headers:
    """The current context as W3C headers."""
    headers: Headers = {}
    W3C.inject(headers)
    return headers


def context_of(headers: Headers) -> trace.SpanContext:
    """The span context that headers carry."""
    return trace.get_current_span(W3C.extract(headers, Context())).get_span_context()
