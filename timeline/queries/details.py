"""Names, services and texts for the rows of one window: the part of a page that is read record by record.

`timeline.queries.skeleton` has read everything else in bulk before; `timeline.rows` joins the two.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson

from timeline.queries.bound import fetched
from timeline.queries.bykey import Key
from tracing import arrays
from tracing.values import json_bytes, plain

MAX_TEXT = 4_000  # characters of a log's body or a message in a row; the record's page has all of it

# OFFSET 0 keeps this a lookup by primary key for each row of the window, whatever the planner knows of today's partition.
SPANS = """
    SELECT told.* FROM unnest(%(traces)b::bytea[], %(spans)b::bytea[], %(digests)b::bytea[], %(eventful)b::smallint[])
        AS row (trace_id, span_id, digest, eventful)
    CROSS JOIN LATERAL (
        SELECT span.trace_id, span.span_id, row.digest, name, service, kind, status, status_message, exact,
               CASE WHEN attributes ?| %(attempts)s::text[] THEN attributes END,
               CASE WHEN row.eventful = 1 THEN events END
        FROM span WHERE span.trace_id = row.trace_id AND span.span_id = row.span_id
            AND substr(span.digest, 1, 8) = row.digest AND day = ANY(%(days)s)
        OFFSET 0
    ) AS told"""
LOGS = """
    SELECT told.* FROM unnest(%(logs)b::bytea[]) AS row (log_id)
    CROSS JOIN LATERAL (
        SELECT log.log_id, service, severity, severity_text, event_name, time_source, received_ns, exact,
               CASE WHEN jsonb_typeof(body) = 'string' THEN left(body #>> '{}', %(most)s)
                    WHEN length(body::text) > %(largest)s THEN left(body::text, %(most)s)
                    ELSE body::text END,
               jsonb_typeof(body) <> 'string' AND length(body::text) <= %(largest)s
        FROM log WHERE log.log_id = row.log_id AND day = ANY(%(days)s)
        OFFSET 0
    ) AS told"""


class EventDetail(NamedTuple):
    name: str
    text: str | None
    thrown: str = ""  # the type of its exception; empty where it tells none


class SpanDetail(NamedTuple):
    name: str
    service: str
    kind: int
    status: int
    message: str
    exact: dict[str, str]
    attributes: dict[str, Any]  # only where one of them declares an attempt or says why there is another
    events: list[dict[str, Any]]

    def event(self, ordinal: int) -> EventDetail:
        if not 0 <= ordinal < len(self.events):
            return EventDetail("event", None)
        told = self.events[ordinal]
        name = plain(told.get("name")) or "event"
        attributes = plain(told.get("attributes") or {})
        return EventDetail(str(name), event_text(attributes), str(attributes.get("exception.type") or ""))


class LogDetail(NamedTuple):
    service: str
    severity: int
    severity_text: str
    event_name: str
    time_source: int
    received_ns: int
    exact: dict[str, str]
    body: str


def read_span_details(
    keys: Sequence[tuple[Key, bool]], days: Iterable[int], attempts: Iterable[str]
) -> dict[Key, SpanDetail]:
    """Details of these spans; with their events where the flag asks for them."""
    if not keys:
        return {}
    packed = arrays.columns("bbbh", ((*key, int(eventful)) for key, eventful in keys))
    asked: dict[str, Any] = dict(zip(("traces", "spans", "digests", "eventful"), packed, strict=True))
    found = {}
    asked |= {"days": list(days), "attempts": list(attempts)}
    for trace_id, span_id, digest, name, service, kind, status, message, *held in fetched(SPANS, asked):
        exact, attributes, events = (orjson.loads(part) if part else None for part in held)
        found[trace_id, span_id, digest] = SpanDetail(
            name, service, kind, status, message, exact or {}, attributes or {}, events or []
        )
    return found


def read_log_details(log_ids: Sequence[bytes], days: Iterable[int]) -> dict[bytes, LogDetail]:
    if not log_ids:
        return {}
    asked = {
        "logs": arrays.array("b", log_ids),
        "days": list(days),
        "most": MAX_TEXT,
        "largest": 10 * MAX_TEXT,
    }
    return {
        log_id: LogDetail(
            service, severity, severity_text, event_name, source, received,
            orjson.loads(exact) if exact else {}, body_text(orjson.loads(body))[:MAX_TEXT] if is_json else body,
        )
        for log_id, service, severity, severity_text, event_name, source, received, exact, body, is_json
        in fetched(LOGS, asked)
    }  # fmt: skip


def body_text(body: Any) -> str:
    """A log's body as text: text as it is, anything else as JSON."""
    told = plain(body)
    if isinstance(told, str):
        return told
    return "" if told is None else json_bytes(told).decode()


def event_text(attributes: dict[str, Any]) -> str | None:
    """What an event says in one line: its exception, its message, or its attributes."""
    kind, message = attributes.get("exception.type"), attributes.get("exception.message")
    if kind or message:
        return ": ".join(str(part) for part in (kind, message) if part)[:MAX_TEXT]
    said = [f"{name}={value}" for name, value in attributes.items() if not str(name).startswith("exception.")]
    return ", ".join(said)[:MAX_TEXT] or None
