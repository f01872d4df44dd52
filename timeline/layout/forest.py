"""A flow's records as one forest that always draws: chapters, their spans, and what hangs under those (pure).

Every record gets exactly one place, and the same records get the same places in any order of arrival. A record is a
number, a node: chapters first, then spans, events, logs, transitions and groups, each sorted by time and identity, so
comparing numbers settles ties. `kin` decides parents, `order` places; `plan` folds and filters what stands here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from timeline.layout.kin import Kin, find_kin
from timeline.layout.order import TOP, Ints, Order, Times, arrange
from timeline.layout.tables import FAILED_SEVERITY, FAILED_STATUS, NO_TRACE, Move, Table, Tables, settled

Mask = NDArray[np.bool_]
CHAPTER, SPAN, EVENT, LOG, MOVE, GROUP = range(6)
ROW_WORDS = ("chapter", "span", "event", "log", "transition", "")


@dataclass(slots=True)
class Chapter:
    """What happened to a flow in one trace, or in the traceless logs of one service on one day."""

    id: str
    trace_id: bytes
    service: str = ""  # of traceless logs
    day: int = 0
    has_row: bool = True
    was_read: bool = True  # False: folded and unread, because the flow is very large
    start: int = 0
    end: int = 0
    count: int = 0  # records in it
    log_ids: frozenset[bytes] = frozenset()  # of traceless logs: whose they are


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Siblings drawn as one row until it is opened: tries of one thing, or many of the same."""

    row: str  # "retries" or "repeats"
    members: Ints  # nodes, in order of time
    failed: Mask  # of the members, in their order
    declared: bool  # by attributes; else inferred from how the records lie
    why: str = ""  # what it was inferred from, for people


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to the times of a service. `agree` is False where its pairs bound nothing that holds for all of them."""

    service: int
    shift_ns: int
    agree: bool = True


@dataclass(slots=True)
class Forest:
    tables: Tables
    chapters: list[Chapter]
    kin: Kin
    kinds: NDArray[np.uint8]
    times: Times
    ends: Times  # never before the time
    parents: Ints
    order: Order
    bases: tuple[int, ...]  # first node of each kind
    failed: Mask  # spans with the status ERROR, logs at ERROR or above, exception events where they are known
    shown: Mask  # False for records of a trace that are not this flow's
    context: Mask  # the path up to a root that does not belong
    loose: Mask  # logs with no span, or one that never came
    echoes: dict[int, int] = field(default_factory=dict)  # a log telling an exception again -> the event
    groups: list[Group] = field(default_factory=list)
    echo_counts: dict[int, int] = field(default_factory=dict)  # what is told again -> how many times
    # When they are drawn: as told, until `timing` corrects clocks.
    drawn: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    drawn_ends: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    waits: Times = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )  # by span: drawn moment it waits from, or 0
    shifts: dict[int, Shift] = field(default_factory=dict)  # by service

    def __post_init__(self) -> None:
        self.echo_counts = Counter(self.echoes.values())
        if len(self.drawn) != len(self.times):
            self.drawn, self.drawn_ends = self.times, self.ends
            self.waits = np.zeros(len(self.spans), np.int64)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def spans(self) -> Table:
        return self.tables.spans

    @property
    def open_nodes(self) -> list[int]:
        """Spans that have begun and not come: work that goes on, as far as is known."""
        return [self.bases[SPAN] + row for row in self.kin.stand_ins.values()]

    def row_of(self, node: int) -> int:
        """A node's row in its own table."""
        return node - self.bases[int(self.kinds[node])]

    def node_of(self, kind: int, row: int) -> int:
        return self.bases[kind] + row

    def group(self, node: int) -> Group:
        return self.groups[self.row_of(node)]

    def move(self, node: int) -> Move:
        return self.tables.moves[self.row_of(node)]

    def children(self, node: int) -> list[int]:
        """The nodes right below, in order."""
        found, place = [], int(self.order.places[node])
        end, at = place + int(self.order.sizes[node]), place + 1
        while at < end:
            child = int(self.order.nodes[at])
            found.append(child)
            at += int(self.order.sizes[child])
        return found

    def ancestors(self, node: int) -> list[int]:
        """The nodes above one, from the nearest."""
        found = []
        while (node := int(self.parents[node])) != TOP:
            found.append(node)
        return found

    def any_inside(self, mask: Mask) -> Mask:
        """For each node, whether the mask holds for it or anything below it."""
        counts = np.concatenate(([0], np.cumsum(mask[self.order.nodes])))
        places = self.order.places
        return np.asarray(counts[places + self.order.sizes] > counts[places])

    def any_above(self, mask: Mask) -> Mask:
        """For each node, whether the mask holds for it or anything above it."""
        places, count = self.order.places[mask], len(self)
        edges = np.zeros(count + 1, np.int64)
        np.add.at(edges, places, 1)
        np.add.at(edges, places + self.order.sizes[mask], -1)
        return np.asarray(np.cumsum(edges[:-1])[self.order.places] > 0)


