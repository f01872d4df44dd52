"""Which stored records a view of flows and requests is made of: what `tracing.membership` says, for whole traces.

A request's are all of its trace. An entity's or workflow's are those that carry its key, what descends from them, their
logs, and the path up. `copying` copies them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg

from tracing.membership import members
from tracing.stored import split

MOST_RECORDS = 300_000  # spans and logs of all traces that are looked through
MOST_AT_ONCE = 50_000

_MEMBERS = "SELECT trace_id, day, span_ids, log_ids FROM member WHERE flow_id = ANY(%s)"
_SIZES = "SELECT trace_id, array_agg(day), sum(spans + logs)::bigint FROM request WHERE trace_id = ANY(%s) GROUP BY trace_id"
# OFFSET 0 keeps both look-ups, whatever the planner knows of today's partition.
_SPANS = """
SELECT s.* FROM unnest(%s::bytea[]) AS w(wanted_id) CROSS JOIN LATERAL (
    SELECT trace_id, span_id, parent_span_id, resource_id, scope_id FROM span
    WHERE trace_id = wanted_id AND day = ANY(%s) OFFSET 0
) AS s
"""
_LOGS = """
SELECT l.* FROM unnest(%s::bytea[]) AS w(wanted_id) CROSS JOIN LATERAL (
    SELECT trace_id, span_id, log_id, resource_id, scope_id FROM log
    WHERE trace_id = wanted_id AND trace_id <> ''::bytea AND day = ANY(%s) OFFSET 0
) AS l
"""
_SPAN = "SELECT day, resource_id, scope_id FROM span WHERE trace_id = %s AND span_id = %s"
_LOG = "SELECT day, resource_id, scope_id FROM log WHERE log_id = %s"
_LOOSE = "SELECT log_id, resource_id, scope_id FROM log WHERE log_id = ANY(%s) AND day = ANY(%s)"

Row = tuple[
    bytes, bytes, bytes, bytes
]  # of a span: its id, its parent; of a log: its span, its id; resource, scope


class TooLarge(Exception):
    """More records than are copied at once; `records` says how many."""

    def __init__(self, records: int) -> None:
        super().__init__(f"{records:,} records are more than the {MOST_RECORDS:,} that are copied at once.")
        self.records = records


@dataclass(slots=True)
class Belonging:
    """The records of a view, by id, with what they refer to."""

    spans: set[tuple[bytes, bytes]] = field(default_factory=set)  # trace id, span id; all versions of it
    logs: set[bytes] = field(default_factory=set)
    loose: set[bytes] = field(default_factory=set)  # those of the logs that have no trace
    traces: set[bytes] = field(default_factory=set)
    days: set[int] = field(default_factory=set)
    resources: set[bytes] = field(default_factory=set)
    scopes: set[bytes] = field(default_factory=set)
    marks_beside: set[bytes] = field(default_factory=set)  # traces and logs of single records

    @property
    def marks(self) -> set[bytes]:
        return self.traces | self.loose | self.marks_beside

    def add_span(self, trace_id: bytes, span_id: bytes, resource_id: bytes, scope_id: bytes) -> None:
        self.spans.add((trace_id, span_id))
        self.resources.add(resource_id)
        self.scopes.add(scope_id)

    def add_log(self, log_id: bytes, resource_id: bytes, scope_id: bytes) -> None:
        self.logs.add(log_id)
        self.resources.add(resource_id)
        self.scopes.add(scope_id)


def read(connection: psycopg.Connection, flows: Sequence[bytes], requests: Sequence[bytes]) -> Belonging:
    """The records of these flows (ids) and requests (trace ids). Raises `TooLarge`."""
    named = _Named(set(requests))
    for trace_id, day, span_ids, log_ids in connection.execute(_MEMBERS, (list(flows),)).fetchall():
        named.add(trace_id, day, split(span_ids, 8), split(log_ids, 16))
    found = Belonging(traces=named.whole | named.spans.keys(), loose=named.loose, days=named.loose_days)
    sizes = _sizes(connection, found.traces)
    for traces, days in _sets(sizes):
        found.days |= days
        _add_traces(connection, found, named, traces, list(days))
    rows = connection.execute(_LOOSE, (list(found.loose), list(found.days))).fetchall()
    for log_id, resource_id, scope_id in rows:
        found.add_log(log_id, resource_id, scope_id)
    return found


def add_single(
    connection: psycopg.Connection,
    found: Belonging,
    spans: Sequence[tuple[bytes, bytes]],
    logs: Sequence[bytes],
) -> None:
    """These records too, and of their traces nothing else."""
    for trace_id, span_id in spans:
        for day, resource_id, scope_id in connection.execute(_SPAN, (trace_id, span_id)).fetchall():
            found.days.add(day)
            found.marks_beside.add(trace_id)
            found.add_span(trace_id, span_id, resource_id, scope_id)
    for log_id in logs:
        for day, resource_id, scope_id in connection.execute(_LOG, (log_id,)).fetchall():
            found.days.add(day)
            found.marks_beside.add(log_id)
            found.add_log(log_id, resource_id, scope_id)


def demand_room(connection: psycopg.Connection, flows: Sequence[bytes], requests: Sequence[bytes]) -> None:
    """Raises `TooLarge` where `read` would, without reading."""
    rows = connection.execute(
        "SELECT DISTINCT trace_id FROM chapter WHERE flow_id = ANY(%s)", (list(flows),)
    ).fetchall()
    _sizes(connection, {row[0] for row in rows} | set(requests))


def _sizes(connection: psycopg.Connection, traces: Iterable[bytes]) -> list[tuple[bytes, list[int], int]]:
    sizes = connection.execute(_SIZES, (list(traces),)).fetchall()
    if (records := sum(size for _, _, size in sizes)) > MOST_RECORDS:
        raise TooLarge(records)
    return sizes


class _Named:
    """The records that carry a flow's key, and the traces that are wanted whole."""

    def __init__(self, whole: set[bytes]) -> None:
        self.whole = whole
        self.spans: dict[bytes, set[bytes]] = {}
        self.logs: set[bytes] = set()
        self.loose: set[bytes] = set()
        self.loose_days: set[int] = set()

    def add(self, trace_id: bytes, day: int, span_ids: Iterable[bytes], log_ids: Iterable[bytes]) -> None:
        if trace_id:
            self.spans.setdefault(trace_id, set()).update(span_ids)
            self.logs.update(log_ids)
        else:
            self.loose.update(log_ids)
            self.loose_days.add(day)


