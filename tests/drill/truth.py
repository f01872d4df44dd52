"""The simulated shop: orders with log-normal steps in three systems, and which of them are truly stuck (pure, seeded).

An order is created, paid, reserved, shipped and delivered. A few stop for good after a known step: nothing comes of them
again. A few are tried several times at one step, take longer than usual, and recover. Times are Unix nanoseconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
START = 1_793_577_600 * SECOND  # 2026-11-02 00:00 UTC, a Monday
STUCK, RETRIED = 0.025, 0.02
SLOWER = (1.5, 3.0)  # how much longer a step takes that is tried again
P99 = NormalDist().inv_cdf(0.99)


class Leg(NamedTuple):
    """A step of every order: how long after the one before (log-normal) which system says what."""

    state: str
    system: str
    operation: str
    median_s: float = 0.0
    spread: float = 0.0

    def true_ns(self, quantile: float) -> int:
        """The quantile of the time from the step before to this one."""
        return round(self.median_s * math.exp(NormalDist().inv_cdf(quantile) * self.spread) * SECOND)


COURSE = (
    Leg("created", "shop", "POST /orders"),
    Leg("paid", "billing", "POST /payments", 240, 0.9),
    Leg("reserved", "wms", "reserve stock", 720, 0.7),
    Leg("shipped", "wms", "ship parcel", 5 * 3_600, 0.6),
    Leg("delivered", "shop", "parcel delivered", 14 * 3_600, 0.45),
)


class Event(NamedTuple):
    """One record: a span that ends at `at_ns`. `leg` is the place in `COURSE`; a failed try states nothing."""

    at_ns: int
    key: str
    leg: int
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    key: str
    events: Sequence[Event]  # in order
    stuck: bool
    retried: bool

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def boundary_ns(self) -> int:
        """From here on a stuck order is longer at its step than 99 % of the sound ones ever are."""
        return self.last.at_ns + COURSE[self.last.leg + 1].true_ns(0.99)

    def moved_after(self, at_ns: int) -> bool:
        return any(event.at_ns > at_ns and not event.failed for event in self.events)


def orders(count: int, days: float, seed: int) -> list[Order]:
    """Orders of that many days, by the time they are created; their events may lie after the end."""
    source = np.random.default_rng(seed)
    return [_order(number, at_ns, source) for number, at_ns in enumerate(_arrivals(count, days, source))]


def _arrivals(count: int, days: float, source: np.random.Generator) -> list[int]:
    """Six times as many in the afternoon as at night; in whole microseconds."""
    found: list[int] = []
    while len(found) < count:
        at_s = source.random() * days * 86_400
        busy = 1 + 0.72 * math.sin(2 * math.pi * (at_s / 86_400 - 0.375))
        if source.random() * 1.72 < busy:
            found.append(START + int(at_s * 1e6) * 1_000)
    return sorted(found)


def _order(number: int, created_ns: int, source: np.random.Generator) -> Order:
    key = f"o-{number:05d}"
    lasts = [leg.median_s * math.exp(source.standard_normal() * leg.spread) for leg in COURSE[1:]]
    fate, place, slower = source.random(), int(source.integers(1, len(COURSE))), source.uniform(*SLOWER)
    stuck, retried = fate < STUCK, STUCK <= fate < STUCK + RETRIED
    events = [Event(created_ns, key, 0)]
    at_ns = created_ns
    for leg, last_s in enumerate(lasts, 1):
        if stuck and leg == place:
            break
        span_ns = int(last_s * (slower if retried and leg == place else 1) * 1e6) * 1_000
        if retried and leg == place:
            events += [Event(at_ns + span_ns * part // 3, key, leg, failed=True) for part in (1, 2)]
        at_ns += span_ns
        events.append(Event(at_ns, key, leg))
    return Order(key, tuple(events), stuck, retried)