def grow(tables: Tables, chapters: Sequence[Chapter]) -> Forest:
    """The forest of a flow's records. Every trace has its chapter; chapters of traceless logs name theirs."""
    tables = settled(tables)
    pending = {row: hint.pending_under for row, hint in tables.hints.items() if hint.pending_under}
    kin = find_kin(tables.spans, pending)
    counts = [len(chapters), len(tables.spans), len(tables.events), len(tables.logs), len(tables.moves), 0]
    bases = tuple(int(base) for base in np.cumsum([0, *counts[:-1]]))
    kinds = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    roots = _Roots(tables, chapters)
    spans, events, logs = tables.spans, tables.events, tables.logs
    echoes = {bases[LOG] + log: bases[EVENT] + event for log, event in _echoes(tables, kin).items()}
    echoes |= {bases[SPAN] + row: bases[SPAN] + came for row, came in kin.begun.items()}
    of_logs = kin.find(logs["trace"], logs["span_id"])
    loose = (of_logs == TOP) if len(logs) else np.zeros(0, np.bool_)
    of_spans = np.where(kin.parents == TOP, roots.of(spans["trace"]), kin.parents + bases[SPAN])
    of_logs = np.where(of_logs == TOP, roots.of_logs(logs), of_logs + bases[SPAN])
    parents = np.concatenate(
        (
            np.full(len(chapters), TOP),
            of_spans,
            events["span"] + bases[SPAN],
            of_logs,
            _of_moves(tables, kin, roots, bases, of_logs),
        )
    ).astype(np.int32)
    for log, event in echoes.items():
        parents[log] = event
    times = np.concatenate(
        (
            np.zeros(len(chapters), np.int64),
            spans["start"],
            events["time"],
            logs["time"],
            np.array([move.time for move in tables.moves], np.int64),
        )
    )
    ends = times.copy()
    ends[bases[SPAN] : bases[EVENT]] = np.maximum(spans["start"], spans["end"])
    failed = np.concatenate(
        (
            np.zeros(len(chapters), np.bool_),
            spans["status"] == FAILED_STATUS,
            events["failed"],
            logs["severity"] >= FAILED_SEVERITY,
            np.zeros(len(tables.moves), np.bool_),
        )
    )
    loose = np.concatenate((np.zeros(bases[LOG], np.bool_), loose, np.zeros(len(tables.moves), np.bool_)))
    count = len(kinds)
    return Forest(
        tables, list(chapters), kin, kinds, times, ends, parents, arrange(parents, times), bases, failed,
        np.ones(count, np.bool_), np.zeros(count, np.bool_), loose, echoes,
    )  # fmt: skip


