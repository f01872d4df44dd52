"""From tables of records to a forest: what hangs under what, and rows put above the members of groups (pure).

`forest` is what is made here; `kin` decides who is whose parent, `groups` what belongs together.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import EVENT, GROUP, LOG, MOVE, SPAN, Chapter, Forest, Group, Mask, log_id
from timeline.layout.kin import Kin, find_kin
from timeline.layout.order import TOP, Ints, Times, arrange
from timeline.layout.tables import FAILED_SEVERITY, FAILED_STATUS, NO_TRACE, Table, Tables, settled


def grow(tables: Tables, chapters: Sequence[Chapter]) -> Forest:
    """The forest of a flow's records. Every trace has its chapter; chapters of traceless logs name theirs."""
    tables = settled(tables)
    pending = {row: hint.pending_under for row, hint in tables.hints.items() if hint.pending_under}
    kin = find_kin(tables.spans, pending)
    counts = [len(chapters), len(tables.spans), len(tables.events), len(tables.logs), len(tables.moves), 0]
    bases = tuple(int(base) for base in np.cumsum([0, *counts[:-1]]))
    kinds = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    times, ends, failed = _read_off(tables, len(chapters))
    parents, loose = _hung(tables, kin, _Roots(tables, chapters), bases)
    echoes = {bases[LOG] + log: bases[EVENT] + event for log, event in _echoes(tables, kin).items()}
    echoes |= {bases[SPAN] + row: bases[SPAN] + came for row, came in kin.begun.items()}
    parents[list(echoes)] = list(echoes.values())
    count = len(kinds)
    return Forest(
        tables, list(chapters), kin, kinds, times, ends, parents, arrange(parents, times), bases, failed,
        np.ones(count, np.bool_), np.zeros(count, np.bool_), loose, echoes,
    )  # fmt: skip


def _read_off(tables: Tables, chapters: int) -> tuple[Times, Times, Mask]:
    """By node: when it was, when it ended, whether it failed. Chapters are dated later, by what is in them."""
    spans, events, logs = tables.spans, tables.events, tables.logs
    before = np.zeros(chapters, np.int64)
    moves = np.array([move.time for move in tables.moves], np.int64)
    times = np.concatenate((before, spans["start"], events["time"], logs["time"], moves))
    ends = times.copy()
    ends[chapters : chapters + len(spans)] = np.maximum(spans["start"], spans["end"])
    failing = (spans["status"] == FAILED_STATUS, events["failed"], logs["severity"] >= FAILED_SEVERITY)
    failed = np.concatenate((before.astype(np.bool_), *failing, np.zeros(len(moves), np.bool_)))
    return times, ends, failed


def _hung(tables: Tables, kin: Kin, roots: "_Roots", bases: tuple[int, ...]) -> tuple[Ints, Mask]:
    """By node: what it hangs under, and whether it is a log whose span is not known."""
    spans, logs = tables.spans, tables.logs
    found = kin.find(logs["trace"], logs["span_id"])
    of_spans = np.where(kin.parents == TOP, roots.of(spans["trace"]), kin.parents + bases[SPAN])
    of_logs = np.where(found == TOP, roots.of_logs(logs), found + bases[SPAN])
    of_moves = _of_moves(tables, kin, roots, bases, of_logs)
    of_events = tables.events["span"] + bases[SPAN]
    parents = np.concatenate((np.full(bases[SPAN], TOP), of_spans, of_events, of_logs, of_moves)).astype(
        np.int32
    )
    loose = np.zeros(len(parents), np.bool_)
    loose[bases[LOG] : bases[MOVE]] = found == TOP
    return parents, loose


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