def _sets(sizes: Iterable[tuple[bytes, list[int], int]]) -> Iterable[tuple[list[bytes], set[int]]]:
    traces: list[bytes] = []
    days: set[int] = set()
    size = 0
    for trace_id, its_days, records in sizes:
        if traces and size + records > MOST_AT_ONCE:
            yield traces, days
            traces, days, size = [], set(), 0
        traces.append(trace_id)
        days |= set(its_days)
        size += records
    if traces:
        yield traces, days


def _add_traces(
    connection: psycopg.Connection, found: Belonging, named: _Named, traces: list[bytes], days: list[int]
) -> None:
    logs = _by_trace(connection, _LOGS, traces, days)
    spans = _by_trace(connection, _SPANS, traces, days)
    for trace_id in traces:
        _add_trace(found, named, trace_id, spans.get(trace_id, []), logs.get(trace_id, []))


def _by_trace(
    connection: psycopg.Connection, question: LiteralString, traces: list[bytes], days: list[int]
) -> dict[bytes, list[Row]]:
    rows: dict[bytes, list[Row]] = {}
    for trace_id, *row in connection.execute(question, (traces, days)).fetchall():
        rows.setdefault(trace_id, []).append((row[0], row[1], row[2], row[3]))
    return rows


def _add_trace(found: Belonging, named: _Named, trace_id: bytes, spans: list[Row], logs: list[Row]) -> None:
    if trace_id in named.whole:
        below = kept = {span_id for span_id, *_ in spans} | {span_id for span_id, *_ in logs}
    else:
        saying = {span_id for span_id, log_id, *_ in logs if log_id in named.logs}
        pairs = [(span_id, parent) for span_id, parent, *_ in spans]
        below, context = members(pairs, named.spans.get(trace_id, ()), saying)
        kept = below | context
    for span_id, _, resource_id, scope_id in spans:
        if span_id in kept:
            found.add_span(trace_id, span_id, resource_id, scope_id)
    for span_id, log_id, resource_id, scope_id in logs:
        if span_id in below or log_id in named.logs:
            found.add_log(log_id, resource_id, scope_id)
