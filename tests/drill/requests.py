"""Events of the simulated shop as OTLP requests: a server span each, under ids that follow from the event."""

from hashlib import blake2b

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests import otlp_bodies
from tests.drill.plans import Delivery
from tests.drill.truth import COURSE, Event

TOOK_NS = 80_000_000


def body(delivery: Delivery) -> bytes:
    """An ExportTraceServiceRequest, protobuf."""
    request = ExportTraceServiceRequest()
    by_system: dict[str, list[Span]] = {}
    for event in delivery.events:
        by_system.setdefault(COURSE[event.leg].system, []).append(_span(event))
    for system, spans in by_system.items():
        request.MergeFrom(otlp_bodies.traces(*spans, service=system))
    return request.SerializeToString()


def _span(event: Event) -> Span:
    leg = COURSE[event.leg]
    name = blake2b(f"{event.key} {event.leg} {event.at_ns}".encode(), digest_size=24).digest()
    attributes = (
        {"order.id": event.key} if event.failed else {"order.id": event.key, "order.state": leg.state}
    )
    failed = {"status": Status(code=Status.STATUS_CODE_ERROR, message="503 from upstream")}
    return otlp_bodies.span(
        attributes,
        trace_id=name[:16],
        span_id=name[16:],
        name=leg.operation,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=event.at_ns - TOOK_NS,
        end_time_unix_nano=event.at_ns,
        **(failed if event.failed else {}),
    )
