"""The Python service: `sender.py TRANSPORT ENDPOINT ORDER`, with transport http or grpc and the batch processors.

What it sends is described in `tests.sdks`; `tests.test_sdks` starts it as a process of its own.
"""

import sys

from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind


def exporters(transport: str, endpoint: str) -> tuple[SpanExporter, LogRecordExporter]:
    if transport == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import _log_exporter, trace_exporter

        return (
            trace_exporter.OTLPSpanExporter(endpoint, insecure=True),
            _log_exporter.OTLPLogExporter(endpoint, insecure=True),
        )
    from opentelemetry.exporter.otlp.proto.http import _log_exporter as http_logs
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http_traces

    return (
        http_traces.OTLPSpanExporter(f"{endpoint}/v1/traces"),
        http_logs.OTLPLogExporter(f"{endpoint}/v1/logs"),
    )


def main(transport: str, endpoint: str, order: str) -> None:
    resource = Resource.create({"service.name": f"sdk-python-{transport}"})
    span_exporter, log_exporter = exporters(transport, endpoint)
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(span_exporter))
    loggers = LoggerProvider(resource)
    loggers.add_log_record_processor(BatchLogRecordProcessor(log_exporter))
    tracer, logger = tracers.get_tracer("sender"), loggers.get_logger("sender")
    about = {"order.id": order}
    with tracer.start_as_current_span("POST /orders", kind=SpanKind.SERVER, attributes=about):
        with tracer.start_as_current_span("SELECT stock", kind=SpanKind.CLIENT):
            pass
        with tracer.start_as_current_span("charge card", attributes=about) as span:
            span.add_event("charged", {"amount": 12.5})
        logger.emit(severity_number=SeverityNumber.INFO, body="order placed", attributes=about)
    logger.emit(
        severity_number=SeverityNumber.WARN, body="seen by the ERP", attributes=about, context=Context()
    )
    tracers.shutdown()
    loggers.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
