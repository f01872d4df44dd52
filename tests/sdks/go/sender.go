// The Go service: `sender ENDPOINT ORDER` over OTLP/HTTP with gzip, which this SDK always sends chunked.
// What it sends is described in tests/sdks/__init__.py; tests/test_sdks.py builds and starts it.
package main

import (
	"context"
	"log"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	api "go.opentelemetry.io/otel/log"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func line(body, order string, severity api.Severity) api.Record {
	var record api.Record
	record.SetBody(attribute.StringValue(body))
	record.SetSeverity(severity)
	record.AddAttributes(attribute.String("order.id", order))
	return record
}

func main() {
	endpoint, order := os.Args[1], os.Args[2]
	ctx := context.Background()
	service := resource.NewSchemaless(attribute.String("service.name", "sdk-go-http"))
	spans, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(endpoint+"/v1/traces"), otlptracehttp.WithCompression(otlptracehttp.GzipCompression))
	must(err)
	logs, err := otlploghttp.New(ctx,
		otlploghttp.WithEndpointURL(endpoint+"/v1/logs"), otlploghttp.WithCompression(otlploghttp.GzipCompression))
	must(err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans), sdktrace.WithResource(service))
	loggers := sdklog.NewLoggerProvider(
		sdklog.WithProcessor(sdklog.NewBatchProcessor(logs)), sdklog.WithResource(service))
	tracer, logger := tracers.Tracer("sender"), loggers.Logger("sender")

	about := trace.WithAttributes(attribute.String("order.id", order))
	inside, request := tracer.Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer), about)
	_, query := tracer.Start(inside, "SELECT stock", trace.WithSpanKind(trace.SpanKindClient))
	query.End()
	_, charge := tracer.Start(inside, "charge card", about)
	charge.AddEvent("charged", trace.WithAttributes(attribute.Float64("amount", 12.5)))
	charge.End()
	logger.Emit(inside, line("order placed", order, api.SeverityInfo))
	request.End()
	logger.Emit(ctx, line("seen by the ERP", order, api.SeverityWarn))
	must(tracers.Shutdown(ctx))
	must(loggers.Shutdown(ctx))
}
