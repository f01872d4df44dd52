"""Stretches of time in which nobody could see: nothing received, or nothing sent (pure).

Receivers keep `awake` rows; what none covers is a gap of our own. `volume` says how much each service sends: silence is
what a Poisson process of its usual rate would keep less than once in a million such stretches; where most services fall
silent at once it is the way to us that broke. A stretch is (from, to) in nanoseconds, without its end; counts are by minute.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Stretch = tuple[int, int]
Counts = Sequence[int] | NDArray[np.int64]
Floats = NDArray[np.float64]

RARE = 1e-6
# Silence of the services besides the largest: less will do, since the sum of all is as rare as RARE already.
HARDLY = 1e-2
# Below this part of its usual minute a service is quiet: a health check may still speak.
QUIET = 0.05
FEWEST_DAYS = 2
SHORTEST_MIN = 3
HOUR_MIN = 60
STEADY_MIN = 30  # minutes with records, of an hour or more
FEW_MIN = 5  # services that fall silent within these did so at once
LATELY_MIN = 30
FEWEST_SERVICES, MOST_SERVICES = 2, 0.8


def union(stretches: Iterable[Stretch]) -> list[Stretch]:
    """In order, joined where they overlap or touch; empty and inverted ones are none."""
    joined: list[Stretch] = []
    for since, until in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if joined and since <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


def overlap(from_ns: int, to_ns: int, stretches: Iterable[Stretch]) -> list[Stretch]:
    """What of the stretches lies between the two."""
    return union((max(since, from_ns), min(until, to_ns)) for since, until in stretches)


def subtract(stretches: Iterable[Stretch], others: Iterable[Stretch]) -> list[Stretch]:
    """What of the stretches none of the others covers."""
    away, left = union(others), []
    for since, until in union(stretches):
        for start, end in overlap(since, until, away):
            left.append((since, start))
            since = end
        left.append((since, until))
    return union(left)


def extended(stretches: Iterable[Stretch], grace_ns: int) -> list[Stretch]:
    """With the grace that follows each: what was missed meanwhile may still be on its way."""
    return union((since, until + grace_ns) for since, until in union(stretches))


def total_ns(stretches: Iterable[Stretch]) -> int:
    """How long they are together; what several cover counts once."""
    return sum(until - since for since, until in union(stretches))


def watched_ns(since_ns: int, until_ns: int, blind: Iterable[Stretch]) -> int:
    """How long a wait was watched before the first blind stretch in it: at its length it is censored."""
    first = overlap(since_ns, until_ns, blind)
    return max(0, (first[0][0] if first else until_ns) - since_ns)


def gaps(awake: Iterable[Stretch], from_ns: int, to_ns: int, tolerance_ns: int) -> list[Stretch]:
    """What no awake stretch covers between the two; `to_ns` may be now.

    Nothing before the first awake stretch ever: who was not there yet was not blind, and history that is sent in later
    is judged as any other. Awake stretches are prolonged every few seconds, so the time since the last one is a gap only
    where it is longer than `tolerance_ns`; then all of it is.
    """
    awake = union(awake)
    if not awake:
        return []
    first, last = awake[0][0], awake[-1][1]
    end = to_ns if to_ns - last > tolerance_ns else min(to_ns, last)
    return subtract([(max(from_ns, first), end)], awake)


def poisson_tail(count: int, expected: float) -> float:
    """Probability that a Poisson variable of that mean is at most `count`; summed from its logarithms, so exact to 1e-12."""
    if count < 0:
        return 0.0
    if expected <= 0:
        return 1.0
    # From the side that is smaller, largest term first: the rest falls as a geometric series at least.
    below = count < expected
    place = count if below else count + 1
    first = place * math.log(expected) - expected - math.lgamma(place + 1)
    term = total = 1.0
    while term > total * 1e-17:
        term *= place / expected if below else expected / (place + 1)
        place += -1 if below else 1
        total += term
    tail = math.exp(min(0.0, first + math.log(total)))
    return tail if below else 1.0 - tail


def silent_since(today: Counts, earlier: Sequence[Counts], first_minute: int) -> int | None:
    """The minute from which one service keeps quiet although it usually speaks; None while it does not.

    `today`: its records in each of the last minutes (hours of them), oldest first, `first_minute` (Unix time / 60) the
    first, up to the last of which all should have come. `earlier`: the same minutes on each earlier day on which it was
    known. At least two days are needed, or an hour of today with records in 30 of its minutes. The smaller rate counts
    (the days' median in these minutes, today's last hour before), the tail must be below 1e-6, and the silence longer
    than twice the usual longest and no shorter than three minutes. Where `today` holds no record, only the days speak:
    give at least twice as many hours as a silence is to be seen.
    """
    now, days = _series(today, earlier)
    begins = _quiet_from(now, _line(now, days))
    long_enough = len(now) - begins >= SHORTEST_MIN
    return first_minute + begins if long_enough and _is_missed(now, days, begins) else None


def collapsed_since(
    today: Mapping[str, Counts], earlier: Mapping[str, Sequence[Counts]], first_minute: int
) -> int | None:
    """The minute from which most services are silent at once: then it is the way to us that broke, and we are blind.

    As `silent_since` for each service, all over the same minutes; days are the latest first. At least two, and 80 % of those
    that spoke in the half hour before, fell quiet within five minutes (or are, being slow, not due yet), and what they
    sent together is missed: with all of them, and still hardly to be had by chance without the largest.
    """
    services = [_pulse(*_series(counts, earlier.get(service, ()))) for service, counts in today.items()]
    for moment in sorted({each.begins for each in services}):
        lately = [each for each in services if each.spoke_before(moment)]
        fallen = [each for each in lately if each.fell_by(moment)]
        enough = max(FEWEST_SERVICES, MOST_SERVICES * len(lately))
        if len(fallen) >= enough and _missed_together(fallen, moment):
            # Of a slow one that its last word lies further back says nothing.
            return first_minute + min(each.begins for each in fallen if not each.is_usual(moment))
    return None


class Pulse(NamedTuple):
    """What one service sent, and where its last quiet stretch begins; places are minutes of `now`."""

    now: Floats
    days: list[Floats]
    line: float
    begins: int
    usual: float  # minutes of its longest usual silence

    def spoke_before(self, moment: int) -> bool:
        """In the half hour before; where nothing is known of that, on enough of the days."""
        if not moment:
            return sum(bool((day > self.line).any()) for day in self.days) >= FEWEST_DAYS
        return bool((self.now[max(0, moment - LATELY_MIN) : moment] > self.line).any())

    def fell_by(self, moment: int) -> bool:
        """Quiet from the moment on: fallen just before it, or so slow that it need not have spoken in between."""
        return self.begins <= moment < len(self.now) and moment - self.begins <= max(FEW_MIN, self.usual)

    def is_usual(self, moment: int) -> bool:
        return 0 < moment - self.begins <= self.usual


def _pulse(now: Floats, days: list[Floats]) -> Pulse:
    line = _line(now, days)
    begins = _quiet_from(now, line)
    return Pulse(now, days, line, begins, _usual_quiet(now, days, begins))


def _missed_together(fallen: Sequence[Pulse], moment: int) -> bool:
    largest = max(range(len(fallen)), key=lambda place: float(fallen[place].now[:moment].sum()))
    rest = _sum([each for place, each in enumerate(fallen) if place != largest])
    expected = _expected(*rest, moment)
    if expected is None or poisson_tail(int(rest[0][moment:].sum()), expected) >= HARDLY:
        return False
    return _is_missed(*_sum(fallen), moment)


def _sum(services: Sequence[Pulse]) -> tuple[Floats, list[Floats]]:
    """Of all services; a day that one does not know counts as a day without records, which makes the rate smaller."""
    total = np.zeros((1 + max(len(each.days) for each in services), len(services[0].now)))
    for each in services:
        for place, counts in enumerate((each.now, *each.days)):
            total[place] += counts
    return total[0], list(total[1:])


def _series(today: Counts, earlier: Sequence[Counts]) -> tuple[Floats, list[Floats]]:
    now = np.asarray(today, dtype=np.float64)
    days = [np.asarray(day, dtype=np.float64) for day in earlier]
    if any(len(day) != len(now) for day in days):
        raise ValueError("an earlier day needs the same minutes as today")
    return now, days


def _line(now: Floats, days: Sequence[Floats]) -> float:
    """A minute with more records than this is a busy one: a part of the usual busy minute, today's or the days' smaller."""
    usual = [
        float(np.median(counts[counts > 0]))
        for counts in (now, np.concatenate([now[:0], *days]))
        if counts.any()
    ]
    return QUIET * min(usual, default=0.0)


def _quiet_from(now: Floats, line: float) -> int:
    """The place of the first minute after the last busy one."""
    busy = np.flatnonzero(now > line)
    return int(busy[-1]) + 1 if len(busy) else 0


def _is_missed(now: Floats, days: Sequence[Floats], begins: int) -> bool:
    expected = _expected(now, days, begins)
    if expected is None or poisson_tail(int(now[begins:].sum()), expected) >= RARE:
        return False
    return len(now) - begins > 2 * _usual_quiet(now, days, begins)


def _expected(now: Floats, days: Sequence[Floats], begins: int) -> float | None:
    """Records that would usually have come from `begins` on, by the smaller rate; None without enough of a history."""
    rates: list[float] = []
    known = len(days) >= FEWEST_DAYS
    if known:
        rates.append(float(np.median([day[begins:].mean() for day in days])))
    before = _since_first(now[:begins])
    steady = len(before) >= HOUR_MIN and np.count_nonzero(before) >= STEADY_MIN
    if steady or (known and len(before)):
        rates.append(float(before[-HOUR_MIN:].mean()))
    return min(rates) * (len(now) - begins) if rates else None


def _since_first(counts: Floats) -> Floats:
    """From the first record on: before it the service may not have been there."""
    return counts[int(np.argmax(counts > 0)) :] if counts.any() else counts[:0]


def _usual_quiet(now: Floats, days: Sequence[Floats], begins: int) -> float:
    """Minutes of the longest quiet stretch of a usual day: the median, so that one outage makes no custom."""
    line = _line(now, days)
    longest = [_longest_quiet(_since_first(day), line) for day in (now[:begins], *days) if day.any()]
    return float(np.median(longest)) if longest else 0.0


def _longest_quiet(counts: Floats, line: float) -> int:
    busy = np.flatnonzero(counts > line)
    edges = np.concatenate([[-1], busy, [len(counts)]])
    return int(np.diff(edges).max()) - 1
