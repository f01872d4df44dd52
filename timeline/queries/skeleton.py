"""Bones of many records at once, as packed columns, without names or attributes.

A hundred thousand spans come in a fraction of a second this way. Everything is read as of one snapshot, which a cursor
carries from page to page: what commits later does not show until the page is opened anew.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from struct import Struct, calcsize, unpack, unpack_from
from types import MappingProxyType
from typing import Any, TypeVar

from django.db import connection
from psycopg import Cursor

from timeline.layout.bones import NO_SPAN, EventBone, LogBone, Loss, SpanBone, Told

Bone = TypeVar("Bone", SpanBone, EventBone, LogBone)
PARENT = "CASE length(parent_span_id) WHEN 8 THEN parent_span_id ELSE '\\x0000000000000000' END"
TYPE_AND_MESSAGE = "hashtext(coalesce({0} ->> 'exception.type', '') || chr(10) || coalesce({0} ->> 'exception.message', '')) | 1"
MARKED = "boolsend(service = ANY(%(services)s::text[]))"
# One expression a field of the bone, and how its bytes unpack: ids by their length, numbers as struct spells them.
SPAN_COLUMNS = (
    ("int8send(start_ns)", "q"),
    ("span_id", 8),
    ("substr(digest, 1, 8)", 8),
    ("trace_id", 16),
    (PARENT, 8),
    ("int8send(end_ns)", "q"),
    ("int4send(status)", "i"),
    (MARKED, "?"),
)
# What few spans have, read in the same pass: `FILTER` keeps it short.
DROPPED = "dropped_attributes + dropped_events + dropped_links"
LOSSES = (
    f"string_agg(trace_id || span_id || int8send({DROPPED}) || int4send(redacted), ''::bytea)"
    f" FILTER (WHERE {DROPPED} + redacted > 0)"
)
LOSS = Struct(">16s8sqi")
EVENTS = (
    "string_agg(trace_id || span_id || substr(digest, 1, 8) || array_send(event_times), ''::bytea)"
    " FILTER (WHERE event_times IS NOT NULL)"
)
EVENT_HEAD = Struct(
    ">16s8s8si8x"
)  # ids, then an array's dimensions, flags and type; with a dimension its size and bound
EVENT_TIME = Struct(">4xq")
EVENT_COLUMNS = (
    ("int8send(time)", "q"),
    ("span_id", 8),
    ("int4send(place::integer - 1)", "i"),
    ("substr(digest, 1, 8)", 8),
    ("trace_id", 16),
    ("boolsend(coalesce(events -> (place::integer - 1) ->> 'name' = 'exception', false))", "?"),
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
    (MARKED, "?"),
    (
        "int4send(CASE WHEN severity >= 17 AND attributes ?| %(exception)s::text[] THEN "
        + TYPE_AND_MESSAGE.format("attributes")
        + " ELSE 0 END)",
        "i",
    ),
)
VISIBLE = "pg_visible_in_snapshot(xid, %(snapshot)s::pg_snapshot)"


def current_snapshot() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_snapshot()::text")
        return str(cursor.fetchone()[0])


@dataclass(slots=True)
class Skeletons:
    """The spans of some traces, what they lack, and their events."""

    spans: list[SpanBone]
    losses: list[Loss]
    events: list[EventBone]


def read_spans(
    traces: Sequence[bytes],
    days: Sequence[int],
    snapshot: str,
    services: Collection[str] = (),
    limit: int = 0,
) -> Skeletons:
    """The spans of these traces; with a limit, the earliest."""
    source = f"span WHERE {_of_traces()}"
    if limit:
        source = f"(SELECT * FROM {source} ORDER BY start_ns, span_id LIMIT %(limit)s) AS span"
    known: dict[str, Any] = {"trace_id": traces[0]} if len(traces) == 1 else {}
    known |= {} if services else {MARKED: False}
    asked = _asked(traces, days, snapshot, services, limit)
    rows, (losses, events) = _columns(SPAN_COLUMNS, source, asked, known, (LOSSES, EVENTS))
    return Skeletons(
        _bones(SpanBone, rows),
        list(map(Loss._make, LOSS.iter_unpack(losses))),
        list(_unpacked_events(events)),
    )


def _unpacked_events(data: bytes) -> Iterator[EventBone]:
    at = 0
    while at < len(data):
        trace_id, span_id, digest, dimensions = EVENT_HEAD.unpack_from(data, at)
        at += EVENT_HEAD.size
        if not dimensions:
            continue
        (count,) = unpack_from(">i", data, at)
        at += 8
        end = at + count * EVENT_TIME.size
        for place, (time,) in enumerate(EVENT_TIME.iter_unpack(data[at:end])):
            yield EventBone(time, span_id, place, digest, trace_id, False)
        at = end


def read_failures(traces: Sequence[bytes], days: Sequence[int], snapshot: str) -> list[EventBone]:
    """The events of these traces' spans again, knowing which are exceptions: for the filter on errors."""
    source = (
        "span, unnest(event_times) WITH ORDINALITY AS told(time, place)"
        f" WHERE event_times IS NOT NULL AND {_of_traces()}"
    )
    rows, _ = _columns(EVENT_COLUMNS, source, _asked(traces, days, snapshot))
    return _bones(EventBone, rows)


