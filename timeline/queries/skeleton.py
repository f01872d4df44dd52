"""Bones of many records at once, as packed columns, without names or attributes.

A hundred thousand spans come in a fraction of a second this way. Everything is read as of one snapshot, which a cursor
carries from page to page: what commits later does not show until the page is opened anew.
"""

from collections.abc import Iterable, Sequence
from struct import calcsize, unpack
from typing import Any

from django.db import connection
from psycopg import Cursor

from timeline.layout.bones import EventBone, LogBone, SpanBone

PARENT = "CASE length(parent_span_id) WHEN 8 THEN parent_span_id ELSE '\\x0000000000000000' END"
# One expression a field of the bone, and how its bytes unpack: ids by their length, numbers as struct spells them.
SPAN_COLUMNS = (
    ("int8send(start_ns)", "q"),
    ("span_id", 8),
    ("int4send(hashtext(name))", "i"),
    ("substr(digest, 1, 8)", 8),
    ("trace_id", 16),
    (PARENT, 8),
    ("int8send(end_ns)", "q"),
    ("int4send(status)", "i"),
    ("int8send(dropped_attributes + dropped_events + dropped_links)", "q"),
    ("int4send(redacted)", "i"),
    ("boolsend(service = ANY(%(services)s::text[]))", "?"),
)
EVENT_COLUMNS: tuple[tuple[str, int | str], ...] = (
    ("int8send(time)", "q"),
    ("span_id", 8),
    ("int4send(place::integer - 1)", "i"),
    ("substr(digest, 1, 8)", 8),
    ("trace_id", 16),
)
LOG_COLUMNS = (
    ("int8send(time_ns)", "q"),
    ("int4send(hashtext(service || event_name || body::text))", "i"),
    ("log_id", 16),
    ("CASE length(trace_id) WHEN 16 THEN trace_id ELSE '\\x00000000000000000000000000000000' END", 16),
    ("CASE length(span_id) WHEN 8 THEN span_id ELSE '\\x0000000000000000' END", 8),
    ("int4send(severity)", "i"),
    ("int8send(dropped_attributes)", "q"),
    ("int4send(redacted)", "i"),
    ("boolsend(service = ANY(%(services)s::text[]))", "?"),
)
EXCEPTION = "coalesce(events -> (place::integer - 1) ->> 'name' = 'exception', false)"
VISIBLE = "pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"


def current_snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def read_spans(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = (), limit: int = 0
) -> list[SpanBone]:
    """The spans of these traces; with a limit, the earliest."""
    source = f"span WHERE {_of_traces()}"
    if limit:
        source = f"(SELECT * FROM {source} ORDER BY start_ns, span_id LIMIT %(limit)s) AS span"
    columns = _columns(SPAN_COLUMNS, source, _asked(traces, days, snapshot, services, limit))
    return list(map(SpanBone._make, columns))


def read_events(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, failures: bool = False
) -> list[EventBone]:
    """The events of these traces' spans; which are exceptions is looked up only when asked."""
    failed = EXCEPTION if failures else "false"
    columns = (*EVENT_COLUMNS, (f"boolsend({failed})", "?"))
    source = (
        "span, unnest(event_times) WITH ORDINALITY AS told(time, place)"
        f" WHERE event_times IS NOT NULL AND {_of_traces()}"
    )
    return list(map(EventBone._make, _columns(columns, source, _asked(traces, days, snapshot))))


def read_logs(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = ()
) -> list[LogBone]:
    source = f"log WHERE trace_id <> '' AND {_of_traces()}"
    return list(map(LogBone._make, _columns(LOG_COLUMNS, source, _asked(traces, days, snapshot, services))))


def read_logs_named(
    log_ids: Sequence[bytes], days: Sequence[int], snapshot: str, services: Iterable[str] = ()
) -> list[LogBone]:
    """Logs by id: those without a trace are found no other way."""
    source = f"log WHERE log_id = ANY(%(ids)s::bytea[]) AND day = ANY(%(days)s::integer[]) AND {VISIBLE}"
    asked = _asked((), days, snapshot, services) | {"ids": list(log_ids)}
    return list(map(LogBone._make, _columns(LOG_COLUMNS, source, asked)))


def _of_traces() -> str:
    return f"trace_id = ANY(%(traces)s::bytea[]) AND day = ANY(%(days)s::integer[]) AND {VISIBLE}"


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


def _columns(
    columns: Sequence[tuple[str, int | str]], source: str, asked: dict[str, Any]
) -> Iterable[tuple[Any, ...]]:
    """Rows of these columns. Each column comes as one value: a hundred thousand rows as rows take twice as long."""
    packed = ", ".join(f"string_agg({told}, ''::bytea)" for told, _ in columns)
    # A cursor of psycopg's own: Django's asks for text, which doubles the bytes of every id.
    with (
        connection.cursor() as wrapped,
        connection.wrap_database_errors,
        Cursor(wrapped.connection) as cursor,
    ):
        cursor.execute(f"SELECT {packed} FROM {source}", asked, prepare=False, binary=True)
        found = cursor.fetchone() or ()
    return zip(
        *(_unpacked(data or b"", size) for data, (_, size) in zip(found, columns, strict=True)), strict=True
    )


def _unpacked(data: bytes, size: int | str) -> Iterable[Any]:
    if isinstance(size, str):
        return unpack(f">{len(data) // calcsize('>' + size)}{size}", data)
    return [data[at : at + size] for at in range(0, len(data), size)]
