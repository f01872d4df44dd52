"""The strip above the rows: how much happened when, and where it failed (pure).

It counts on the axis that `axis` folded; `timeline.drawing` makes shapes of the counts.
"""

from dataclasses import dataclass

import numpy as np

from timeline.layout.axis import Axis
from timeline.layout.forest import MOVE, SPAN, Forest, Mask
from timeline.layout.order import Times
from timeline.layout.sieve import MATCH, Flags

BINS = 64


@dataclass(frozen=True, slots=True)
class Bin:
    left: float
    width: float
    height: float  # 0..1
    failed: bool
    found: int  # hits of a search
    count: int
    start: int
    end: int


def overview(axis: Axis, forest: Forest, flags: Flags | None = None, hits: Mask | None = None) -> list[Bin]:
    """Counts of records by start, as heights over the axis's width; empty stretches have no bin.

    The strip covers the whole flow whatever window of it is read; `flags` say which records a filter keeps, `hits` which
    of them a search found.
    """
    width = axis.right / BINS
    edges = np.array([*(axis.time_at(slot * width) for slot in range(BINS)), axis.end + 1], np.int64)
    records = forest.shown & (forest.kinds >= SPAN) & (forest.kinds <= MOVE)
    if flags is not None:
        records &= flags == MATCH
    counts = _counts(forest.drawn, records, edges)
    failed = _counts(forest.drawn, records & forest.failed, edges)
    found = _counts(forest.drawn, records & hits, edges) if hits is not None else [0] * BINS
    most = max(counts) or 1
    return [
        Bin(
            slot * width,
            width,
            (count / most) ** 0.5,
            failed[slot] > 0,
            found[slot],
            count,
            int(edges[slot]),
            int(edges[slot + 1]) - 1,
        )
        for slot, count in enumerate(counts)
        if count
    ]


def _counts(times: Times, records: Mask, edges: Times) -> list[int]:
    slots = np.searchsorted(edges, times[records], side="right")
    return [int(count) for count in np.bincount(slots, minlength=BINS + 2)[1 : BINS + 1]]