def with_groups(forest: Forest, groups: Sequence[Group]) -> Forest:
    """The same forest with rows put above the members of groups: each takes its first member's place."""
    if not groups:
        return forest
    count = len(forest)
    parents = np.concatenate((forest.parents, np.zeros(len(groups), np.int32)))
    times = np.concatenate((forest.times, np.zeros(len(groups), np.int64)))
    ends = np.concatenate((forest.ends, np.zeros(len(groups), np.int64)))
    members = np.concatenate([group.members for group in groups])
    sizes = np.array([len(group.members) for group in groups])
    begins = np.cumsum(sizes) - sizes
    first = members[begins]
    parents[count:] = parents[first]
    parents[members] = np.repeat(np.arange(count, count + len(groups)), sizes)
    times[count:] = np.minimum.reduceat(forest.times[members], begins)
    ends[count:] = np.maximum.reduceat(forest.ends[members], begins)
    more = np.zeros(len(groups), np.bool_)
    return Forest(
        forest.tables, forest.chapters, forest.kin,
        np.concatenate((forest.kinds, np.full(len(groups), GROUP, np.uint8))),
        times, ends, parents, arrange(parents, times), forest.bases,
        np.concatenate((forest.failed, more)),
        np.concatenate((forest.shown, forest.shown[first])),
        np.concatenate((forest.context, more)),
        np.concatenate((forest.loose, more)),
        forest.echoes, list(groups),
    )  # fmt: skip


class _Roots:
    """Which chapter's node what has no parent hangs under."""

    def __init__(self, tables: Tables, chapters: Sequence[Chapter]) -> None:
        by_trace = {chapter.trace_id: node for node, chapter in enumerate(chapters) if chapter.trace_id}
        # One more at the end: NO_TRACE is -1.
        self._nodes = np.array([*(by_trace.get(trace, 0) for trace in tables.traces), 0], np.int32)
        self._of_loose = {log_id: node for node, chapter in enumerate(chapters) for log_id in chapter.log_ids}

    def of(self, traces: NDArray[np.int32]) -> Ints:
        return np.asarray(self._nodes[traces])

    def of_logs(self, logs: Table) -> Ints:
        found = self.of(logs["trace"])
        for row in np.flatnonzero(logs["trace"] == NO_TRACE).tolist():
            found[row] = self._of_loose.get(log_id(logs[row]), 0)
        return found

    def of_move(self, trace_id: bytes, record_id: bytes, tables: Tables) -> int:
        if trace_id in tables.traces:
            return int(self._nodes[tables.traces.index(trace_id)])
        return self._of_loose.get(record_id, 0)


def log_id(row: Table) -> bytes:
    return int(row["high"]).to_bytes(8, "big") + int(row["low"]).to_bytes(8, "big")


def _of_moves(tables: Tables, kin: Kin, roots: _Roots, bases: tuple[int, ...], of_logs: Ints) -> Ints:
    """A span's transition hangs under the span; a log's beside the log."""
    if not tables.moves:
        return np.zeros(0, np.int32)
    number = {trace: index for index, trace in enumerate(tables.traces)}
    beside = {log_id(row): int(of_logs[at]) for at, row in enumerate(tables.logs)}
    found = []
    for move in tables.moves:
        span = TOP
        if len(move.record_id) == 8 and move.trace_id in number:
            wanted = np.array([int.from_bytes(move.record_id, "big")], np.uint64)
            span = int(kin.find(np.array([number[move.trace_id]], np.int32), wanted)[0])
        above = bases[SPAN] + span if span != TOP else beside.get(move.record_id, TOP)
        found.append(above if above != TOP else roots.of_move(move.trace_id, move.record_id, tables))
    return np.array(found, np.int32)


def _echoes(tables: Tables, kin: Kin) -> dict[int, int]:
    """Senders may tell one exception twice, by an event and by a log: the log folds under the event."""
    telling = np.flatnonzero(tables.logs["exception"])
    first: dict[tuple[int, int, int], tuple[int, int]] = {}
    for told in tables.exceptions:
        key, place = (told.trace, told.span_id, told.exception), (told.ordinal, told.digest)
        first[key] = min(first.get(key, place), place)
    if not first or not len(telling):
        return {}
    spans = tables.spans
    events = {
        (int(spans[span]["trace"]), int(spans[span]["span_id"]), ordinal, int(spans[span]["digest"])): row
        for row, (span, ordinal) in enumerate(
            zip(tables.events["span"].tolist(), tables.events["ordinal"].tolist(), strict=True)
        )
    }
    found = {}
    for row in telling.tolist():
        log = tables.logs[row]
        trace, span_id = int(log["trace"]), int(log["span_id"])
        said = first.get((trace, span_id, int(log["exception"])))
        event = events.get((trace, span_id, *said)) if said else None
        if event is not None:
            found[row] = event
    return found
