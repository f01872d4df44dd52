"""One record with everything it carries: a span with its versions and its links both ways, or a log.

What a column could not hold stands in `exact` as `tracing.otlp.finishing` kept it: times as decimals, ids as hex, texts
as base64 of their bytes. `timeline.views.record` shows all of it.
"""

from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from tracing.values import plain

SPAN = """
    SELECT span.trace_id, span.span_id, parent_span_id, start_ns, end_ns, kind, status, flags, dropped_attributes,
           dropped_events, dropped_links, redacted, received_ns, span.name, span.service, status_message, trace_state,
           span.attributes, events, links, exact, resource.attributes, resource.dropped, resource.schema_url,
           scope.name, scope.version, scope.attributes, scope.schema_url, scope.dropped, resource.environment,
           count(*) OVER ()
    FROM span LEFT JOIN resource USING (resource_id) LEFT JOIN scope USING (scope_id)
    WHERE trace_id = %s AND span_id = %s
    ORDER BY end_ns DESC, start_ns DESC, digest DESC LIMIT 1000"""
LOG = """
    SELECT log.trace_id, log.span_id, time_ns, time_source, observed_ns, severity, severity_text, event_name, body,
           log.attributes, flags, dropped_attributes, redacted, received_ns, log.service, exact, resource.attributes,
           resource.dropped, resource.schema_url, scope.name, scope.version, scope.attributes, scope.schema_url,
           scope.dropped, resource.environment
    FROM log LEFT JOIN resource USING (resource_id) LEFT JOIN scope USING (scope_id) WHERE log_id = %s LIMIT 1"""
LINKED_FROM = """
    SELECT DISTINCT trace_id, span_id FROM link WHERE target_trace_id = %s AND target_span_id = %s
    ORDER BY trace_id, span_id LIMIT 100"""
NAMES = """
    SELECT told.* FROM unnest(%s::bytea[], %s::bytea[]) AS row (trace_id, span_id) CROSS JOIN LATERAL (
        SELECT span.trace_id, span.span_id, name, service FROM span
        WHERE span.trace_id = row.trace_id AND span.span_id = row.span_id
        ORDER BY end_ns DESC LIMIT 1
    ) AS told"""
