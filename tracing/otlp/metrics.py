"""Metrics are answered honestly and not kept: every data point is counted as rejected.

Exporters send metrics unless told otherwise; a 404 once a minute would fill their logs.
"""

from typing import Any

from google.protobuf.message import DecodeError

from tracing.otlp import wire
from tracing.otlp.attributes import Malformed
from tracing.otlp.json import parse
from tracing.otlp.weigh import POINTS, check_request

SENTENCE = "Threadline keeps traces and logs only; set OTEL_METRICS_EXPORTER=none to stop sending metrics"
_KINDS = ("gauge", "sum", "histogram", "exponentialHistogram", "exponential_histogram", "summary")


def count_points(body: bytes, encoding: str) -> int:
    """How many data points a metrics request holds. Raises `Malformed` and `TooMany`."""
    return _in_json(body) if encoding == "json" else _in_protobuf(body)


def _in_protobuf(body: bytes) -> int:
    check_request(body, POINTS)
    try:
        request = wire.MetricsRequest.FromString(body)
    except DecodeError as error:
        raise Malformed("the body is not a valid protobuf ExportMetricsServiceRequest") from error
    return sum(
        len(getattr(metric, kind).data_points)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if (kind := metric.WhichOneof("data")) is not None
    )


def _in_json(body: bytes) -> int:
    request = parse(body)
    if not isinstance(request, dict):
        raise Malformed("the body is not an object holding resourceMetrics")
    return sum(
        len(_items(metric.get(kind), "dataPoints", "data_points"))
        for resource in _items(request, "resourceMetrics", "resource_metrics")
        for scope in _items(resource, "scopeMetrics", "scope_metrics")
        for metric in _items(scope, "metrics")
        if isinstance(metric, dict)
        for kind in _KINDS
    )


def _items(holder: Any, *names: str) -> list[Any]:
    if not isinstance(holder, dict):
        return []
    return next((holder[name] for name in names if isinstance(holder.get(name), list)), [])
