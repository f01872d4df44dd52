"""The time axis that all rows of a page share: where a moment is drawn, and the ticks that say so.

Positions are percentages of the plot's width. The axis is a row of segments; one segment runs evenly from its start to
its end, so folding a stretch is a matter of segments alone. `ticks` lives next door.
"""

from bisect import bisect_right
from collections.abc import Container
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from timeline.layout.order import Times
from tracing.records import DAY_NS, FIRST_NS, LAST_NS

LONGEST_NS = 400 * DAY_NS  # a span said to last longer has a wrong clock, and may not stretch the axis
GAP_SHARE = 10  # an idle stretch longer than a tenth of what is shown folds
GAP_WIDTH = 5.0  # percent
MOST_GAPS = 8
LEAST_NS = 1_000
MARGIN = 1.5  # percent kept free at the right, so that a last mark is seen whole


@dataclass(frozen=True, slots=True)
class Segment:
    start: int
    end: int
    left: float
    width: float
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Axis:
    segments: tuple[Segment, ...]

    @property
    def start(self) -> int:
        return self.segments[0].start

    @property
    def end(self) -> int:
        return self.segments[-1].end

    @property
    def right(self) -> float:
        """Where the axis ends, in percent."""
        return self.segments[-1].left + self.segments[-1].width

    def time_at(self, place: float) -> int:
        """The moment drawn there: the reverse of `at`."""
        part = next((part for part in self.segments if place < part.left + part.width), self.segments[-1])
        return part.start + int((part.end - part.start) * max(0.0, place - part.left) / part.width)

    def at(self, time: int) -> float:
        """Where a moment is drawn; moments outside are drawn at the edge they passed."""
        if time <= self.start:
            return self.segments[0].left
        if time >= self.end:
            return self.right
        index = bisect_right(self.segments, time, key=lambda segment: segment.start) - 1
        segment = self.segments[index]
        return segment.left + segment.width * (time - segment.start) / (segment.end - segment.start)


def domain(starts: Times, ends: Times) -> tuple[int, int]:
    """From the first to the last plausible moment; a clock that ran off to the year 2554 does not count."""
    plausible = (starts >= FIRST_NS) & (starts < LAST_NS)
    if not plausible.any():
        return 0, 1_000
    starts, ends = starts[plausible], ends[plausible]
    sound = (ends >= starts) & (ends < np.minimum(starts + LONGEST_NS, LAST_NS))
    first = int(starts.min())
    return first, max(int(np.where(sound, ends, starts).max()), first + LEAST_NS)


def straight(start: int, end: int) -> Axis:
    return Axis((Segment(start, max(end, start + 1), 0.0, 100.0 - MARGIN),))


def folded(start: int, end: int, starts: Times, ends: Times, opened: Container[int] = frozenset()) -> Axis:
    """An axis on which long idle stretches have a small fixed width; `opened` are those unfolded, by where they begin."""
    gaps = [gap for gap in _long_gaps(start, end, starts, ends) if gap[0] not in opened]
    if not gaps:
        return straight(start, end)
    edges = [start, *(edge for gap in gaps for edge in gap), end]
    pieces = list(pairwise(edges))
    busy = sum(high - low for low, high in pieces[::2])
    room = 100.0 - MARGIN - GAP_WIDTH * len(gaps)
    # Every busy stretch is seen, however short: an even share of a quarter of the room, the rest by length.
    least = room / 4 / (len(gaps) + 1)
    segments, left = [], 0.0
    for index, (low, high) in enumerate(pieces):
        idle = index % 2 == 1
        width = GAP_WIDTH if idle else least + (room * 3 / 4) * (high - low) / max(busy, 1)
        segments.append(Segment(low, high, left, width, idle))
        left += width
    return Axis(tuple(segments))


def _long_gaps(start: int, end: int, starts: Times, ends: Times) -> list[tuple[int, int]]:
    gaps = _gaps(start, end, starts, ends)
    busy = (end - start) - sum(high - low for low, high in gaps)
    gaps.sort(key=lambda gap: gap[0] - gap[1])
    shown, chosen = end - start, []
    for low, high in gaps[:MOST_GAPS]:
        if (high - low) * GAP_SHARE <= shown:
            break
        # What is folded is no longer shown, so the next one is measured against what is left.
        shown -= high - low
        # A little of the quiet stays at both ends, so that what stands alone is not a stretch without length.
        rest = min((high - low) // 20, max(busy // 20, 1_000_000))
        chosen.append((low + rest, high - rest))
    return sorted(chosen)


def _gaps(start: int, end: int, starts: Times, ends: Times) -> list[tuple[int, int]]:
    """The stretches from start to end that nothing covers; an end that ran off covers nothing."""
    sound = (ends >= starts) & (ends - starts <= LONGEST_NS)
    ends = np.where(sound, ends, starts)
    seen = (ends >= start) & (starts <= end)
    order = np.argsort(starts[seen], kind="stable")
    lows, highs = starts[seen][order], np.maximum.accumulate(ends[seen][order])
    # From the start, and from wherever everything so far has ended, to what begins next.
    begins = np.concatenate(([start], np.maximum(highs, start)))
    until = np.concatenate((lows, [end]))
    idle = np.flatnonzero(until[:-1] > begins[:-1])
    return [(int(begins[at]), int(until[at])) for at in idle]
