"""Blindness: gaps of our own, services that fell silent, and the way to us that broke."""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.watch.blindness import (
    Stretch,
    collapsed_since,
    extended,
    gaps,
    overlap,
    poisson_tail,
    silent_since,
    subtract,
    total_ns,
    union,
    watched_ns,
)

stretches = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8)


def moments(some: list[Stretch]) -> set[int]:
    return {moment for since, until in some for moment in range(since, until)}


def tidy(some: list[Stretch]) -> bool:
    """In order, none empty, none touching."""
    return all(since < until for since, until in some) and all(
        one[1] < other[0] for one, other in pairwise(some)
    )


@given(stretches, stretches, st.integers(0, 60), st.integers(0, 60), st.integers(0, 9))
def test_stretches_are_sets_of_moments(
    some: list[Stretch], others: list[Stretch], start: int, end: int, grace: int
) -> None:
    for found, wanted in (
        (union(some), moments(some)),
        (subtract(some, others), moments(some) - moments(others)),
        (overlap(start, end, some), moments(some) & set(range(start, end))),
        (extended(some, grace), moments([(a, b + grace) for a, b in some if a < b])),
    ):
        assert tidy(found)
        assert moments(found) == wanted
    assert total_ns(some) == len(moments(some))


@given(stretches, st.integers(0, 60), st.integers(0, 60))
def test_a_wait_is_watched_until_the_first_blind_moment_in_it(
    blind: list[Stretch], since: int, until: int
) -> None:
    watched = watched_ns(since, until, blind)
    assert not moments(blind) & set(range(since, since + watched))
    assert since + watched in moments(blind) or since + watched == max(since, until)


@pytest.mark.parametrize(
    ("awake", "from_ns", "to_ns", "blind"),
    [
        ([], 0, 100, []),
        ([(40, 60)], 0, 62, []),  # not there before 40: history sent in later is no blindness
        ([(40, 60)], 0, 65, []),  # within the tolerance of 5
        ([(40, 60)], 0, 66, [(60, 66)]),
        ([(40, 60)], 50, 100, [(60, 100)]),
        ([(40, 60), (70, 90)], 0, 90, [(60, 70)]),
        ([(40, 60), (61, 90)], 0, 90, [(60, 61)]),
        ([(70, 90), (40, 60)], 65, 68, [(65, 68)]),
        ([(40, 60), (55, 80), (58, 59)], 0, 84, []),  # several receivers
        ([(40, 60), (70, 90)], 0, 65, [(60, 65)]),  # a question about the past
        ([(40, 60)], 0, 30, []),
        ([(40, 60)], 70, 80, [(70, 80)]),
        ([(40, 40)], 0, 100, []),
    ],
)
def test_gaps(awake: list[Stretch], from_ns: int, to_ns: int, blind: list[Stretch]) -> None:
    assert gaps(awake, from_ns, to_ns, 5) == blind


def directly(count: int, expected: float) -> float:
    """The sum of the terms, for means that allow it."""
    return math.fsum(math.exp(-expected) * expected**each / math.factorial(each) for each in range(count + 1))


@given(st.integers(0, 60), st.floats(0.01, 60))
def test_the_poisson_tail_is_the_sum_of_its_terms(count: int, expected: float) -> None:
    assert poisson_tail(count, expected) == pytest.approx(directly(count, expected), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("count", "expected", "tail"),
    [
        (-1, 5.0, 0.0),
        (0, 0.0, 1.0),
        (3, 0.0, 1.0),
        (0, 13.0, math.exp(-13)),
        (0, 14.0, math.exp(-14)),
        (0, 1e6, 0.0),
        (10**6, 1.0, 1.0),
        (10**6, 10**6, 0.5),
        (10**9, 10**9 + 10**5, 0.000783),  # -3.16 standard deviations
    ],
)
def test_the_poisson_tail_far_out(count: int, expected: float, tail: float) -> None:
    assert poisson_tail(count, expected) == pytest.approx(tail, rel=0.02, abs=1e-12)


