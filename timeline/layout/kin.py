"""Who is whose parent, whatever was sent: parents missing, late, themselves or in a circle, ids that repeat (pure).

Numbers are rows of a settled table of spans. `forest` hangs everything else under what is decided here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from timeline.layout.order import TOP, Ints
from timeline.layout.tables import NO_SPAN, Table

Keys = NDArray[np.int64]


@dataclass(slots=True)
class Kin:
    parents: Ints  # TOP for what hangs under the chapter itself
    ranks: Ints  # 0 for the version shown, from 2 for the others under its ids
    orphans: NDArray[np.bool_]  # names a parent that never came
    cut: NDArray[np.bool_]  # stands at the top because its parents went in a circle
    versions: dict[int, int]  # a shown span -> how many others there are under its ids
    _ids: NDArray[np.uint64]  # of shown spans, each once, ascending
    _keys: Keys  # of shown spans, ascending
    _heads: Ints
    # What stands in for a span that has begun and not come: by trace and id. And rows that tell the beginning of one that came.
    stand_ins: dict[tuple[int, int], int] = field(default_factory=dict)
    begun: dict[int, int] = field(default_factory=dict)
    begun_counts: dict[int, int] = field(default_factory=dict)
    standing: frozenset[int] = frozenset()  # the rows of `stand_ins`

    def find(self, traces: NDArray[np.int32], span_ids: NDArray[np.uint64]) -> Ints:
        """The shown span under each of these ids, or TOP."""
        if not len(self._keys):
            return np.full(len(span_ids), TOP, np.int32)
        keys = _keys(self._ids, traces, span_ids)
        # Within one trace an id's place is its key, and needs no second search.
        single = self._keys[-1] == len(self._ids) - 1
        at = np.minimum(keys if single else np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = np.where((self._keys[at] == keys) & (keys >= 0), self._heads[at], TOP).astype(np.int32)
        if self.stand_ins:
            for missing in np.flatnonzero(found == TOP).tolist():
                found[missing] = self.stand_ins.get((int(traces[missing]), int(span_ids[missing])), TOP)
        return found


def find_kin(spans: Table, pending: Mapping[int, int] = MappingProxyType({})) -> Kin:
    """`pending` are rows that only say that their parent has begun, with the id of that one's own parent (-1 for a root)."""
    ids, places = _each_once(spans["span_id"])
    keys = places + spans["trace"].astype(np.int64) * len(ids)
    # Of several records under one id the one with the latest end is shown, the others fold under it.
    order = np.lexsort((np.arange(len(spans)), spans["end"], keys)).astype(np.int32)
    ordered = keys[order]
    last = np.concatenate((ordered[1:] != ordered[:-1], [True])) if len(order) else np.zeros(0, np.bool_)
    kin = Kin(
        np.full(len(spans), TOP, np.int32),
        _ranks(order, last),
        np.zeros(len(spans), np.bool_),
        np.zeros(len(spans), np.bool_),
        {},
        ids,
        ordered[last],
        order[last],
    )
    _place_pending(kin, spans, pending)
    named = spans["parent_id"] != NO_SPAN
    kin.parents = np.where(named, kin.find(spans["trace"], spans["parent_id"]), TOP).astype(np.int32)
    older = kin.ranks > 0
    kin.orphans = named & (kin.parents == TOP) & ~older
    for row in kin.stand_ins.values():
        above = pending[row]
        under = np.array([above if 0 < above < 2**64 else NO_SPAN], np.uint64)
        kin.parents[row] = kin.find(spans["trace"][[row]], under)[0] if under[0] else TOP
        kin.orphans[row] = bool(under[0]) and kin.parents[row] == TOP
    heads = kin.find(spans["trace"][older], spans["span_id"][older])
    kin.parents[older] = heads
    kin.versions = dict(zip(*(part.tolist() for part in np.unique(heads, return_counts=True)), strict=True))
    _cut_circles(kin)
    return kin


def _place_pending(kin: Kin, spans: Table, pending: Mapping[int, int]) -> None:
    """Whoever tells a beginning stands in for its parent until that one comes, and then is told again by it."""
    standing: set[int] = set()
    for row in sorted(pending):
        trace, real = int(spans[row]["trace"]), int(spans[row]["parent_id"])
        if real == NO_SPAN or kin.ranks[row]:
            continue
        came = int(kin.find(spans["trace"][[row]], spans["parent_id"][[row]])[0])
        if came == TOP:
            kin.stand_ins[trace, real] = row
            standing.add(row)
        elif came != row and came not in standing:
            kin.begun[row] = came
    kin.begun_counts = Counter(kin.begun.values())
    kin.standing = frozenset(standing)


def _each_once(values: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], Keys]:
    """Ascending, and where each value stands among them: as `np.unique` tells, in a third of its time."""
    if not len(values):
        return values, np.zeros(0, np.int64)
    order = np.argsort(values)
    found = values[order]
    differs = np.concatenate(([True], found[1:] != found[:-1]))
    places = np.empty(len(values), np.int64)
    places[order] = np.cumsum(differs) - 1
    return found[differs], places


def _keys(ids: NDArray[np.uint64], traces: NDArray[np.int32], span_ids: NDArray[np.uint64]) -> Keys:
    """Trace and span id as one number; -1 where no span has the id."""
    if not len(ids):
        return np.full(len(span_ids), -1, np.int64)
    at = np.minimum(np.searchsorted(ids, span_ids), len(ids) - 1)
    return np.where(ids[at] == span_ids, at + traces.astype(np.int64) * len(ids), -1)


def _ranks(order: Ints, last: NDArray[np.bool_]) -> Ints:
    """How many records under the same ids end later: 0, then counted from 2."""
    ranks = np.zeros(len(order), np.int32)
    ends = np.flatnonzero(last)
    behind = np.repeat(ends, np.diff(ends, prepend=-1)) - np.arange(len(order))
    ranks[order] = np.where(behind > 0, behind + 1, 0)
    return ranks


def _cut_circles(kin: Kin) -> None:
    """Cut each circle of parents above its earliest span, which then stands at the top."""
    parents = kin.parents
    # A circle has at least one parent that does not come before its child.
    if not (parents >= np.arange(len(parents))).any():
        return
    for node in _earliest_in_circles(parents):
        parents[node] = TOP
        kin.cut[node] = True


def _earliest_in_circles(parents: Ints) -> list[int]:
    # After enough doublings everything that is not caught in a circle has reached the top.
    ancestors = np.append(parents, np.int32(TOP))  # TOP is -1: it points at itself
    for _ in range(max(1, len(parents)).bit_length()):
        ancestors = ancestors[ancestors]
    caught = np.unique(ancestors[:-1][ancestors[:-1] != TOP])  # each of them stands in a circle
    found, seen = [], set()
    for start in caught.tolist():
        circle = []
        node = start
        while node not in seen:
            seen.add(node)
            circle.append(node)
            node = int(parents[node])
        if circle:
            found.append(min(circle))
    return found
