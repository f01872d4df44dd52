// Reads a file with the readers of Jaeger or of the OpenTelemetry collector and writes what they understood.
//
//	reader jaeger FILE   Jaeger's own model and back into the JSON of its API
//	reader otlp FILE     the collector's traces and logs, each as it writes them itself
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/jaegertracing/jaeger/model"
	converter "github.com/jaegertracing/jaeger/model/converter/json"
	ui "github.com/jaegertracing/jaeger/model/json"
	"github.com/jaegertracing/jaeger/plugin/storage/es/spanstore/dbmodel"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type answer struct {
	Data   []ui.Trace        `json:"data"`
	Total  int               `json:"total"`
	Limit  int               `json:"limit"`
	Offset int               `json:"offset"`
	Errors []json.RawMessage `json:"errors"`
}

func main() {
	content, err := os.ReadFile(os.Args[2])
	check(err)
	if os.Args[1] == "otlp" {
		check(otlp(content))
		return
	}
	check(jaeger(content))
}

func jaeger(content []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	decoder.UseNumber()
	var told answer
	if err := decoder.Decode(&told); err != nil {
		return err
	}
	for number, trace := range told.Data {
		read := &model.Trace{Warnings: trace.Warnings}
		for _, span := range trace.Spans {
			one, err := domain(span, trace.Processes)
			if err != nil {
				return fmt.Errorf("span %s: %w", span.SpanID, err)
			}
			read.Spans = append(read.Spans, one)
		}
		told.Data[number] = *converter.FromDomain(read)
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

// What the API answers goes into Jaeger's model by way of its storage, whose JSON differs in how values are written.
func domain(span ui.Span, processes map[ui.ProcessID]ui.Process) (*model.Span, error) {
	process, known := processes[span.ProcessID]
	if !known {
		return nil, fmt.Errorf("no process %q", span.ProcessID)
	}
	stored := dbmodel.Span{
		TraceID: dbmodel.TraceID(span.TraceID), SpanID: dbmodel.SpanID(span.SpanID), Flags: span.Flags,
		OperationName: span.OperationName, StartTime: span.StartTime, Duration: span.Duration,
		Tags:    values(span.Tags),
		Process: dbmodel.Process{ServiceName: process.ServiceName, Tags: values(process.Tags)},
	}
	for _, one := range span.References {
		stored.References = append(stored.References, dbmodel.Reference{
			RefType: dbmodel.ReferenceType(one.RefType), TraceID: dbmodel.TraceID(one.TraceID), SpanID: dbmodel.SpanID(one.SpanID),
		})
	}
	for _, one := range span.Logs {
		stored.Logs = append(stored.Logs, dbmodel.Log{Timestamp: one.Timestamp, Fields: values(one.Fields)})
	}
	return dbmodel.NewToDomain("@").SpanToDomain(&stored)
}

func values(told []ui.KeyValue) []dbmodel.KeyValue {
	found := []dbmodel.KeyValue{}
	for _, one := range told {
		text := fmt.Sprint(one.Value)
		if one.Type == ui.BinaryType {
			raw, err := base64.StdEncoding.DecodeString(text)
			check(err)
			text = hex.EncodeToString(raw)
		}
		found = append(found, dbmodel.KeyValue{Key: one.Key, Type: dbmodel.ValueType(one.Type), Value: text})
	}
	return found
}

func otlp(content []byte) error {
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(content)
	if err != nil {
		return err
	}
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(content)
	if err != nil {
		return err
	}
	spans, err := (&ptrace.JSONMarshaler{}).MarshalTraces(traces)
	check(err)
	records, err := (&plog.JSONMarshaler{}).MarshalLogs(logs)
	check(err)
	_, err = fmt.Printf("%s\n%s\n", spans, records)
	return err
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
