"""What the flips say against the truth: stuck orders found, false alarms, and how long it took (pure).

Only expectations that may tell somebody count: grey ones are left out. The true boundary of a stuck order is its step's
true p99 after its last record; no judge can be sure before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from typing import Any

from tests.drill.replays import Flipped
from tests.drill.truth import COURSE, DAY, HOUR, START, Order

WRONG = ("late", "stuck")
PERIODS = (("first hour", 0, HOUR), ("first day", HOUR, DAY), ("rest", DAY, 10**20))


@dataclass(frozen=True, slots=True)
class Period:
    """`stuck`: orders whose boundary lies in it and before the end; `false`: calls that were wrong, of `orders`."""

    name: str
    orders: int
    stuck: int
    found: int
    false: int
    false_orders: int
    p50_h: float | None
    p90_h: float | None


def first_calls(flips: Sequence[Flipped], orders: Mapping[str, Order]) -> dict[str, Flipped]:
    """By key the first flip that says rightly of a stuck order that it is late."""
    found: dict[str, Flipped] = {}
    for flip in loud(flips):
        order = orders[flip.key]
        if order.stuck and flip.key not in found and flip.judged_ns >= order.last.at_ns:
            found[flip.key] = flip
    return found


def false_alarms(flips: Sequence[Flipped], orders: Mapping[str, Order]) -> list[Flipped]:
    """Calls of orders that would have moved on by themselves."""
    return [
        flip
        for flip in loud(flips)
        if (flip.before not in WRONG or flip.before == flip.after)
        and not (orders[flip.key].stuck and not orders[flip.key].moved_after(flip.judged_ns))
    ]


def loud(flips: Sequence[Flipped]) -> list[Flipped]:
    return [flip for flip in flips if flip.after in WRONG and not flip.quiet]


def periods(flips: Sequence[Flipped], orders: Mapping[str, Order], end_ns: int) -> list[Period]:
    calls, false = first_calls(flips, orders), false_alarms(flips, orders)
    return [_period(*one, calls, false, orders, end_ns) for one in (*PERIODS, ("all", 0, 10**20))]


def _period(
    name: str, from_ns: int, to_ns: int, calls: Mapping[str, Flipped], false: Sequence[Flipped],
    orders: Mapping[str, Order], end_ns: int,
) -> Period:  # fmt: skip
    def within(at_ns: int) -> bool:
        return START + from_ns <= at_ns < START + to_ns

    stuck = [
        one for one in orders.values() if one.stuck and within(one.boundary_ns) and one.boundary_ns < end_ns
    ]
    waits = sorted((calls[one.key].judged_ns - one.boundary_ns) / HOUR for one in stuck if one.key in calls)
    wrong = [flip for flip in false if within(flip.judged_ns)]
    return Period(
        name, sum(within(one.events[0].at_ns) for one in orders.values()), len(stuck), len(waits), len(wrong),
        len({flip.key for flip in wrong}), round(median(waits), 2) if waits else None,
        round(quantiles(waits, n=10, method="inclusive")[8], 2) if len(waits) > 1 else None,
    )  # fmt: skip


def by_step(flips: Sequence[Flipped], orders: Mapping[str, Order], end_ns: int) -> list[dict[str, Any]]:
    """Of each step: stuck after it, found, false alarms, and how long after the boundary, in steps' true p99."""
    calls, false = first_calls(flips, orders), false_alarms(flips, orders)
    found = []
    for leg, following in pairwise(COURSE):
        p99_ns = following.true_ns(0.99)
        stuck = [
            one for one in orders.values()
            if one.stuck and COURSE[one.last.leg] is leg and one.boundary_ns < end_ns
        ]  # fmt: skip
        waits = [(calls[one.key].judged_ns - one.boundary_ns) / p99_ns for one in stuck if one.key in calls]
        found.append(
            {
                "step": leg.state, "p99_h": round(p99_ns / HOUR, 2), "stuck": len(stuck), "found": len(waits),
                "false": sum(flip.step == leg.state for flip in false),
                "after_boundary_in_p99": round(median(waits), 2) if waits else None,
            }
        )  # fmt: skip
    return found
