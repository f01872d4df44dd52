"""The records of a flow as tables of numbers, packed by the database, without names or attributes.

A record is one value of fixed length and a table one value of a query, so a hundred thousand spans are read in the time
their pages take to scan. Everything is read as of one snapshot, which a cursor carries from page to page: what commits
later does not show until the page is opened anew. `layout.tables` says what the columns mean.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
from django.db import connection
from numpy.typing import NDArray

from timeline.layout.tables import (
    EVENT,
    LOG,
    SPAN,
    Table,
    Told,
    no_rows,
    rows_of,
)
from timeline.queries.bound import fetched
from timeline.queries.bykey import look_up
from timeline.staged import is_staged
from tracing.facts import EXCEPTION

EIGHT_ZEROS, SIXTEEN_ZEROS = "'\\x0000000000000000'", "'\\x00000000000000000000000000000000'"
TYPE_AND_MESSAGE = "hashtext(coalesce({0} ->> 'exception.type', '') || chr(10) || coalesce({0} ->> 'exception.message', '')) | 1"
# One expression a field of the table, in the order of its fields; `place` is the trace's in what was asked.
SPAN_FIELDS: Mapping[str, str] = {
    "start": "int8send(start_ns)",
    "end": "int8send(end_ns)",
    "span_id": "span_id",
    "digest": "substr(digest, 1, 8)",
    "parent_id": f"CASE length(parent_span_id) WHEN 8 THEN parent_span_id ELSE {EIGHT_ZEROS} END",
    "trace": "int4send(place::integer)",
    "status": "int4send(status)",
    "kind": "int4send(kind)",
    "service": "int4send(hashtext(service))",
    "operation": "int8send(hashtextextended(service || chr(1) || name, kind))",
    "dropped": "int8send(dropped_attributes + dropped_events + dropped_links)",
    "redacted": "int4send(redacted)",
    "facts": "int4send(facts)",
}
LOG_FIELDS: Mapping[str, str] = {
    "time": "int8send(time_ns)",
    "tie": "int4send(hashtext(service || event_name || body::text))",
    "high": "substr(log_id, 1, 8)",
    "low": "substr(log_id, 9, 8)",
    "trace": "int4send(place::integer)",
    "span_id": f"CASE length(span_id) WHEN 8 THEN span_id ELSE {EIGHT_ZEROS} END",
    "severity": "int4send(severity)",
    "service": "int4send(hashtext(service))",
    "dropped": "int8send(dropped_attributes)",
    "redacted": "int4send(redacted)",
    "exception": "int4send(CASE WHEN severity >= 17 AND attributes ?| %(exception)s THEN "
    + TYPE_AND_MESSAGE.format("attributes")
    + " ELSE 0 END)",
}
# The events of a span: its ids, then its array of times as PostgreSQL sends one, a header and a length before each.
EVENTS = (
    "string_agg(int4send(place::integer) || span_id || substr(digest, 1, 8) || int4send(cardinality(event_times))"
    " || substr(array_send(event_times), 21), ''::bytea) FILTER (WHERE cardinality(event_times) > 0)"
)
# The exceptions that a span's events tell: which event, and a hash of what it says.
EXCEPTIONS = f"""
    (SELECT jsonb_agg(jsonb_build_array(place - 1, {TYPE_AND_MESSAGE.format("(told -> 'attributes')")}))
    FROM jsonb_array_elements(events) WITH ORDINALITY AS one(told, place) WHERE told ->> 'name' = 'exception')"""
VISIBLE = "pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"
# OFFSET 0 keeps this a look-up by trace for each of them, whatever the planner knows of today's partition.
OF_TRACES = (
    "unnest(%(traces)s::bytea[]) WITH ORDINALITY AS wanted(wanted_id, nth_trace) CROSS JOIN LATERAL"
    " (SELECT nth_trace - 1 AS place, * FROM {table} WHERE trace_id = wanted_id"
    f" AND day = ANY(%(days)s::integer[]) AND {VISIBLE} OFFSET 0) AS {{table}}"
)
# Spans are found by trace and id, so each half of the ids is half of the work, and two sessions do it at once.
HALVES = ("span_id < '\\x80'::bytea", "span_id >= '\\x80'::bytea")
HALVED_FROM = 20_000  # spans of a trace
_second = ThreadPoolExecutor(2, thread_name_prefix="second half")


SPAN_KEYS = ("trace", "span_id", "digest")


def current_snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


def read_spans(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, limit: int = 0, expected: int = 0
) -> tuple[Table, Table]:
    """The spans of these traces, with a limit the earliest, and their events; `trace` is the place in `traces`.

    `expected` is about how many there are; many are read over two sessions, which see the same because of the snapshot.
    """
    source = OF_TRACES.format(table="span")
    if limit:
        source = f"(SELECT * FROM {source} ORDER BY start_ns, span_id LIMIT %(limit)s) AS span"
    asked = _asked(traces, days, snapshot) | {"limit": limit}
    columns = f"{_record(SPAN_FIELDS)}, {EVENTS}"
    # Another session looks at the real tables.
    if limit or expected < HALVED_FROM or is_staged():
        spans, events = _packed(columns, source, asked, 2)
    else:
        spans, events = _in_halves(columns, source, asked)
    table = _table(spans, SPAN)
    return table, _events(events, table)


def _in_halves(columns: str, source: str, asked: dict[str, Any]) -> list[bytes]:
    sources = [source.replace(" OFFSET 0)", f" AND {half} OFFSET 0)") for half in HALVES]
    other = _second.submit(_of_own_session, columns, sources[1], asked)
    try:
        first = _packed(columns, sources[0], asked, 2)
    finally:
        second = other.result()
    return [one + two for one, two in zip(first, second, strict=True)]


def _of_own_session(columns: str, source: str, asked: dict[str, Any]) -> list[bytes]:
    """In a thread with a session of its own, which is kept for the next time unless it broke."""
    try:
        return _packed(columns, source, asked, 2)
    except Exception:
        connection.close()
        raise


def read_logs(traces: Sequence[bytes], days: Sequence[int], snapshot: str) -> Table:
    source = OF_TRACES.format(table="log") + " WHERE trace_id <> ''"
    return _table(_packed(_record(LOG_FIELDS), source, _asked(traces, days, snapshot), 1)[0], LOG)


def read_logs_named(log_ids: Sequence[bytes], days: Sequence[int], snapshot: str) -> Table:
    """Logs by id: those without a trace are found no other way."""
    source = (
        "(SELECT *, -1 AS place FROM log WHERE log_id = ANY(%(ids)s::bytea[])"
        f" AND day = ANY(%(days)s::integer[]) AND {VISIBLE}) AS log"
    )
    asked = _asked((), days, snapshot) | {"ids": list(log_ids)}
    return _table(_packed(_record(LOG_FIELDS), source, asked, 1)[0], LOG)


def read_exceptions(spans: Table, traces: Sequence[bytes]) -> list[Told]:
    """Which events of these spans tell an exception, and which one. Only spans that have one are read."""
    telling = spans[(spans["facts"] & EXCEPTION) != 0]
    return [
        Told(int(telling[nth]["trace"]), int(telling[nth]["span_id"]), int(telling[nth]["digest"]), *told)
        for nth, exceptions in look_up(EXCEPTIONS, telling, traces)
        for told in orjson.loads(exceptions or "[]")
    ]


def mark_failures(events: Table, spans: Table, exceptions: Sequence[Told]) -> None:
    """Say of each event whether it tells an exception."""
    if not exceptions:
        return
    failed = {(told.trace, told.span_id, told.digest, told.ordinal) for told in exceptions}
    telling = np.flatnonzero((spans["facts"][events["span"]] & EXCEPTION) != 0)
    holders = spans[events["span"][telling]]
    keys = zip(
        *(holders[name].tolist() for name in ("trace", "span_id", "digest")),
        events["ordinal"][telling].tolist(),
        strict=True,
    )
    events["failed"][telling] = [key in failed for key in keys]


def read_services(codes: Iterable[int]) -> dict[int, str]:
    """The names behind the hashes of services."""
    wanted = list({int(code) for code in codes})
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT hashtext(service), service FROM resource WHERE hashtext(service) = ANY(%s)",
            [wanted],
        )
        return {row[0]: row[1] for row in sorted(cursor.fetchall(), reverse=True)}


def _asked(traces: Sequence[bytes], days: Collection[int], snapshot: str) -> dict[str, Any]:
    return {
        "traces": list(traces),
        "days": list(days),
        "snapshot": snapshot,
        "exception": ["exception.type", "exception.message"],
    }


def _record(fields: Mapping[str, str]) -> str:
    return f"string_agg({' || '.join(fields.values())}, ''::bytea)"


def _packed(columns: str, source: str, asked: dict[str, Any], count: int) -> list[bytes]:
    rows = fetched(f"SELECT {columns} FROM {source}", asked, binary=True)
    return [data or b"" for data in (rows[0] if rows else [None] * count)]


def _table(data: bytes, kind: np.dtype[Any]) -> Table:
    return np.frombuffer(data, kind.newbyteorder(">")).astype(kind)


def _events(data: bytes, spans: Table) -> Table:
    """One row an event; its span is found by trace, id and digest."""
    if not data:
        return no_rows(EVENT)
    heads, times = _unpacked(data)
    of_span = rows_of(heads, spans, SPAN_KEYS)
    counts = heads["count"].astype(np.int64)
    found = np.zeros(int(counts.sum()), EVENT)
    found["time"] = times
    found["span"] = np.repeat(of_span, counts)
    found["ordinal"] = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    return found


_HEAD = np.dtype([("trace", "i4"), ("span_id", "u8"), ("digest", "u8"), ("count", "i4")])
_TIME_SIZE = 12  # a length of four bytes, then the time


def _unpacked(data: bytes) -> tuple[Table, NDArray[np.int64]]:
    """The heads, and all times one after the other. Lengths differ, so the heads are found one by one."""
    raw = np.frombuffer(data, np.uint8)
    at, begins = 0, []
    size = _HEAD.itemsize
    while at < len(data):
        begins.append(at)
        at += size + _TIME_SIZE * int.from_bytes(data[at + size - 4 : at + size], "big")
    starts = np.array(begins)
    packed = raw[starts[:, None] + np.arange(size)].reshape(-1)
    heads = np.frombuffer(packed.tobytes(), _HEAD.newbyteorder(">")).astype(_HEAD)
    is_time = np.ones(len(raw), np.bool_)
    is_time[(starts[:, None] + np.arange(size)).reshape(-1)] = False
    times = raw[is_time].reshape(-1, _TIME_SIZE)[:, 4:].copy().view(">i8").reshape(-1)
    return heads, times.astype(np.int64)
