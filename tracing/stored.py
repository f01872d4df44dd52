"""Stored records as the values they came as, for a rule that is applied, previewed or undone.

Only what `correlation` and `flows` read is filled in: a stored record has no scope and no JSON text here.
"""

from collections.abc import Iterable, Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tracing.flows import MARK
from tracing.records import MAX_NS, Event, Log, Resource, Scope, Span

NO_SCOPE = Scope(b"", "", "", b"{}", 0, "")

SPAN_COLUMNS: LiteralString = (
    "trace_id, span_id, parent_span_id, start_ns, end_ns, name, kind, status, resource_id, attributes, events, digest,"
    " received_ns"
)
LOG_COLUMNS: LiteralString = (
    "log_id, trace_id, span_id, time_ns, time_source, severity, event_name, resource_id, body, attributes, digest,"
    " received_ns"
)


class Resources:
    """Resources by id, read once, from another table (schema, name) where one is told."""

    def __init__(self, connection: psycopg.Connection, *table: str) -> None:
        self._connection = connection
        self._table = sql.Identifier(*(table or ("resource",)))
        self._known: dict[bytes, Resource] = {}

    def load(self, ids: Iterable[bytes]) -> None:
        missing = list(set(ids) - self._known.keys())
        if not missing:
            return
        question = sql.SQL(
            "SELECT resource_id, attributes, dropped, schema_url, service, environment FROM {}"
            " WHERE resource_id = ANY(%s)"
        ).format(self._table)
        for row in self._connection.execute(question, (missing,)).fetchall():
            self._known[row[0]] = Resource(row[0], row[1], b"", *row[2:])

    def __getitem__(self, resource_id: bytes) -> Resource:
        return self._known[resource_id]


def spans(rows: list[tuple[Any, ...]], resources: Resources) -> Iterator[tuple[Span, int]]:
    """Rows of SPAN_COLUMNS as spans, each with the time it was received."""
    resources.load(row[8] for row in rows)
    for row in rows:
        (
            trace_id,
            span_id,
            parent,
            start,
            end,
            name,
            kind,
            status,
            resource,
            attributes,
            events,
            digest,
            received,
        ) = row
        # fmt: off
        yield Span(
            trace_id, span_id, parent, start, end, name, kind, status, "", "", 0, resources[resource], NO_SCOPE,
            _map(attributes), b"", [_event(event) for event in events or ()], None, [], None, 0, 0, 0, digest,
        ), received
        # fmt: on


def logs(rows: list[tuple[Any, ...]], resources: Resources) -> Iterator[tuple[Log, int]]:
    """Rows of LOG_COLUMNS as logs, each with the time it was received."""
    resources.load(row[7] for row in rows)
    for row in rows:
        (
            log_id,
            trace_id,
            span_id,
            time,
            source,
            severity,
            event,
            resource,
            body,
            attributes,
            digest,
            received,
        ) = row
        # fmt: off
        yield Log(
            log_id, trace_id, span_id, time, source, 0, severity, "", event, body, b"", _map(attributes), b"", 0, 0,
            resources[resource], NO_SCOPE, digest,
        ), received
        # fmt: on


def member_id(record: Span | Log) -> bytes:
    """What names a record among a flow's members: a log's id; a span's id and mark, because versions share the id."""
    return record.span_id + record.digest[:MARK] if isinstance(record, Span) else record.log_id


def member_ids(span_ids: bytes, span_marks: bytes, log_ids: bytes) -> list[bytes]:
    """The `member_id`s of one row of `member`."""
    spans = zip(split(span_ids, 8), split(span_marks, MARK), strict=True)
    return [span_id + mark for span_id, mark in spans] + split(log_ids, 16)


def split(ids: bytes, size: int) -> list[bytes]:
    """Ids stored one after the other."""
    return [ids[at : at + size] for at in range(0, len(ids), size)]


def _event(event: dict[str, Any]) -> Event:
    # Stored as sent, and cut as on arrival to what a bigint holds.
    time_ns = min(int(event["time"]), MAX_NS)
    return Event(time_ns, event["name"], _map(event.get("attributes") or {}))


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