FIRST = 29_000_000
STEADY = [20] * 120
Pattern = Callable[[int], int]


def counts(minutes: int, pattern: Pattern) -> list[int]:
    return [pattern(minute) for minute in range(minutes)]


def every(period: int, records: int = 1) -> Pattern:
    return lambda minute: records if minute % period == 0 else 0


@pytest.mark.parametrize(
    ("today", "earlier", "since"),
    [
        ([], [], None),
        ([0] * 120, [], None),
        (STEADY, [STEADY, STEADY], None),
        # Twenty a minute: a minute without any is rarer than a millionth, e^-20, but nobody is called silent before
        # three; a straggler does not speak for it.
        ([*STEADY, 0, 0], [], None),
        ([*STEADY, 0, 0, 0], [], 120),
        ([*STEADY, 0, 0, 0], [[20] * 123] * 2, 120),
        ([*STEADY, 0, 0, 0, 1, 0, 0], [], 120),
        ([*STEADY, 0, 0, 0, 18], [], None),
        # Without a history: an hour, thirty minutes of it with records.
        ([*[20] * 59, *[0] * 20], [], None),
        ([*[20] * 60, *[0] * 20], [], 60),
        ([*[0] * 100, *[20] * 40, *[0] * 20], [], None),
        ([*counts(58, every(2)), *[0] * 40], [], None),
        ([*counts(120, every(2)), *[0] * 40], [], 119),
        # One day is no history, two are.
        ([20, 20, 0, 0, 0], [[20] * 5], None),
        ([20, 20, 0, 0, 0], [[20] * 5] * 2, 2),
        # The smaller rate counts: at this hour it is always quiet, or today is a Sunday.
        ([*STEADY, *[0] * 30], [[*STEADY, *[0] * 30]] * 2, None),
        ([*[20] * 60, *[0] * 60, *[0] * 30], [[20] * 150] * 2, 60),
        ([*counts(120, every(10)), *[0] * 25], [[20] * 145] * 3, None),
        # One in ten minutes is a millionth after 139 of them; twice the longest silence is passed long before.
        ([*counts(120, every(10)), *[0] * 120], [], None),
        ([*counts(240, every(3)), *[0] * 38], [], None),
        ([*counts(240, every(3)), *[0] * 40], [], 238),
        # A batch each hour: after two hours without one.
        ([*counts(241, every(60, 900)), *[0] * 118], [[*counts(359, every(60, 900))]] * 2, None),
        ([*counts(241, every(60, 900)), *[0] * 119], [[*counts(360, every(60, 900))]] * 2, 241),
        # An outage yesterday is no custom, of three days.
        ([*STEADY, *[0] * 10], [[20] * 130, [20] * 130, [*[20] * 40, *[0] * 80, *[20] * 10]], 120),
        # Silent for all the hours that are given: the days know.
        ([0] * 60, [[20] * 60] * 2, 0),
        # A health check goes on speaking.
        ([*[1000] * 120, *[2] * 5], [], 120),
    ],
)
def test_a_service_fell_silent(today: list[int], earlier: list[list[int]], since: int | None) -> None:
    assert silent_since(today, earlier, FIRST) == (None if since is None else FIRST + since)


def test_the_same_minutes_are_wanted_of_each_day() -> None:
    with pytest.raises(ValueError, match="the same minutes"):
        silent_since([1, 2], [[1, 2], [1]], FIRST)


def test_random_traffic_raises_hardly_any_alarm_and_each_silence_one() -> None:
    """Ten services of different rates for a week, looked at each minute of it."""
    random = np.random.default_rng(4)
    alarms = missed = 0
    for rate in (0.2, 0.5, 1, 2, 5, 10, 50, 200, 1000, 5000):
        week = random.poisson(rate, 3 * 1440)
        for end in range(2 * 1440 + 300, 3 * 1440, 7):
            today = week[end - 240 : end]
            days = [week[end - 240 - 1440 * ago : end - 1440 * ago] for ago in (1, 2)]
            alarms += silent_since(today, days, 0) is not None
            fallen = np.concatenate([today[: 240 - 90], np.zeros(90, dtype=np.int64)])
            missed += silent_since(fallen, days, 0) is None
    assert alarms == 0
    # Only the one that speaks every fifth minute may need more than 90 minutes.
    assert missed <= 200


