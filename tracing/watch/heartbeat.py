"""What repeats evenly, and when the next is missed (pure).

A flow whose chapters begin every five minutes is late when two periods have passed without one, stuck after three.
Evenly: of the last twenty intervals, at least five, the middle half spans less than 0.3 of the median. So one missed
beat in the past, or an outage, does not hide the rhythm; several beats within 5 % of the period are one.
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from statistics import median, quantiles
from typing import NamedTuple

FEWEST_INTERVALS = 5
MOST_INTERVALS = 20
UNEVEN = 0.3  # IQR / median
BURST = 0.05  # of the period
ALIKE = 0.9  # a period guessed so near to another merges the same bursts
LATE, STUCK = 2, 3  # periods
# What comes every second is not missed after two: as for what is learned, nobody is late within a minute.
SHORTEST_NS = 30 * 1_000_000_000
# Looked at: bursts of five would leave twenty intervals of these.
MOST_BEATS = 100


class Heartbeat(NamedTuple):
    """Durations and moments in nanoseconds."""

    period_ns: int  # the median interval
    spread: float  # IQR / median of the intervals
    intervals: int  # how many of them speak, 5 to 20
    last_ns: int  # when the last beat, or its burst, began
    expected_ns: int
    late_ns: int
    stuck_ns: int


def heartbeat(beats_ns: Sequence[int]) -> Heartbeat | None:
    """The rhythm of these beats in any order; None where there are too few or they are uneven.

    Late is after 2 periods, stuck after 3; of periods below 30 s as if they were 30 s.
    """
    times = sorted(set(beats_ns))[-MOST_BEATS:]
    gaps = {later - earlier for earlier, later in pairwise(times)}
    # A burst is told from a period only once the period is known, so each gap is tried as one, the longest first.
    tried = float("inf")
    for guess in sorted(gaps, reverse=True):
        if guess > ALIKE * tried:
            continue
        tried = guess
        found = _rhythm(_without_bursts(times, guess), guess)
        if found:
            return found
    return None


def _without_bursts(times: Sequence[int], period_ns: int) -> list[int]:
    """The first beat of each burst."""
    kept, place = [], 0
    while place < len(times):
        kept.append(times[place])
        place = max(place + 1, bisect_left(times, times[place] + BURST * period_ns, place))
    return kept


def _rhythm(times: Sequence[int], guess_ns: int) -> Heartbeat | None:
    intervals = [later - earlier for earlier, later in pairwise(times)][-MOST_INTERVALS:]
    if len(intervals) < FEWEST_INTERVALS:
        return None
    period = median(intervals)
    low, _, high = quantiles(intervals, n=4, method="inclusive")
    spread = (high - low) / period
    # Bursts were merged by the guess; a period far from it would have merged others.
    if spread >= UNEVEN or abs(period - guess_ns) > UNEVEN * guess_ns:
        return None
    last, step = times[-1], max(round(period), SHORTEST_NS)
    return Heartbeat(
        round(period),
        spread,
        len(intervals),
        last,
        last + round(period),
        last + LATE * step,
        last + STUCK * step,
    )