def read_exceptions(logs: Iterable[LogBone], days: Sequence[int], snapshot: str) -> list[Told]:
    """What the spans of those logs that tell an exception say about it themselves."""
    wanted = {(bone.trace_id, bone.span_id) for bone in logs if bone.exception and bone.span_id != NO_SPAN}
    if not wanted:
        return []
    said = TYPE_AND_MESSAGE.format("(told -> 'attributes')")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT trace_id, span_id, substr(digest, 1, 8), place - 1, {said}"
            " FROM span, jsonb_array_elements(events) WITH ORDINALITY AS one(told, place)"
            f" WHERE {_of_traces()} AND span_id = ANY(%(spans)s::bytea[])"
            " AND events IS NOT NULL AND told ->> 'name' = 'exception'",
            _asked([trace for trace, _ in wanted], days, snapshot) | {"spans": [span for _, span in wanted]},
        )
        return [
            Told(bytes(row[0]), bytes(row[1]), bytes(row[2]), row[3], row[4]) for row in cursor.fetchall()
        ]


def read_logs(
    traces: Sequence[bytes], days: Sequence[int], snapshot: str, services: Collection[str] = ()
) -> list[LogBone]:
    source = f"log WHERE trace_id <> '' AND {_of_traces()}"
    return _bones(LogBone, _columns(LOG_COLUMNS, source, _asked(traces, days, snapshot, services))[0])


def read_logs_named(
    log_ids: Sequence[bytes], days: Sequence[int], snapshot: str, services: Collection[str] = ()
) -> list[LogBone]:
    """Logs by id: those without a trace are found no other way."""
    source = f"log WHERE log_id = ANY(%(ids)s::bytea[]) AND day = ANY(%(days)s::integer[]) AND {VISIBLE}"
    asked = _asked((), days, snapshot, services) | {"ids": list(log_ids)}
    return _bones(LogBone, _columns(LOG_COLUMNS, source, asked)[0])


def _bones(kind: type[Bone], rows: Iterable[tuple[Any, ...]]) -> list[Bone]:
    """What `kind._make` does to each row, at a third of its time."""
    return list(map(partial(tuple.__new__, kind), rows))


def _of_traces() -> str:
    return f"trace_id = ANY(%(traces)s::bytea[]) AND day = ANY(%(days)s::integer[]) AND {VISIBLE}"


def _asked(
    traces: Sequence[bytes],
    days: Sequence[int],
    snapshot: str,
    services: Collection[str] = (),
    limit: int = 0,
) -> dict[str, Any]:
    return {
        "traces": list(traces),
        "days": list(days),
        "snapshot": snapshot,
        "services": list(services),
        "limit": limit,
        "exception": ["exception.type", "exception.message"],
    }


def _columns(
    columns: Sequence[tuple[str, int | str]],
    source: str,
    asked: dict[str, Any],
    known: Mapping[str, Any] = MappingProxyType({}),
    sparse: Sequence[str] = (),
) -> tuple[Iterable[tuple[Any, ...]], list[bytes]]:
    """Rows of these columns. Each comes as one value: a hundred thousand rows as rows take twice as long.

    `known` are columns that hold the same value in every row and need not be read; `sparse` are further values
    of the same pass, given back as they are.
    """
    wanted = [(told, size) for told, size in columns if told not in known]
    packed = ", ".join([*(f"string_agg({told}, ''::bytea)" for told, _ in wanted), *sparse])
    # A cursor of psycopg's own: Django's asks for text, which doubles the bytes of every id.
    with (
        connection.cursor() as wrapped,
        connection.wrap_database_errors,
        Cursor(wrapped.connection) as cursor,
    ):
        cursor.execute(f"SELECT {packed} FROM {source}", asked, prepare=False, binary=True)
        found = [data or b"" for data in cursor.fetchone() or ()]
    read = iter([_unpacked(data, size) for data, (_, size) in zip(found, wanted, strict=False)])
    rows = zip(*(repeat(known[told]) if told in known else next(read) for told, _ in columns), strict=False)
    return rows, found[len(wanted) :]


def _unpacked(data: bytes, size: int | str) -> Iterable[Any]:
    if isinstance(size, str):
        return unpack(f">{len(data) // calcsize('>' + size)}{size}", data)
    return [data[at : at + size] for at in range(0, len(data), size)]
