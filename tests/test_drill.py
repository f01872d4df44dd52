"""The drill: its truth is what it says it is, and a short one finds what is stuck (`-m slow`)."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.drill import measure, plans, requests
from tests.drill.measure import Period
from tests.drill.replays import Flipped
from tests.drill.truth import COURSE, DAY, HOUR, MINUTE, RETRIED, START, STUCK, orders
from tests.product import ROOT

SHOP = {one.key: one for one in orders(4_000, 14, 1)}
END = START + 14 * DAY
EVENTS = plans.happened(SHOP.values(), END)


def test_the_truth_is_seeded() -> None:
    assert {one.key: one for one in orders(4_000, 14, 1)} == SHOP
    assert orders(10, 14, 2) != orders(10, 14, 3)


def test_steps_are_as_long_as_their_quantiles_say() -> None:
    for leg in range(1, len(COURSE)):
        sound = [one for one in SHOP.values() if not one.stuck and not one.retried]
        stays = np.array([one.events[leg].at_ns - one.events[leg - 1].at_ns for one in sound])
        for quantile in (0.5, 0.99):
            within = float(np.mean(stays <= COURSE[leg].true_ns(quantile)))
            assert abs(within - quantile) < 4 * math.sqrt(quantile * (1 - quantile) / len(stays))


def test_who_is_stuck_stays_so() -> None:
    stuck = [one for one in SHOP.values() if one.stuck]
    assert abs(len(stuck) / len(SHOP) - STUCK) < 0.01
    assert {one.last.leg for one in stuck} == {0, 1, 2, 3}
    assert all(len(one.events) == one.last.leg + 1 for one in stuck)
    assert not any(one.moved_after(one.last.at_ns) for one in stuck)
    retried = [one for one in SHOP.values() if one.retried]
    assert abs(len(retried) / len(SHOP) - RETRIED) < 0.01
    assert all(one.last.leg == 4 and len(one.events) == 7 for one in retried)


def test_nights_are_quieter() -> None:
    hours = np.bincount([one.events[0].at_ns // HOUR % 24 for one in SHOP.values()], minlength=24)
    assert hours[1:6].sum() * 2 < hours[13:18].sum()


def test_plans_keep_what_happened() -> None:
    once = plans.as_it_happened(EVENTS)
    assert [event for one in once for event in one.events] == EVENTS
    assert all(0 < one.at_ns - event.at_ns <= plans.FLUSH for one in once for event in one.events)
    twice = [event for one in plans.doubled(EVENTS) for event in one.events]
    assert sorted(twice) == sorted(EVENTS * 2)
    mixed = [event for one in plans.shuffled(EVENTS, END, 1) for event in one.events]
    assert sorted(mixed) == EVENTS
    assert mixed != EVENTS


def test_a_twentieth_is_late() -> None:
    late = plans.late_ones(EVENTS, 1)
    assert abs(len(late) / len(EVENTS) - plans.LATE_SHARE) < 0.01
    for one in plans.partly_late(EVENTS, late):
        for event in one.events:
            assert (one.at_ns - event.at_ns > HOUR) == (event in late)


def test_an_outage_loses_half() -> None:
    from_ns, until_ns = START + 5 * DAY, START + 5 * DAY + HOUR
    plan = plans.past_an_outage(EVENTS, from_ns, until_ns, 1)
    assert not any(from_ns <= one.at_ns < until_ns for one in plan)
    kept = {event for one in plan for event in one.events}
    meanwhile = {event for event in EVENTS if from_ns < event.at_ns < until_ns - plans.FLUSH}
    assert 0.2 < len(kept & meanwhile) / len(meanwhile) < 0.8
    assert set(EVENTS) - kept <= {event for event in EVENTS if from_ns - plans.FLUSH < event.at_ns < until_ns}


def test_the_same_event_is_the_same_span() -> None:
    one = plans.as_it_happened(EVENTS)[0]
    assert requests.body(one) == requests.body(one)
    assert b"order.state" in requests.body(one)


def flipped(key: str, at_ns: int, **values: Any) -> Flipped:
    return replace(Flipped(key, "due", "late", at_ns, at_ns, "", "learned", False), **values)


def test_flips_are_held_to_the_truth() -> None:
    stuck = next(one for one in SHOP.values() if one.stuck and one.boundary_ns < END - HOUR)
    sound = next(one for one in SHOP.values() if not one.stuck)
    between = (sound.events[0].at_ns + sound.events[1].at_ns) // 2
    flips = [
        flipped(stuck.key, stuck.last.at_ns - MINUTE, quiet=True),
        flipped(stuck.key, stuck.boundary_ns + HOUR),
        flipped(stuck.key, stuck.boundary_ns + 2 * HOUR, before="late", after="stuck"),
        flipped(sound.key, between),
    ]
    whole: Period = measure.periods(flips, SHOP, END)[-1]
    assert (whole.found, whole.false, whole.false_orders, whole.p50_h) == (1, 1, 1, 1.0)
    assert measure.false_alarms(flips, SHOP) == [flips[3]]
    steps = measure.by_step(flips, SHOP, END)
    assert sum(one["found"] for one in steps) == 1
    assert sum(one["stuck"] for one in steps) == whole.stuck


def drill(name: str, *more: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.drill", name, "--orders", "600", "--days", "2", *more],
        cwd=ROOT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_a_short_drill_finds_who_is_stuck() -> None:
    found = drill("fortnight")
    right, of = (int(word) for word in found["found"].split(" of "))
    assert right >= of / 2 > 0
    assert found["false_per_1000"] <= 10


@pytest.mark.slow
def test_what_is_sent_twice_turns_nothing_twice() -> None:
    found = drill("doubled")
    assert found["flips"][0] == found["flips"][1] > 0
    assert (found["differing_flips"], found["differing_standing"]) == ([], [])


@pytest.mark.slow
def test_an_outage_of_ours_calls_nobody_late() -> None:
    found = drill("outage")
    assert found["flips_meanwhile"] == []
    assert found["unknown_most"] > 0
