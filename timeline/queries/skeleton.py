"""Bones of many records at once, as fixed-width binary rows, without names or attributes.

A hundred thousand spans come in a fraction of a second this way. Everything is read as of one snapshot, which a cursor
carries from page to page: what commits later does not show until the page is opened anew.
"""

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any

from django.db import connection

from timeline.layout.bones import EventBone, LogBone, SpanBone

# Columns, and how a row of binary COPY spells them: each after four bytes of length, each row after two of their count.
SPAN_COLUMNS = """
    trace_id, span_id, CASE length(parent_span_id) WHEN 8 THEN parent_span_id ELSE '\\x0000000000000000' END,
    start_ns, end_ns, status, hashtext(name), substr(digest, 1, 8),
    dropped_attributes + dropped_events + dropped_links, redacted, service = ANY(%(services)s)"""
SPAN_ROW = Struct(">6x16s4x8s4x8s4xq4xq4xi4xi4x8s4xq4xi4x?")
EVENT_COLUMNS = """
    trace_id, span_id, substr(digest, 1, 8), place::integer - 1, time, {failed}"""
EVENT_ROW = Struct(">6x16s4x8s4x8s4xi4xq4x?")
EXCEPTION = "coalesce(events -> (place::integer - 1) ->> 'name' = 'exception', false)"
LOG_COLUMNS = """
    CASE length(trace_id) WHEN 16 THEN trace_id ELSE '\\x00000000000000000000000000000000' END,
    CASE length(span_id) WHEN 8 THEN span_id ELSE '\\x0000000000000000' END,
    log_id, time_ns, severity, hashtext(service || event_name || body::text), dropped_attributes, redacted,
    service = ANY(%(services)s)"""
LOG_ROW = Struct(">6x16s4x8s4x16s4xq4xi4xi4xq4xi4x?")
HEADER, TRAILER = 19, 2  # bytes of binary COPY around its rows
VISIBLE = "pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"


def current_snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def read_spans(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = (), limit: int = 0
) -> list[SpanBone]:
    """The spans of these traces; with a limit, the earliest."""
    cut = "ORDER BY start_ns, span_id LIMIT %(limit)s" if limit else ""
    query = f"SELECT {SPAN_COLUMNS} FROM span WHERE {_of_traces()} {cut}"
    rows = _rows(query, SPAN_ROW, _asked(traces, days, snapshot, services, limit))
    return list(map(SpanBone._make, rows))


def read_events(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, failures: bool = False
) -> list[EventBone]:
    """The events of these traces' spans; which are exceptions is looked up only when asked."""
    columns = EVENT_COLUMNS.format(failed=EXCEPTION if failures else "false")
    query = (
        f"SELECT {columns} FROM span, unnest(event_times) WITH ORDINALITY AS told(time, place)"
        f" WHERE event_times IS NOT NULL AND {_of_traces()}"
    )
    return list(map(EventBone._make, _rows(query, EVENT_ROW, _asked(traces, days, snapshot))))


def read_logs(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = ()
) -> list[LogBone]:
    query = f"SELECT {LOG_COLUMNS} FROM log WHERE trace_id <> '' AND {_of_traces()}"
    return list(map(LogBone._make, _rows(query, LOG_ROW, _asked(traces, days, snapshot, services))))


def read_logs_named(
    log_ids: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = ()
) -> list[LogBone]:
    """Logs by id: those without a trace are found no other way."""
    query = f"SELECT {LOG_COLUMNS} FROM log WHERE log_id = ANY(%(ids)s) AND day = ANY(%(days)s) AND {VISIBLE}"
    asked = _asked((), days, snapshot, services) | {"ids": list(log_ids)}
    return list(map(LogBone._make, _rows(query, LOG_ROW, asked)))


def _of_traces() -> str:
    return f"trace_id = ANY(%(traces)s) AND day = ANY(%(days)s) AND {VISIBLE}"


def _asked(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = (), limit: int = 0
) -> dict[str, Any]:
    return {
        "traces": list(traces),
        "days": list(days),
        "snapshot": snapshot,
        "services": list(services),
        "limit": limit,
    }


def _rows(query: str, row: Struct, asked: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    statement = f"COPY ({query}) TO STDOUT (FORMAT binary)"
    with (
        connection.cursor() as cursor,
        connection.wrap_database_errors,
        cursor.copy(statement, asked) as copy,
    ):
        data = b"".join(copy)
    return row.iter_unpack(memoryview(data)[HEADER:-TRAILER])
