"""A stored record as Jaeger's JSON has it: microseconds, typed tags, span logs, a process a resource (pure).

Names are those of OpenTelemetry's mapping to Jaeger (`otel.status_code`, `otel.scope.name`, `span.kind`, `error`). Jaeger
has no place for: logs without a span in the file, which a trace's warnings count. All else it would lose (nanoseconds,
nested and empty values, attributes of links and scopes, dropped counts, schema addresses) stands in tags that begin
`threadline.` and that `jaeger` reads back; for other readers it is lost. `jaegerfile` makes a file of it.
"""

from typing import Any

import orjson

from tracing.files.otlpjson import pairs, sent_text, text_of
from tracing.records import MAX_NS, Log, Resource, Span
from tracing.values import json_bytes, plain

Json = dict[str, Any]
KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUSES = {1: "OK", 2: "ERROR"}
NANOSECONDS, LOG = "threadline.ns", "threadline.log"
STATUS, MESSAGE, TRACE_STATE = "otel.status_code", "otel.status_description", "w3c.tracestate"
KIND, FAILED, EVENT = "span.kind", "error", "event"
SCOPE_NAME, SCOPE_VERSION = "otel.scope.name", "otel.scope.version"
SCOPE_MARKS = "threadline.scope."


def process(resource: Resource) -> Json:
    tags = [tag(name, value) for name, value in pairs(resource.attributes) if name != "service.name"]
    return {"serviceName": resource.service, "tags": tags}


def span_json(span: Span) -> Json:
    """A span without its logs and its process."""
    start, end = (
        int((span.exact or {}).get(name, ns)) for name, ns in (("start", span.start_ns), ("end", span.end_ns))
    )
    return {
        "traceID": span.trace_id.hex(),
        "spanID": span.span_id.hex(),
        "flags": span.flags,
        "operationName": sent_text(span, "name"),
        "references": _references(span),
        "startTime": _microseconds(start),
        "duration": _microseconds(max(0, end - start)),
        "tags": [*_own_tags(span, start, end), *(tag(name, value) for name, value in pairs(span.attributes))],
        "logs": [_event(row) for row in orjson.loads(span.events_json or b"[]")],
    }


def log_json(log: Log, carried: Json) -> Json:
    """A log as one of its span's: what a person reads of it, and all of it in one field for our own reader."""
    told = {EVENT: log.event_name or "log", "level": log.severity_text, "message": _text(log.body)}
    fields = [tag(name, value) for name, value in told.items() if value]
    fields += [tag(name, value) for name, value in pairs(log.attributes)]
    return {
        "timestamp": log.time_ns // 1_000,
        "fields": [*fields, tag(LOG, orjson.dumps(carried).decode())],
    }


def tag(name: str, value: Any) -> Json:
    kind, told = _typed(value)
    return {"key": name, "type": kind, "value": told}


def _typed(value: Any) -> tuple[str, Any]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, str):
        return "string", value
    if isinstance(value, int):
        # As Jaeger does: JavaScript would round it.
        return "int64", value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return "float64", value
    if isinstance(value, dict) and value.keys() == {"$bytes"}:
        return "binary", value["$bytes"]
    return "string", _text(value)


def _text(value: Any) -> str:
    """Any other value as text: nested ones as JSON."""
    if value is None:
        return ""
    if (
        isinstance(value, dict)
        and len(value) == 1
        and next(iter(value)).startswith("$")
        and "$map" not in value
    ):
        return text_of(value).encode("utf-8", "replace").decode()
    told = plain(value)
    return told if isinstance(told, str) else json_bytes(told).decode("utf-8", "replace")


def _own_tags(span: Span, start: int, end: int) -> list[Json]:
    """What a span says beside its attributes."""
    found: Json = {
        KIND: KINDS.get(span.kind),
        STATUS: STATUSES.get(span.status),
        FAILED: span.status == 2 or None,
        MESSAGE: sent_text(span, "status_message"),
        TRACE_STATE: sent_text(span, "trace_state"),
        SCOPE_NAME: span.scope.name,
        SCOPE_VERSION: span.scope.version,
    }
    if start % 1_000 or (end - start) % 1_000 or end < start or max(start, end) > MAX_NS:
        found[NANOSECONDS] = f"{start} {end}"
    return [tag(name, value) for name, value in found.items() if value]


def _references(span: Span) -> list[Json]:
    trace = span.trace_id.hex()
    parent = [_reference("CHILD_OF", trace, span.parent_span_id.hex())] if span.parent_span_id else []
    links = [
        _reference("FOLLOWS_FROM", row["trace_id"], row["span_id"])
        for row in orjson.loads(span.links_json or b"[]")
        if len(row["trace_id"]) == 32 and len(row["span_id"]) == 16
    ]
    return [*parent, *links]


def _microseconds(time_ns: int) -> int:
    """Jaeger counts in signed nanoseconds: what is beyond them would come out before 1970."""
    return min(time_ns, MAX_NS) // 1_000


def _reference(kind: str, trace_id: str, span_id: str) -> Json:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def _event(row: dict[str, Any]) -> Json:
    time = int(row["time"])
    fields = [tag(EVENT, row["name"]), *(tag(name, value) for name, value in pairs(row["attributes"]))]
    if time % 1_000 or time > MAX_NS:
        fields.append(tag(NANOSECONDS, row["time"]))
    return {"timestamp": _microseconds(time), "fields": fields}
