"""When which record arrives: as it happened, twice, in any order at the end, partly late, or past our outage (pure).

A collector sends every two minutes what all three services did since: a tenth of the requests that their exporters would
make, and so late that it shows where a judge forgets to wait for what is on its way. Times are Unix nanoseconds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from tests.drill.truth import HOUR, MINUTE, SECOND, Event, Order

FLUSH = 2 * MINUTE
LATE_SHARE, LATE_BY = 0.05, HOUR
LARGEST = 512


class Delivery(NamedTuple):
    """One request; `at_ns` is our clock when it arrives."""

    at_ns: int
    events: tuple[Event, ...]


def happened(orders: Iterable[Order], end_ns: int) -> list[Event]:
    return sorted(event for order in orders for event in order.events if event.at_ns < end_ns)


def as_it_happened(events: Sequence[Event]) -> list[Delivery]:
    return _batched((_flush(event.at_ns), event) for event in events)


def doubled(events: Sequence[Event]) -> list[Delivery]:
    """Everything a second time, twenty seconds later."""
    once = as_it_happened(events)
    return sorted([*once, *(one._replace(at_ns=one.at_ns + 20 * SECOND) for one in once)])


def shuffled(events: Sequence[Event], end_ns: int, seed: int) -> list[Delivery]:
    """Everything at the end, in no order."""
    mixed = [events[place] for place in np.random.default_rng(seed).permutation(len(events))]
    found: list[Delivery] = []
    for start in range(0, len(mixed), LARGEST):
        found.append(Delivery(end_ns, tuple(mixed[start : start + LARGEST])))
    return found


def late_ones(events: Sequence[Event], seed: int) -> set[Event]:
    """A twentieth of all records, but those that would not be here at the end."""
    luck = np.random.default_rng(seed).random(len(events))
    last_ns = events[-1].at_ns - LATE_BY - 2 * FLUSH
    return {
        event for event, one in zip(events, luck, strict=True) if one < LATE_SHARE and event.at_ns < last_ns
    }


def partly_late(events: Sequence[Event], late: set[Event]) -> list[Delivery]:
    return _batched((_flush(event.at_ns) + LATE_BY * (event in late), event) for event in events)


def past_an_outage(events: Sequence[Event], from_ns: int, until_ns: int, seed: int) -> list[Delivery]:
    """What was sent while we were down is lost, or comes within ten minutes after."""
    luck = np.random.default_rng(seed).random(len(events))
    arriving = []
    for event, one in zip(events, luck, strict=True):
        at_ns = _flush(event.at_ns)
        if not from_ns <= at_ns < until_ns:
            arriving.append((at_ns, event))
        elif one < 0.5:
            arriving.append((_flush(until_ns + round(one * 20 * MINUTE)), event))
    return _batched(arriving)


def _flush(at_ns: int) -> int:
    return (at_ns // FLUSH + 1) * FLUSH


def _batched(arriving: Iterable[tuple[int, Event]]) -> list[Delivery]:
    by_request: dict[int, list[Event]] = {}
    for at_ns, event in arriving:
        by_request.setdefault(at_ns, []).append(event)
    return sorted(Delivery(at_ns, tuple(many)) for at_ns, many in by_request.items())
