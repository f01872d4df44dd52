"""OTLP's protobuf messages with every record, attribute and text left as bytes.

upb refuses a whole request for one string that is not UTF-8 and for one value nested too deep. Here each
record and each attribute is a field of bytes that is parsed alone (by `protobuf`, by `attributes`): a bad one
costs only itself, one record at a time is held, and equal attributes need parsing once. The descriptors are
made from the official ones, field by field.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "threadline.wire"
_OFFICIAL = ".opentelemetry.proto."
# Parsed one by one, each by a message of its own.
_LEFT_AS_BYTES = {
    _OFFICIAL + name
    for name in (
        "common.v1.KeyValue",
        "common.v1.AnyValue",
        "trace.v1.Span",
        # Nearly always one of a few: remembered like a text.
        "trace.v1.Status",
        "logs.v1.LogRecord",
        # Metrics are only counted.
        "metrics.v1.NumberDataPoint",
        "metrics.v1.HistogramDataPoint",
        "metrics.v1.ExponentialHistogramDataPoint",
        "metrics.v1.SummaryDataPoint",
    )
}
_FILES = (
    common_pb2,
    resource_pb2,
    trace_pb2,
    logs_pb2,
    metrics_pb2,
    trace_service_pb2,
    logs_service_pb2,
    metrics_service_pb2,
)


def _keep_bytes(field: Any, split: bool) -> None:
    if field.type == _Field.TYPE_STRING or (split and field.type_name in _LEFT_AS_BYTES):
        field.type = _Field.TYPE_BYTES
        field.ClearField("type_name")
    elif field.type == _Field.TYPE_ENUM:
        field.type = _Field.TYPE_INT32
        field.ClearField("type_name")
    elif field.type_name:
        field.type_name = "." + _PACKAGE + "." + field.type_name.rsplit(".", 1)[1]


def _flattened(message: Any, split: bool) -> list[Any]:
    """The message and its nested ones, as messages of one flat package."""
    own = descriptor_pb2.DescriptorProto()
    own.CopyFrom(message)
    nested = [part for inner in own.nested_type for part in _flattened(inner, split)]
    own.ClearField("nested_type")
    own.ClearField("enum_type")
    for field in own.field:
        _keep_bytes(field, split)
    return [own, *nested]


def _pool() -> Any:
    merged = descriptor_pb2.FileDescriptorProto(name="wire.proto", package=_PACKAGE, syntax="proto3")
    for module in _FILES:
        original = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(original)
        for message in original.message_type:
            # Values nest in each other; only what holds them is cut.
            merged.message_type.extend(_flattened(message, split=module is not common_pb2))
    scope = next(message for message in merged.message_type if message.name == "InstrumentationScope")
    next(field for field in scope.field if field.name == "attributes").type = _Field.TYPE_BYTES
    next(field for field in scope.field if field.name == "attributes").ClearField("type_name")
    pair = merged.message_type.add(name="Pair")
    for number, name in enumerate(("key", "value"), 1):
        pair.field.add(name=name, number=number, type=_Field.TYPE_BYTES, label=_Field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(merged)
    return pool


_POOL = _pool()


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


TraceRequest = _message("ExportTraceServiceRequest")
LogsRequest = _message("ExportLogsServiceRequest")
MetricsRequest = _message("ExportMetricsServiceRequest")
Span = _message("Span")
Status = _message("Status")
LogRecord = _message("LogRecord")
Pair = _message("Pair")  # a KeyValue whose value is left as bytes
AnyValue = _message("AnyValue")
