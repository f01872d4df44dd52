"""The strip above the rows: how much happened when, and where it failed."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from timeline.layout.axis import Axis
from timeline.layout.tree import Tree

BINS = 64


@dataclass(frozen=True, slots=True)
class Bin:
    left: float
    width: float
    height: float  # 0..1
    failed: bool
    count: int
    start: int
    end: int


def overview(axis: Axis, trees: Iterable[Tree]) -> list[Bin]:
    """Counts of records by start, as heights over the axis's width; empty stretches have no bin."""
    width = axis.right / BINS
    edges = [axis.time_at(slot * width) for slot in range(BINS)] + [axis.end + 1]
    counts, failed = [0] * BINS, [0] * BINS
    for tree in trees:
        for times in _sorted_times(tree):
            _count(times, edges, counts)
        _count(sorted(tree.times[node] for node in tree.failed), edges, failed)
    most = max(counts) or 1
    return [
        Bin(
            slot * width,
            width,
            (count / most) ** 0.5,
            failed[slot] > 0,
            count,
            edges[slot],
            edges[slot + 1] - 1,
        )
        for slot, count in enumerate(counts)
        if count
    ]


def _sorted_times(tree: Tree) -> Iterable[list[int]]:
    """The times of spans, events, logs and transitions: each part is sorted."""
    bounds = [
        0,
        len(tree.spans),
        len(tree.spans) + len(tree.events),
        len(tree.times) - len(tree.moves),
        len(tree.times),
    ]
    return (tree.times[low:high] for low, high in pairwise(bounds) if high > low)


def _count(times: Sequence[int], edges: Sequence[int], counts: list[int]) -> None:
    if not times:
        return
    places = [bisect_left(times, edge) for edge in edges]
    for slot in range(len(counts)):
        counts[slot] += places[slot + 1] - places[slot]
