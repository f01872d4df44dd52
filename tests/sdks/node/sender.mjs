// The Node service: `sender.mjs TRANSPORT ENDPOINT ORDER`, transport http (JSON), proto or grpc.
// What it sends is described in tests/sdks/__init__.py; tests/test_sdks.py starts it.
import { context, ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [transport, endpoint, order] = process.argv.slice(2);
const traces = await import(`@opentelemetry/exporter-trace-otlp-${transport}`);
const logs = await import(`@opentelemetry/exporter-logs-otlp-${transport}`);
const url = (path) => (transport === "grpc" ? endpoint : `${endpoint}${path}`);

const resource = resourceFromAttributes({ "service.name": `sdk-node-${transport}` });
const spanProcessor = new BatchSpanProcessor(new traces.OTLPTraceExporter({ url: url("/v1/traces") }));
const logExporter = new logs.OTLPLogExporter({ url: url("/v1/logs") });
const tracers = new NodeTracerProvider({ resource, spanProcessors: [spanProcessor] });
tracers.register();
let logProcessor;
try {
  logProcessor = new BatchLogRecordProcessor({ exporter: logExporter });
} catch {
  logProcessor = new BatchLogRecordProcessor(logExporter);
}
const loggers = new LoggerProvider({ resource, processors: [logProcessor] });
const tracer = tracers.getTracer("sender");
const logger = loggers.getLogger("sender");

const attributes = { "order.id": order };
tracer.startActiveSpan("POST /orders", { kind: SpanKind.SERVER, attributes }, (request) => {
  tracer.startActiveSpan("SELECT stock", { kind: SpanKind.CLIENT }, (span) => span.end());
  tracer.startActiveSpan("charge card", { attributes }, (span) => {
    span.addEvent("charged", { amount: 12.5 });
    span.end();
  });
  logger.emit({ severityNumber: SeverityNumber.INFO, body: "order placed", attributes, context: context.active() });
  request.end();
});
logger.emit({ severityNumber: SeverityNumber.WARN, body: "seen by the ERP", attributes, context: ROOT_CONTEXT });
await tracers.shutdown();
await loggers.shutdown();
