"""Metrics are answered honestly and not kept: every data point is counted as rejected, and its sender noted.

Exporters send metrics unless told otherwise; a 404 once a minute would fill their logs.
"""

from typing import Any

from google.protobuf.message import DecodeError

from tracing.otlp import json, protobuf, wire
from tracing.otlp.attributes import Malformed, memory_for
from tracing.otlp.decode import Decoding
from tracing.otlp.finishing import Work
from tracing.otlp.jsonfields import BadField
from tracing.otlp.weigh import POINTS, check_request
from tracing.records import Batch, Resource

SENTENCE = "Threadline keeps traces and logs only; set OTEL_METRICS_EXPORTER=none to stop sending metrics"
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram", "summary")


def refuse_points(body: bytes, how: Decoding) -> Batch:
    """A batch of refusals only: each sender's data points. Raises `Malformed` and `TooMany`."""
    work = Work(
        how.digest_key,
        memory_for(how.redact),
        Batch(transport=how.transport, received_ns=how.received_ns),
    )
    for resource, points in _in_json(work, body) if how.encoding == "json" else _in_protobuf(work, body):
        if points:
            work.refuse(SENTENCE, resource, points)
    return work.batch


def _in_protobuf(work: Work, body: bytes) -> list[tuple[Resource | None, int]]:
    check_request(body, POINTS)
    try:
        request = wire.MetricsRequest.FromString(body)
    except DecodeError as error:
        raise Malformed("the body is not a valid protobuf ExportMetricsServiceRequest") from error
    return [(_sender(work, protobuf, held), _points(held)) for held in request.resource_metrics]


def _points(held: Any) -> int:
    return sum(
        len(getattr(metric, kind).data_points)
        for scope in held.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data")) is not None
    )


def _in_json(work: Work, body: bytes) -> list[tuple[Resource | None, int]]:
    request = json.parse(body)
    if not isinstance(request, dict):
        raise Malformed("the body is not an object holding resourceMetrics")
    return [
        (_sender(work, json, held), _points_in_json(held))
        for held in _items(request, "resourceMetrics", "resource_metrics")
    ]


def _points_in_json(held: Any) -> int:
    return sum(
        len(_items(metric.get(kind), "dataPoints", "data_points"))
        for scope in _items(held, "scopeMetrics", "scope_metrics")
        for metric in _items(scope, "metrics")
        if isinstance(metric, dict)
        for kind in _KINDS
    )


def _sender(work: Work, encoding: Any, held: Any) -> Resource | None:
    """Who sends these; None where that cannot be read, which costs metrics nothing more."""
    try:
        found: Resource = encoding.read_resource(work, held)[0]
    except (Malformed, BadField, AttributeError):
        return None
    return found


def _items(holder: Any, *names: str) -> list[Any]:
    if not isinstance(holder, dict):
        return []
    return next((holder[name] for name in names if isinstance(holder.get(name), list)), [])
