"""Which chapters a flow has, which of their records carry its key, and what its systems said.

Read from append-only rows as of a snapshot, so that paging through a living flow neither skips nor repeats.
Chapter rows are hot and carry the sums; a chapter whose records retention took is known from its row alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from timeline.layout.moves import Assertion
from timeline.queries.skeleton import VISIBLE

CHAPTER_KEY = tuple[bytes, int, str]  # trace id, 0, "" — or for logs without a trace: b"", day, service


@dataclass(slots=True)
class Sums:
    """Counts of the records that carry the key. Times are None where none is plausible."""

    spans: int = 0
    events: int = 0
    logs: int = 0
    errors: int = 0
    resent: int = 0
    late: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    settled: bool = False  # a row of it is older than the snapshot


@dataclass(slots=True)
class Mentions:
    """The records of one chapter that carry the key. `days` says where to look for them."""

    span_ids: set[bytes] = field(default_factory=set)
    versions: set[bytes] = field(
        default_factory=set
    )  # span ids, each with the first four bytes of its digest
    log_ids: set[bytes] = field(default_factory=set)
    days: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Trace:
    """What is known of a trace as a whole: its size, and its root where that arrived."""

    spans: int = 0
    logs: int = 0
    events: int = 0
    days: set[int] = field(default_factory=set)
    root_name: str | None = None
    root_service: str | None = None
    root_order: bytes | None = None
    first_ns: int | None = None


def read_mentions(flow_id: bytes, snapshot: str) -> dict[CHAPTER_KEY, Mentions]:
    rows = _fetch(
        f"SELECT trace_id, service, day, span_ids, span_marks, log_ids FROM member"
        f" WHERE flow_id = %(flow)s AND {VISIBLE}",
        {"flow": flow_id, "snapshot": snapshot},
    )
    found: dict[CHAPTER_KEY, Mentions] = {}
    for trace_id, service, day, span_ids, marks, log_ids in rows:
        told = found.setdefault(_key(trace_id, service, day), Mentions())
        told.days.add(day)
        told.span_ids.update(_cut(span_ids, 8))
        told.versions.update(map(bytes.__add__, _cut(span_ids, 8), _cut(marks, 4)))
        told.log_ids.update(_cut(log_ids, 16))
    return found


def read_sums(flow_id: bytes, snapshot: str) -> dict[CHAPTER_KEY, Sums]:
    rows = _fetch(
        f"SELECT trace_id, service, day, spans, events, logs, errors, resent, late, first_ns, last_ns, {VISIBLE}"
        " FROM chapter WHERE flow_id = %(flow)s",
        {"flow": flow_id, "snapshot": snapshot},
    )
    found: dict[CHAPTER_KEY, Sums] = {}
    for trace_id, service, day, *counts, first_ns, last_ns, settled in rows:
        told = found.setdefault(_key(trace_id, service, day), Sums())
        for name, count in zip(("spans", "events", "logs", "errors", "resent", "late"), counts, strict=True):
            setattr(told, name, getattr(told, name) + count)
        told.first_ns = _least(told.first_ns, first_ns)
        told.last_ns = _most(told.last_ns, last_ns)
        told.settled |= settled
    return found


def read_traces(traces: Sequence[bytes]) -> dict[bytes, Trace]:
    """What the request rows say of these traces."""
    rows = _fetch(
        "SELECT trace_id, day, spans, logs, events, root, root_name, root_service, first_ns"
        " FROM request WHERE trace_id = ANY(%(traces)s)",
        {"traces": list(traces)},
    )
    found: dict[bytes, Trace] = {}
    for trace_id, day, spans, logs, events, root, root_name, root_service, first_ns in rows:
        told = found.setdefault(bytes(trace_id), Trace())
        told.spans += spans
        told.logs += logs
        told.events += events
        told.days.add(day)
        told.first_ns = _least(told.first_ns, first_ns)
        if root is not None and (told.root_order is None or bytes(root) < told.root_order):
            told.root_order = bytes(root)
            told.root_name, told.root_service = root_name, root_service
    return found


def read_assertions(flow_id: bytes, snapshot: str) -> list[Assertion]:
    rows = _fetch(
        "SELECT valid_ns, digest, state, system, trace_id, record_id, day FROM assertion"
        f" WHERE flow_id = %(flow)s AND {VISIBLE}",
        {"flow": flow_id, "snapshot": snapshot},
    )
    return [
        Assertion(valid, bytes(digest), state, system, bytes(trace_id), bytes(record_id), day)
        for valid, digest, state, system, trace_id, record_id, day in rows
    ]


@dataclass(frozen=True, slots=True)
class ChapterLink:
    """A span points to another, of its own trace or of another one."""

    source_trace: bytes
    source_span: bytes
    target_trace: bytes
    target_span: bytes


def read_links(traces: Sequence[bytes]) -> list[ChapterLink]:
    """The span links between these traces, in a settled order."""
    if not traces:
        return []
    rows = _fetch(
        "SELECT DISTINCT trace_id, span_id, target_trace_id, target_span_id FROM link"
        " WHERE target_trace_id = ANY(%(traces)s) AND trace_id = ANY(%(traces)s)",
        {"traces": list(traces)},
    )
    return [ChapterLink(*map(bytes, row)) for row in sorted(rows)]


def _fetch(query: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        return list(cursor.fetchall())


def _key(trace_id: bytes, service: str, day: int) -> CHAPTER_KEY:
    return (bytes(trace_id), 0, "") if trace_id else (b"", day, service)


def _cut(packed: bytes, size: int) -> Iterable[bytes]:
    told = bytes(packed)
    return (told[at : at + size] for at in range(0, len(told), size))


def _least(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else min(left, right)


def _most(left: int | None, right: int | None) -> int | None:
    return right if left is None else left if right is None else max(left, right)
