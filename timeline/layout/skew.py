"""How far the clocks of services are apart, from what cannot have happened in the order it was told in (pure).

A call's server works within the time of its client, and a message is taken up after it was sent. Where that does not hold,
clocks differ: each such pair bounds the difference from both sides or from one, and the pairs of two services together
leave an interval. Where the interval holds zero, clocks agree. Estimates move drawn bars only; rows stay in the order told.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import EVENT, GROUP, LOG, MOVE, SPAN, Forest, Shift
from timeline.layout.order import TOP, Ints, Times
from timeline.layout.tables import Table
from tracing.records import FIRST_NS, LAST_NS

LEAST_NS = 1_000_000  # below this a difference is what clocks of one machine have
PRODUCER, CONSUMER = 4, 5
FAR = np.int64(2**62)


@dataclass(slots=True)
class _Pairs:
    """Spans of two services of which one led to the other, and between which values the difference of clocks lies."""

    causes: Ints
    effects: Ints
    least: Times
    most: Times


def find_shifts(forest: Forest, links: Iterable[tuple[int, int]] = ()) -> dict[int, Shift]:
    """The services whose clocks differ from the first one's. `links` are rows of spans: who sent, who took up."""
    spans = forest.spans
    pairs = _pairs(spans, forest.kin.parents, links)
    if not len(pairs.causes):
        return {}
    apart = _apart(spans, pairs)
    found: dict[int, Shift] = {}
    for first in _firsts(spans, forest.kin.parents):
        _spread(first, apart, found)
    return {service: told for service, told in found.items() if told.shift_ns}


def shifted(forest: Forest, shifts: dict[int, Shift]) -> Times:
    """What is added to each node's time."""
    found = np.zeros(len(forest), np.int64)
    if not shifts:
        return found
    spans, events, logs = (forest.bases[kind] for kind in (SPAN, EVENT, LOG))
    of_spans = _of(forest.spans["service"], shifts)
    found[spans:events] = of_spans
    found[events:logs] = of_spans[forest.tables.events["span"]]
    found[logs : forest.bases[MOVE]] = _of(forest.tables.logs["service"], shifts)
    codes = {name: code for code, name in forest.tables.services.items()}
    for row, move in enumerate(forest.tables.moves):
        told = shifts.get(codes.get(move.system, 0))
        found[forest.bases[MOVE] + row] = told.shift_ns if told else 0
    if forest.groups:
        found[forest.bases[GROUP] :] = found[[group.members[0] for group in forest.groups]]
    return found


def _of(services: NDArray[np.int32], shifts: dict[int, Shift]) -> Times:
    found = np.zeros(len(services), np.int64)
    for service, told in shifts.items():
        found[services == service] = told.shift_ns
    return found


def _pairs(spans: Table, parents: Ints, links: Iterable[tuple[int, int]]) -> _Pairs:
    children = np.flatnonzero(parents != TOP)
    linked = np.array(list(links), np.int32).reshape(-1, 2)
    causes = np.concatenate((parents[children], linked[:, 0])).astype(np.int32)
    effects = np.concatenate((children, linked[:, 1])).astype(np.int32)
    by_link = np.concatenate((np.zeros(len(children), np.bool_), np.ones(len(linked), np.bool_)))
    start, end = spans["start"], spans["end"]
    sound = (start >= FIRST_NS) & (start < LAST_NS) & (end >= start) & (end < LAST_NS)
    across = (spans["service"][causes] != spans["service"][effects]) & sound[causes] & sound[effects]
    causes, effects, by_link = causes[across], effects[across], by_link[across]
    kinds = spans["kind"]
    message = (kinds[causes] == PRODUCER) | (kinds[effects] == CONSUMER)
    # A link may lead to anything; only a message is taken up after it was sent.
    kept = message | ~by_link
    causes, effects, later = causes[kept], effects[kept], message[kept]
    # What takes longer than what led to it was not waited for: it bounds from one side only.
    later |= (end - start)[effects] > (end - start)[causes]
    return _Pairs(
        causes,
        effects,
        np.where(later, -FAR, end[effects] - end[causes]),
        start[effects] - start[causes],
    )


_Apart = dict[
    tuple[int, int], tuple[int, bool, int]
]  # (from, to) -> difference of clocks, whether it fits all, pairs


def _apart(spans: Table, pairs: _Pairs) -> _Apart:
    """For each two services how far the second's clock is ahead of the first's, both ways round."""
    services = spans["service"]
    first, second = services[pairs.causes], services[pairs.effects]
    swapped = first > second
    low, high = np.where(swapped, second, first), np.where(swapped, first, second)
    least = np.where(swapped, -pairs.most, pairs.least)
    most = np.where(swapped, -pairs.least, pairs.most)
    found: _Apart = {}
    order = np.lexsort((high, low))
    breaks = np.flatnonzero(np.diff(low[order]) | np.diff(high[order])) + 1
    for part in np.split(order, breaks):
        ahead, fits = _between(least[part], most[part])
        one, other = int(low[part[0]]), int(high[part[0]])
        found[one, other] = (ahead, fits, len(part))
        found[other, one] = (-ahead, fits, len(part))
    return found


def _between(least: Times, most: Times) -> tuple[int, bool]:
    """The difference nearest to what all pairs allow, and whether there is one that all allow."""
    low, high = int(least.max()), int(most.min())
    if low <= 0 <= high:
        return 0, True
    if low <= high:
        return _middle(low, high), True
    # Clocks drift, and one service may run on several machines: the most pairs decide.
    fine = float(((least <= 0) & (most >= 0)).mean())
    if fine >= 0.5:
        return 0, True
    middles = np.where(least <= -FAR, np.minimum(most, 0), (least + most) // 2)
    middles = np.where(most >= FAR, np.maximum(least, 0), middles)
    return _kept(int(np.sort(middles)[len(middles) // 2])), False


def _middle(low: int, high: int) -> int:
    if low <= -int(FAR):
        return _kept(min(high, 0))
    if high >= int(FAR):
        return _kept(max(low, 0))
    return _kept((low + high) // 2)


def _kept(difference: int) -> int:
    return difference if abs(difference) >= LEAST_NS else 0


def _firsts(spans: Table, parents: Ints) -> Iterator[int]:
    """Services to begin from: whoever has the earliest span at the top, then each that nothing led to."""
    tops = np.flatnonzero(parents == TOP)
    yield from dict.fromkeys(spans["service"][tops].tolist())
    yield from dict.fromkeys(spans["service"].tolist())


def _spread(first: int, apart: _Apart, found: dict[int, Shift]) -> None:
    """Shifts of everybody that a service's clock is compared with, over the most pairs first."""
    if first in found:
        return
    found[first] = Shift(first, 0)
    near: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for (one, other), (_, _, count) in apart.items():
        near[one].append((-count, other))
    waiting = [first]
    while waiting:
        one = waiting.pop(0)
        for _, other in sorted(near[one]):
            if other not in found:
                ahead, fits, _ = apart[one, other]
                found[other] = Shift(other, found[one].shift_ns - ahead, fits and found[one].agree)
                waiting.append(other)
