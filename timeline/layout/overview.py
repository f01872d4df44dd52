"""The strip above the rows: how much happened when, and where it failed."""

from collections.abc import Iterable
from dataclasses import dataclass

from timeline.layout.axis import Axis
from timeline.layout.sieve import is_failed
from timeline.layout.tree import Tree

BINS = 64


@dataclass(frozen=True, slots=True)
class Bin:
    left: float
    width: float
    height: float  # 0..1
    failed: bool


def overview(axis: Axis, trees: Iterable[Tree]) -> list[Bin]:
    """Counts of records by start, as heights over the axis's width; empty stretches have no bin."""
    counts, failed = [0] * BINS, [False] * BINS
    right = axis.segments[-1].left + axis.segments[-1].width
    for tree in trees:
        for node, slot in enumerate(_slots(axis, tree.times, right)):
            counts[slot] += 1
            if not failed[slot] and is_failed(tree, node, tree.kind(node)):
                failed[slot] = True
    most, width = max(counts), right / BINS
    return [
        Bin(slot * width, width * 0.75, (count / most) ** 0.5, failed[slot])
        for slot, count in enumerate(counts)
        if count
    ]


def _slots(axis: Axis, times: list[int], right: float) -> Iterable[int]:
    if len(axis.segments) == 1:
        start, length = axis.start, axis.end - axis.start
        return (min(BINS - 1, max(0, (time - start) * BINS // length)) for time in times)
    return (min(BINS - 1, int(axis.at(time) / right * BINS)) for time in times)