def steady(rate: int, silent: int, minutes: int = 180) -> list[int]:
    return [*[rate] * (minutes - silent), *[0] * silent]


SPEAKS = steady(20, 0)


@pytest.mark.parametrize(
    ("today", "since"),
    [
        ({}, None),
        ({"shop": steady(20, 5)}, None),
        ({"shop": steady(20, 5), "billing": SPEAKS}, None),
        # A minute is enough where all miss it.
        ({"shop": steady(20, 1), "billing": steady(30, 1)}, 179),
        ({"shop": SPEAKS, "billing": SPEAKS}, None),
        ({"shop": steady(20, 5), "billing": steady(30, 5)}, 175),
        ({"shop": steady(20, 5), "billing": steady(30, 7), "wms": steady(10, 6)}, 173),
        # Four of five, and three of five.
        ({**{name: steady(9, 5) for name in "abcd"}, "e": SPEAKS}, 175),
        ({**{name: steady(9, 5) for name in "abc"}, "d": SPEAKS, "e": SPEAKS}, None),
        # One after the other within an hour is not at once.
        ({"shop": steady(20, 5), "billing": steady(20, 25)}, None),
        ({"shop": steady(20, 5), "billing": steady(20, 15), "wms": steady(20, 26)}, None),
        # Who fell silent long before is not counted; nor is one that is slow a witness.
        ({"old": steady(20, 90), "shop": steady(20, 5), "billing": steady(20, 5)}, 175),
        ({"shop": steady(20, 5), "cron": counts(180, every(17))}, None),
        ({"shop": steady(20, 5), "cron": counts(180, every(6))}, None),
        ({"shop": steady(20, 6), "billing": steady(30, 6), "cron": counts(180, every(17))}, 174),
        # Nobody knows them for an hour.
        ({"shop": steady(20, 5, 50), "billing": steady(30, 5, 50)}, None),
    ],
)
def test_most_services_fell_silent_at_once(today: dict[str, list[int]], since: int | None) -> None:
    assert collapsed_since(today, {}, FIRST) == (None if since is None else FIRST + since)


def test_a_shop_that_closes_each_evening_is_no_collapse() -> None:
    today = {"shop": steady(20, 20), "billing": steady(30, 20)}
    assert collapsed_since(today, {name: [day] * 3 for name, day in today.items()}, FIRST) is None
    open_days = {name: [steady(rate, 0)] * 3 for name, rate in (("shop", 20), ("billing", 30))}
    assert collapsed_since(today, open_days, FIRST) == FIRST + 160


def test_a_collapse_longer_than_the_hours_that_are_given_is_seen_by_the_days() -> None:
    nothing = {"shop": [0] * 60, "billing": [0] * 60}
    assert collapsed_since(nothing, {name: [[20] * 60] * 2 for name in nothing}, FIRST) == FIRST
    assert collapsed_since(nothing, {name: [[20] * 60] for name in nothing}, FIRST) is None
    assert collapsed_since(nothing, {}, FIRST) is None


def test_random_traffic_of_all_services_does_not_collapse() -> None:
    """Of five services that speak seldom, looked at every ten minutes of a day."""
    random = np.random.default_rng(5)
    days = {
        name: random.poisson(rate, 3 * 1440)
        for name, rate in zip("abcde", (0.1, 0.2, 0.5, 1, 3), strict=True)
    }
    found = []
    for end in range(2 * 1440 + 300, 3 * 1440, 10):
        today = {name: counts[end - 240 : end] for name, counts in days.items()}
        earlier = {
            name: [counts[end - 240 - 1440 * ago : end - 1440 * ago] for ago in (1, 2)]
            for name, counts in days.items()
        }
        found.append(collapsed_since(today, earlier, 0))
    assert found == [None] * len(found)
