"""OTLP requests for tests, written with the official messages: short to say, complete on the wire."""

import base64
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tracing.otlp.decode import Decoding
from tracing.redaction import Redaction

NOW_NS = 1_795_000_000_000_000_000
TRACE, SPAN = bytes(range(1, 17)), bytes(range(1, 9))
KEY = b"k" * 32
REDACTION = Redaction()


def how(encoding: Any = "protobuf", received_ns: int = NOW_NS) -> Decoding:
    return Decoding(encoding, KEY, received_ns, REDACTION, f"http/{encoding}")


def value(given: Any) -> AnyValue:
    """None is an empty value; numbers, texts, bytes, lists and dicts are themselves."""
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, str):
        return AnyValue(string_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    if isinstance(given, list):
        return AnyValue(array_value=ArrayValue(values=[value(item) for item in given]))
    if isinstance(given, dict):
        return AnyValue(kvlist_value=KeyValueList(values=pairs(given)))
    return AnyValue()


def pairs(given: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=value(item)) for key, item in given.items()]


def span(attributes: dict[str, Any] | None = None, **fields: Any) -> Span:
    told: dict[str, Any] = {
        "trace_id": TRACE,
        "span_id": SPAN,
        "name": "work",
        "start_time_unix_nano": NOW_NS,
        "end_time_unix_nano": NOW_NS + 5,
    }
    return Span(attributes=pairs(attributes or {}), **(told | fields))


def log(body: Any = "said", attributes: dict[str, Any] | None = None, **fields: Any) -> LogRecord:
    told = {"time_unix_nano": NOW_NS} | fields
    return LogRecord(body=value(body), attributes=pairs(attributes or {}), **told)


def traces(*spans: Span, service: str = "shop", resource: dict[str, Any] | None = None) -> Any:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(pairs({"service.name": service} | (resource or {})))
    scope = group.scope_spans.add()
    scope.scope.name, scope.scope.version = "tests", "1"
    scope.spans.extend(spans)
    return request


def logs(*records: LogRecord, service: str = "shop", resource: dict[str, Any] | None = None) -> Any:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs({"service.name": service} | (resource or {})))
    group.scope_logs.add().log_records.extend(records)
    return request


def metrics(points: int) -> Any:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="queue.length")
    for number in range(points):
        metric.gauge.data_points.add(as_int=number)
    return request


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field on the wire, for what the official messages refuse to say."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    written = b""
    while number > 127:
        written, number = written + bytes([number & 127 | 128]), number >> 7
    return written + bytes([number])


def raw_traces(spans: Iterable[bytes], resource: bytes = b"") -> bytes:
    """A trace request around spans that are bytes already."""
    return field(1, field(1, resource) + field(2, b"".join(field(2, one) for one in spans)))


def raw_attribute(key: bytes, content: bytes) -> bytes:
    """Field 9 of a span: an attribute with the given AnyValue bytes."""
    return field(9, field(1, key) + field(2, content))


def nested_arrays(depth: int) -> bytes:
    content = field(1, b"deep")
    for _ in range(depth):
        content = field(5, field(1, content))
    return content


def nested_maps(depth: int) -> bytes:
    content = field(1, b"deep")
    for _ in range(depth):
        content = field(6, field(1, field(1, b"k") + field(2, content)))
    return content


def as_json(message: Any) -> dict[str, Any]:
    """The request in OTLP/JSON, as the specification has it: hex ids, integers for enums, int64 as text."""
    return _object(message)


_HEX = {"trace_id", "span_id", "parent_span_id"}


def _object(message: Any) -> dict[str, Any]:
    return {descriptor.json_name: _json(descriptor, content) for descriptor, content in message.ListFields()}


def _json(descriptor: Any, content: Any) -> Any:
    if descriptor.is_repeated:
        return [_single(descriptor, item) for item in content]
    return _single(descriptor, content)


def _single(descriptor: Any, content: Any) -> Any:
    if descriptor.type == descriptor.TYPE_MESSAGE:
        return _object(content)
    if descriptor.type == descriptor.TYPE_BYTES:
        return content.hex() if descriptor.name in _HEX else base64.b64encode(content).decode()
    if descriptor.type in (descriptor.TYPE_FIXED64, descriptor.TYPE_INT64):
        return str(content)
    if descriptor.type == descriptor.TYPE_DOUBLE and (content != content or abs(content) == float("inf")):
        return "NaN" if content != content else "Infinity" if content > 0 else "-Infinity"
    return content
