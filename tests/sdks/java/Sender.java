// The Java service: `java -cp 'lib/*' Sender.java TRANSPORT ENDPOINT ORDER`, transport http or grpc.
// What it sends is described in tests/sdks/__init__.py; tests/test_sdks.py starts it.
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.api.logs.Severity;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.exporter.otlp.trace.OtlpGrpcSpanExporter;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import java.util.concurrent.TimeUnit;

public class Sender {
    static final AttributeKey<String> ORDER = AttributeKey.stringKey("order.id");

    public static void main(String[] words) {
        boolean grpc = words[0].equals("grpc");
        String endpoint = words[1];
        String order = words[2];
        SpanExporter spans = grpc
            ? OtlpGrpcSpanExporter.builder().setEndpoint(endpoint).build()
            : OtlpHttpSpanExporter.builder().setEndpoint(endpoint + "/v1/traces").setCompression("gzip").build();
        LogRecordExporter logs = grpc
            ? OtlpGrpcLogRecordExporter.builder().setEndpoint(endpoint).build()
            : OtlpHttpLogRecordExporter.builder().setEndpoint(endpoint + "/v1/logs").setCompression("gzip").build();
        String name = "sdk-java-" + words[0];
        Resource resource = Resource.create(Attributes.of(AttributeKey.stringKey("service.name"), name));
        SdkTracerProvider tracers = SdkTracerProvider.builder().setResource(resource)
            .addSpanProcessor(BatchSpanProcessor.builder(spans).build()).build();
        SdkLoggerProvider loggers = SdkLoggerProvider.builder().setResource(resource)
            .addLogRecordProcessor(BatchLogRecordProcessor.builder(logs).build()).build();
        tell(tracers.get("sender"), loggers.get("sender"), order);
        tracers.shutdown().join(10, TimeUnit.SECONDS);
        loggers.shutdown().join(10, TimeUnit.SECONDS);
    }

    static void tell(Tracer tracer, Logger logger, String order) {
        Span request = tracer.spanBuilder("POST /orders").setSpanKind(SpanKind.SERVER).setAttribute(ORDER, order)
            .startSpan();
        try (Scope inside = request.makeCurrent()) {
            tracer.spanBuilder("SELECT stock").setSpanKind(SpanKind.CLIENT).startSpan().end();
            Span charge = tracer.spanBuilder("charge card").setAttribute(ORDER, order).startSpan();
            charge.addEvent("charged", Attributes.of(AttributeKey.doubleKey("amount"), 12.5));
            charge.end();
            logger.logRecordBuilder().setSeverity(Severity.INFO).setBody("order placed").setAttribute(ORDER, order)
                .emit();
        } finally {
            request.end();
        }
        logger.logRecordBuilder().setContext(Context.root()).setSeverity(Severity.WARN).setBody("seen by the ERP")
            .setAttribute(ORDER, order).emit();
    }
}
