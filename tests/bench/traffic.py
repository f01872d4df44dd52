"""What the benches send: spans with twelve attributes and an entity key, as requests of 512 made beforehand."""

import gzip
import random
from collections.abc import Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS_A_BATCH = 512
SPANS_A_TRACE = 8
SERVICES = ("shop", "billing", "wms", "mailer")


def request(source: random.Random, now_ns: int) -> ExportTraceServiceRequest:
    """One export request of one service: 64 traces of 8 spans, each trace about an order of its own."""
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    _put(resource.resource.attributes, "service.name", source.choice(SERVICES))
    _put(resource.resource.attributes, "telemetry.sdk.language", "python")
    scope = resource.scope_spans.add()
    scope.scope.name = "bench"
    for _ in range(SPANS_A_BATCH // SPANS_A_TRACE):
        _trace(scope.spans, source, now_ns)
    return message


def _trace(spans: Any, source: random.Random, now_ns: int) -> None:
    trace_id, order = source.randbytes(16), source.randrange(10**9)
    parent = b""
    for number in range(SPANS_A_TRACE):
        span = spans.add()
        span.trace_id, span.span_id, span.parent_span_id = trace_id, source.randbytes(8), parent
        span.name = f"operation {number}"
        span.kind = 2 if number == 0 else 1
        span.start_time_unix_nano = now_ns + number * 1_000_000
        span.end_time_unix_nano = span.start_time_unix_nano + source.randrange(50_000_000)
        parent = parent or span.span_id
        _attributes(span.attributes, source, order, number)


def _attributes(target: Any, source: random.Random, order: int, number: int) -> None:
    _put(target, "order.id", str(order))
    _put(target, "http.request.method", "POST")
    _put(target, "http.route", f"/orders/{{id}}/{number}")
    _put(target, "http.response.status_code", 200)
    _put(target, "url.path", f"/orders/{order}/{number}")
    _put(target, "server.address", "shop.internal")
    _put(target, "server.port", 8080)
    _put(target, "network.protocol.version", "1.1")
    _put(target, "user_agent.original", "bench/1.0")
    _put(target, "thread.id", source.randrange(64))
    _put(target, "code.function.name", f"shop.orders.step_{number}")
    _put(target, "peer.latency_ms", source.random() * 100)


def _put(target: Any, key: str, value: str | int | float) -> None:
    pair = target.add()
    pair.key = key
    if isinstance(value, str):
        pair.value.string_value = value
    elif isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.double_value = value


def bodies(count: int, seed: int, now_ns: int, *, zipped: bool = True) -> Iterator[bytes]:
    """Ready request bodies, each of spans never seen before."""
    source = random.Random(seed)
    for _ in range(count):
        raw = request(source, now_ns).SerializeToString()
        yield gzip.compress(raw, 1) if zipped else raw