KINDS = {0: "unspecified", 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUS = {0: "unset", 1: "ok", 2: "error"}


@dataclass(slots=True)
class SpanRecord:
    """One version of a span, values as the contract shows them."""

    trace_id: str
    span_id: str
    parent_span_id: str | None
    start: int
    end: int
    kind: str
    status: str
    flags: int
    dropped: dict[str, int]
    redacted: int
    received_ns: int
    name: str
    service: str
    status_message: str
    trace_state: str
    attributes: dict[str, Any]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    resource: dict[str, Any]
    resource_dropped: int
    resource_schema_url: str
    scope: dict[str, Any]
    exact: dict[str, str]
    environment: str | None
    stored: int  # how many records came under these ids; the latest thousand are read

    def as_json(self) -> dict[str, Any]:
        return {
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "name": self.name,
            "service": self.service,
            "kind": self.kind,
            "start": str(self.start),
            "end": str(self.end),
            "status": self.status,
            "status_message": self.status_message,
            "flags": self.flags,
            "trace_state": self.trace_state,
            "attributes": self.attributes,
            "resource": self.resource,
            "scope": self.scope,
            "events": self.events,
            "links": self.links,
            "dropped": self.dropped,
            "redacted": self.redacted,
            "resource_dropped": self.resource_dropped,
            "resource_schema_url": self.resource_schema_url,
            "exact": self.exact,
        }


@dataclass(slots=True)
class LogRecord:
    log_id: str
    trace_id: str | None
    span_id: str | None
    time: int
    time_source: str
    observed: int
    severity: int
    severity_text: str
    event_name: str
    body: Any
    attributes: dict[str, Any]
    flags: int
    dropped: dict[str, int]
    redacted: int
    received_ns: int
    service: str
    resource: dict[str, Any]
    resource_dropped: int
    resource_schema_url: str
    scope: dict[str, Any]
    exact: dict[str, str]
    environment: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "log_id": self.log_id,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "time": str(self.time),
            "time_source": self.time_source,
            "observed": str(self.observed),
            "severity": self.severity,
            "severity_text": self.severity_text,
            "event_name": self.event_name,
            "service": self.service,
            "body": self.body,
            "attributes": self.attributes,
            "resource": self.resource,
            "scope": self.scope,
            "flags": self.flags,
            "dropped": self.dropped,
            "redacted": self.redacted,
            "resource_dropped": self.resource_dropped,
            "resource_schema_url": self.resource_schema_url,
            "exact": self.exact,
        }


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A span at the other end of a link; without a name where it has not come."""

    trace_id: str
    span_id: str
    name: str | None
    service: str


def read_versions(trace_id: bytes, span_id: bytes) -> list[SpanRecord]:
    """The records under these ids, the one with the latest end first."""
    with connection.cursor() as cursor:
        cursor.execute(SPAN, [trace_id, span_id])
        return [_span(row) for row in cursor.fetchall()]


def read_log(log_id: bytes) -> LogRecord | None:
    with connection.cursor() as cursor:
        cursor.execute(LOG, [log_id])
        row = cursor.fetchone()
    return _log(log_id, row) if row else None


def read_linking(record: SpanRecord) -> tuple[list[Neighbour], list[Neighbour]]:
    """The spans this one links to, and those that link to it, with their names."""
    own = (bytes.fromhex(record.trace_id), bytes.fromhex(record.span_id))
    outward = [
        (bytes.fromhex(link["trace_id"]), bytes.fromhex(link["span_id"])) for link in record.links[:100]
    ]
    with connection.cursor() as cursor:
        cursor.execute(LINKED_FROM, own)
        inward = [(bytes(trace), bytes(span)) for trace, span in cursor.fetchall()]
        wanted = [*outward, *inward]
        names: dict[tuple[bytes, bytes], tuple[str, str]] = {}
        if wanted:
            cursor.execute(NAMES, [[trace for trace, _ in wanted], [span for _, span in wanted]])
            names = {(bytes(row[0]), bytes(row[1])): (row[2], row[3]) for row in cursor.fetchall()}

    def told(pair: tuple[bytes, bytes]) -> Neighbour:
        name, service = names.get(pair, (None, ""))
        return Neighbour(pair[0].hex(), pair[1].hex(), name, service)

    return [told(pair) for pair in outward], [told(pair) for pair in inward]


def _span(row: tuple[Any, ...]) -> SpanRecord:
    exact = _json(row[20], {})
    return SpanRecord(
        trace_id=bytes(row[0]).hex(),
        span_id=bytes(row[1]).hex(),
        parent_span_id=bytes(row[2]).hex() or None,
        start=int(exact.get("start", row[3])),
        end=int(exact.get("end", row[4])),
        kind=KINDS.get(row[5], str(row[5])),
        status=STATUS.get(row[6], str(row[6])),
        flags=row[7],
        dropped={"attributes": row[8], "events": row[9], "links": row[10]},
        redacted=row[11],
        received_ns=row[12],
        name=row[13],
        service=row[14],
        status_message=row[15],
        trace_state=row[16],
        attributes=plain(_json(row[17], {})),
        events=[_event(one) for one in _json(row[18], [])],
        links=[one | {"attributes": plain(one.get("attributes") or {})} for one in _json(row[19], [])],
        resource=plain(_json(row[21], {})),
        resource_dropped=row[22] or 0,
        resource_schema_url=row[23] or "",
        scope=_scope(*row[24:29]),
        exact=exact,
        environment=row[29],
        stored=row[30],
    )


def _event(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"name": plain(one.get("name")), "attributes": plain(one.get("attributes") or {})}


def _log(log_id: bytes, row: tuple[Any, ...]) -> LogRecord:
    exact = _json(row[15], {})
    return LogRecord(
        log_id=log_id.hex(),
        trace_id=bytes(row[0]).hex() or None,
        span_id=bytes(row[1]).hex() or None,
        time=int(exact.get("time", row[2])),
        time_source=("sender", "observed", "none")[row[3]],
        observed=int(exact.get("observed", row[4])),
        severity=row[5],
        severity_text=row[6],
        event_name=row[7],
        body=plain(_json(row[8], None)),
        attributes=plain(_json(row[9], {})),
        flags=row[10],
        dropped={"attributes": row[11]},
        redacted=row[12],
        received_ns=row[13],
        service=row[14],
        resource=plain(_json(row[16], {})),
        resource_dropped=row[17] or 0,
        resource_schema_url=row[18] or "",
        scope=_scope(*row[19:24]),
        exact=exact,
        environment=row[24],
    )


def _scope(
    name: str | None, version: str | None, attributes: str | None, schema_url: str | None, dropped: int | None
) -> dict[str, Any]:
    return {
        "name": name or "",
        "version": version or "",
        "attributes": plain(_json(attributes, {})),
        "schema_url": schema_url or "",
        "dropped": dropped or 0,
    }


def _json(text: str | None, otherwise: Any) -> Any:
    return orjson.loads(text) if text is not None else otherwise
