"""A stored record as OTLP's JSON mapping has it: ids in hex, 64-bit numbers as decimals, enums as numbers (pure).

What JSON text cannot say (a lone surrogate, bytes that were no UTF-8) and what is not there any more (a redacted value)
stands there as something readable; `marking` notes the difference. `downloads` puts records together into a file.
"""

import base64
import math
from collections.abc import Iterator
from typing import Any

import orjson

from tracing.otlp.carried import RESERVED
from tracing.records import Log, Resource, Scope, Span
from tracing.values import plain

REDACTED = "[redacted]"
Sent = dict[str, Any]


def resource_holder(resource: Resource) -> Sent:
    """What stands around the scopes of a resource."""
    sent = {"attributes": key_values(resource.attributes)}
    return _told(
        {
            "resource": _told(sent | {"droppedAttributesCount": resource.dropped}, keep=("attributes",)),
            "schemaUrl": resource.schema_url,
        }
    )


def scope_holder(scope: Scope) -> Sent:
    """What stands around the records of a scope."""
    attributes = key_values(orjson.loads(scope.attributes_json))
    return _told(
        {
            "scope": _told(
                {
                    "name": scope.name,
                    "version": scope.version,
                    "attributes": attributes,
                    "droppedAttributesCount": scope.dropped,
                }
            ),
            "schemaUrl": scope.schema_url,
        },
        keep=("scope",),
    )


def span_sent(span: Span) -> Sent:
    exact = span.exact or {}
    status = _told({"message": sent_text(span, "status_message"), "code": span.status})
    return _told(
        {
            "traceId": span.trace_id.hex(),
            "spanId": span.span_id.hex(),
            "traceState": sent_text(span, "trace_state"),
            "parentSpanId": span.parent_span_id.hex(),
            "flags": span.flags,
            "name": sent_text(span, "name"),
            "kind": span.kind,
            "startTimeUnixNano": exact.get("start") or str(span.start_ns),
            "endTimeUnixNano": exact.get("end") or str(span.end_ns),
            "attributes": key_values(span.attributes),
            "droppedAttributesCount": span.dropped_attributes,
            "events": [_event(row) for row in orjson.loads(span.events_json or b"[]")],
            "droppedEventsCount": span.dropped_events,
            "links": [_link(row) for row in orjson.loads(span.links_json or b"[]")],
            "droppedLinksCount": span.dropped_links,
            "status": status,
        },
        keep=("name",),
    )


def log_sent(log: Log) -> Sent:
    exact = log.exact or {}
    return _told(
        {
            "timeUnixNano": (exact.get("time") or str(log.time_ns)) if log.time_source == 0 else "",
            "observedTimeUnixNano": (exact.get("observed") or str(log.observed_ns))
            if log.observed_ns
            else "",
            "severityNumber": log.severity,
            "severityText": sent_text(log, "severity_text"),
            "body": any_value(log.body),
            "attributes": key_values(log.attributes),
            "droppedAttributesCount": log.dropped_attributes,
            "flags": log.flags,
            "traceId": log.trace_id.hex(),
            "spanId": log.span_id.hex(),
            "eventName": sent_text(log, "event_name"),
        }
    )


def sent_text(record: Span | Log, column: str) -> str:
    """A text as it was sent where JSON can say it, else as its column has it."""
    exact = (record.exact or {}).get(column)
    stored: str = getattr(record, column)
    if exact is None:
        return stored
    return _decoded(exact) or stored


def key_values(attributes: Any) -> list[Sent]:
    return [{"key": key, "value": any_value(value)} for key, value in pairs(attributes)]


def pairs(attributes: Any) -> Iterator[tuple[str, Any]]:
    """The attributes of a tagged map by name; without those names that only `marking` writes."""
    told = attributes["$map"] if attributes.keys() == {"$map"} else sorted(attributes.items())
    for key, value in told:
        name = key if isinstance(key, str) else text_of(key)
        if name not in RESERVED:
            yield name, value


def any_value(value: Any) -> Sent:
    """An AnyValue; an empty one is an object of nothing."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(item) for item in value]}}
    return _of_map(value)


def _of_map(value: dict[str, Any]) -> Sent:
    if len(value) == 1:
        ((kind, item),) = value.items()
        if kind in ("$bytes", "$invalid"):
            return {"bytesValue": item}
        if kind == "$double":
            number = float(item)
            return {"doubleValue": number if math.isfinite(number) else item}
        if kind in ("$text", "$redacted"):
            return {"stringValue": text_of(value)}
    told = value["$map"] if value.keys() == {"$map"} else sorted(value.items())
    entries = [(key if isinstance(key, str) else text_of(key), item) for key, item in told]
    return {"kvlistValue": {"values": [{"key": key, "value": any_value(item)} for key, item in entries]}}


def text_of(value: Any) -> str:
    """A tagged text as JSON can say it."""
    if isinstance(value, dict) and "$text" in value:
        return _decoded(value["$text"]) or str(plain(value)).encode("utf-8", "replace").decode()
    return str(plain(value))


def _decoded(exact: str) -> str | None:
    """The text of these bytes; None where they are not UTF-8."""
    try:
        return base64.b64decode(exact).decode()
    except ValueError:
        return None


def _event(row: dict[str, Any]) -> Sent:
    name = (_decoded(row["exact_name"]) if "exact_name" in row else None) or row["name"]
    return _told(
        {
            "timeUnixNano": row["time"],
            "name": name,
            "attributes": key_values(row["attributes"]),
            "droppedAttributesCount": row["dropped"],
        },
        keep=("name",),
    )


def _link(row: dict[str, Any]) -> Sent:
    exact = row.get("exact_trace_state")
    # An id that is none would have the whole file refused elsewhere.
    return _told(
        {
            "traceId": row["trace_id"] if len(row["trace_id"]) == 32 else "",
            "spanId": row["span_id"] if len(row["span_id"]) == 16 else "",
            "traceState": (_decoded(exact) if exact else None) or row["trace_state"],
            "attributes": key_values(row["attributes"]),
            "droppedAttributesCount": row["dropped"],
            "flags": row["flags"],
        }
    )


def _told(fields: Sent, keep: tuple[str, ...] = ()) -> Sent:
    """The fields that say something: what is left out is the default."""
    return {name: value for name, value in fields.items() if name in keep or value not in ("", 0, [], {})}
