"""How long flows stay at a step: by hand, by property, and against a simulation whose truth is known."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tracing.watch.buckets import BUCKETS
from tracing.watch.survival import FLOOR_NS, curve, held, pace, pace_of_finished, weights

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
times = st.lists(st.integers(0, 50), min_size=1, max_size=40)


def spread(count: int, last_ns: int = 20 * MINUTE) -> list[int]:
    """That many durations, even up to the last."""
    return [round(last_ns * place / count) for place in range(1, count + 1)]


def test_the_textbook_curve() -> None:
    """Freireich's 6-mercaptopurine group (Kaplan-Meier as printed by Cox & Oakes 1984, p. 49): ties and censoring at one time."""
    passed = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    waiting = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = curve(passed, waiting)
    assert found.at_ns.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found.share.tolist() == pytest.approx([0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], abs=5e-4)
    assert (found.quantile(0.5), found.quantile(0.4)) == (23, None)
    assert [found.staying(at) for at in (5.9, 6, 6.5, 100)] == pytest.approx(
        [1, 0.857, 0.857, 0.448], abs=5e-4
    )


def test_greenwood_by_hand() -> None:
    """S = 0.8571 at 6 with variance of its logarithm 3 / (21 x 18): the limit on the log-log scale."""
    found = curve([6, 6, 6, 7], [6, *[30] * 16])
    error = np.sqrt(3 / (21 * 18)) / -np.log(18 / 21)
    assert found.upper[0] == pytest.approx((18 / 21) ** np.exp(-1.6449 * error), rel=1e-4)


@pytest.mark.parametrize(
    ("passed", "level", "factor", "needed"),
    [
        (1, None, 0, 29),
        (28, None, 0, 29),
        (29, "p90", 2.0, 29),
        (58, "p90", 2.0, 29),
        (59, "p95", 2.0, 59),
        (298, "p95", 2.0, 59),
        (299, "p99", 1.5, 299),
    ],
)
def test_the_fewest_samples_of_each_level(passed: int, level: str | None, factor: float, needed: int) -> None:
    """With the fewest samples the limit is the longest of all: distribution-free."""
    found = pace(spread(passed), [])
    assert (found.level, found.needed, found.passed) == (level, needed, passed)
    if level is None:
        assert found.threshold is None
    elif passed == needed:
        assert found.threshold == round(20 * MINUTE * factor)


def test_more_samples_bring_the_limit_nearer_to_the_quantile() -> None:
    found = pace(spread(2_000, 1_000 * MINUTE), [])
    assert found.p99 == pytest.approx(990 * MINUTE, rel=1e-3)
    assert found.p50 == pytest.approx(500 * MINUTE, rel=1e-3)
    assert found.threshold is not None and 990 * MINUTE < found.threshold / 1.5 < 996 * MINUTE


@pytest.mark.parametrize(
    ("passed", "known"),
    [
        (1, (False, False, False, False)),
        (2, (True, False, False, False)),
        (10, (True, True, False, False)),
        (20, (True, True, True, False)),
        (100, (True, True, True, True)),
    ],
)
def test_a_quantile_is_told_of_enough_samples(passed: int, known: tuple[bool, ...]) -> None:
    found = pace(spread(passed), [])
    assert tuple(each is not None for each in (found.p50, found.p90, found.p95, found.p99)) == known


@pytest.mark.parametrize("duration", [0, 1, SECOND, 40 * SECOND])
def test_what_takes_no_time_is_late_after_a_minute(duration: int) -> None:
    found = pace([duration] * 300, [])
    assert found.threshold == FLOOR_NS
    assert found.p50 == found.p99 == duration


def test_durations_before_their_beginning_count_as_none() -> None:
    assert pace([-5 * HOUR] * 29, [-HOUR]) == pace([0] * 29, [0])


def test_all_equal_and_one_of_them_waiting_as_long() -> None:
    """Who goes on at a moment is counted before who is last seen at it, and he alone then never goes on: no p99."""
    found = pace([HOUR] * 400, [HOUR])
    assert (found.level, found.p95) == ("p95", HOUR)
    assert pace([HOUR] * 400, [HOUR - 1]).level == "p99"


@pytest.mark.parametrize("stuck", [0, 1, 2, 3, 8, 15])
def test_a_few_stuck_flows_do_not_make_the_rest_wait_for_ever(stuck: int) -> None:
    found = pace(spread(400), [5 * HOUR] * stuck)
    # One or two are not enough to be believed; then p95 holds, which they do not reach.
    assert found.level == ("p99" if stuck in (0, 3, 8, 15) else "p95")
    assert found.threshold is not None and found.threshold <= 40 * MINUTE
    assert found.plateau == pytest.approx(stuck / (400 + stuck) if stuck >= 3 else 0)
    assert not found.is_end


@given(times, times)
def test_the_stuck_taken_out_leave_the_curve_of_those_that_go_on(
    passed: list[int], waiting: list[int]
) -> None:
    """S' = (S - pi) / (1 - pi): seen through the quantiles of a step at which some stay for good."""
    stuck = [1_000 * MINUTE] * 30
    went = [minute * MINUTE for minute in passed]
    there = [minute * MINUTE for minute in waiting] + stuck
    whole = curve(went, there)
    rest = (whole.share - whole.share[-1]) / (1 - whole.share[-1])
    found = pace(went, there)
    assert found.plateau == pytest.approx(whole.share[-1])
    if found.p50 is not None:
        assert found.p50 == whole.at_ns[np.flatnonzero(rest <= 0.5 + 1e-9)[0]]


def test_between_a_twentieth_and_half_that_stay_somebody_is_asked() -> None:
    found = pace(spread(400), [DAY] * 100)
    assert found.plateau == pytest.approx(0.2)
    assert (found.threshold, found.level, found.is_end) == (None, None, False)
    assert found.p99 is not None and found.p99 <= 20 * MINUTE


@pytest.mark.parametrize(
    ("passed", "waiting", "usual_life_ns", "is_end"),
    [
        (0, [HOUR] * 29, 10 * MINUTE, True),
        (0, [HOUR] * 28, 10 * MINUTE, False),
        (0, [HOUR - 1] * 40, 10 * MINUTE, False),
        (0, [14 * HOUR] * 40, 3 * HOUR, False),
        (0, [15 * HOUR] * 29, 3 * HOUR, True),
        (0, [23 * HOUR] * 40, None, False),
        (0, [DAY] * 29, None, True),
        (5, [DAY] * 24, HOUR, True),
        (5, [DAY] * 23, HOUR, False),
        # A queue that has just formed is no end, however long; nor is one of few among many that went on.
        (30, [DAY] * 3 + [50 * MINUTE] * 80, HOUR, False),
        (300, [DAY] * 299, HOUR, False),
    ],
)
def test_an_end(passed: int, waiting: list[int], usual_life_ns: int | None, is_end: bool) -> None:
    found = pace(spread(passed), waiting, usual_life_ns=usual_life_ns)
    assert found.is_end is is_end
    assert found.threshold is None
    if is_end:
        assert found.plateau > 0.5


def test_an_end_that_a_few_leave_late_is_one() -> None:
    """Delivered; one in twenty comes back after up to ten days, and nobody can be watched for twenty."""
    found = pace(
        [day * DAY for day in range(1, 11)], [(place % 14) * DAY for place in range(190)], usual_life_ns=DAY
    )
    assert found.is_end


def test_watched_for_too_short_a_time_nothing_is_claimed() -> None:
    """All waits are as young as the step: the curve ends above each quantile."""
    found = pace(spread(400), spread(200))
    assert (found.threshold, found.plateau) == (None, 0.0) or found.level is not None
    young = pace(spread(400), [21 * MINUTE] * 300)
    assert (young.threshold, young.level, young.plateau, young.is_end) == (None, None, 0.0, False)
    assert young.needed == 401


@given(times, times)
def test_a_curve_falls_and_its_limit_lies_above_it(passed: list[int], waiting: list[int]) -> None:
    found = curve(passed, waiting)
    assert (np.diff(found.share) <= 0).all() and (np.diff(found.upper) <= 0).all()
    assert (found.upper >= found.share).all() and (found.upper <= 1).all()
    assert len(found.staying_by_bucket()) == BUCKETS


@given(times, times, st.floats(0.1, 10))
def test_equal_weights_and_any_order_change_nothing(
    passed: list[int], waiting: list[int], weight: float
) -> None:
    plain = curve(passed, waiting)
    weighed = curve(passed[::-1], waiting[::-1], [weight] * len(passed), [weight] * len(waiting))
    assert weighed.share.tolist() == pytest.approx(plain.share.tolist(), abs=1e-9)
    assert weighed.upper.tolist() == pytest.approx(plain.upper.tolist(), abs=1e-9)


@given(times, times)
def test_who_waits_makes_no_step_shorter(passed: list[int], waiting: list[int]) -> None:
    """Up to the last that went on: those who wait are there, and finished-only learning leaves them out."""
    known, finished = curve(passed, waiting), curve(passed, [])
    assert (known.share >= finished.share - 1e-9).all()


@pytest.mark.parametrize(("age", "weight"), [(-DAY, 1.0), (0, 1.0), (7 * DAY, 0.5), (14 * DAY, 0.25)])
def test_a_sample_is_worth_half_after_a_week(age: int, weight: float) -> None:
    assert weights([age]).tolist() == pytest.approx([weight])


def test_what_is_recent_counts_for_more_and_the_fewest_are_counted_in_flows() -> None:
    long_ago, today = [10 * HOUR] * 150, [MINUTE] * 150
    worth = weights([14 * DAY] * 150 + [0] * 150)
    assert pace(long_ago + today, []).p50 == MINUTE
    assert pace(long_ago + today, [], worth).p90 == 10 * HOUR
    assert curve(long_ago + today, [], worth).staying(MINUTE) == pytest.approx(0.2)
    assert pace(spread(299), [], weights(np.linspace(0, 14 * DAY, 299))).level == "p99"


def test_a_weight_is_wanted_for_each() -> None:
    with pytest.raises(ValueError, match="one weight"):
        pace([1, 2], [], [1.0])


def test_nothing_seen_is_nothing_known() -> None:
    found = pace([], [])
    assert (found.passed, found.waiting, found.threshold, found.p50, found.is_end) == (
        0,
        0,
        None,
        None,
        False,
    )
    assert found.needed == 29
    assert curve([], [5]).staying_by_bucket() == [1.0] * BUCKETS


def test_an_alarm_does_not_fall_silent_because_flows_queue_up() -> None:
    """Four hundred went on within 20 minutes; now a service is down, and each minute for 35 one more waits."""
    before = pace(spread(400), [])
    after = pace(spread(400), [minute * MINUTE for minute in range(1, 36)])
    assert (before.level, after.level) == ("p99", "p90")
    stands = held(before, after, 0)
    assert (stands.threshold, stands.level) == (before.threshold, "p99")
    assert (stands.passed, stands.waiting, stands.p50) == (after.passed, after.waiting, after.p50)
    # Not for ever, and not against better knowledge.
    assert held(before, after, 3 * DAY) == after
    assert held(after, before, 0) == before
    assert held(before, pace(spread(500), []), 0) == pace(spread(500), [])
    assert held(pace([], []), after, 0) == after


# A log-normal step whose true 95th percentile is 104 minutes: median 20 minutes, one order a minute.
TRUE_P95 = 104 * MINUTE
MEDIAN = TRUE_P95 / np.exp(1.6449)


def orders(seed: int, hours: int, stuck: float = 0.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Durations of those that went on and of those that wait, `hours` after the first order ever."""
    random = np.random.default_rng(seed)
    age = random.uniform(0, hours * HOUR, hours * 60)
    duration = MEDIAN * np.exp(random.normal(0, 1, len(age)))
    duration[random.random(len(age)) < stuck] = np.inf
    went = duration <= age
    return duration[went], age[~went]


def test_in_the_first_two_hours_only_who_counts_the_waiting_is_right() -> None:
    finished, censored, alarms = [], [], []
    for seed in range(40):
        went, waiting = orders(seed, 2)
        naive, known = pace_of_finished(went), pace(went, waiting)
        assert naive.p95 is not None
        finished.append(naive.p95)
        censored.append(known.p95)
        assert naive.threshold is not None
        if known.level == naive.level:
            assert known.threshold is not None and known.threshold >= naive.threshold
        alarms.append((naive.level, known.level))
    # 57 minutes where the truth is 104 ...
    assert np.median(finished) == pytest.approx(57 * MINUTE, rel=0.05)
    assert max(finished) < 90 * MINUTE
    # ... while with those who wait half of the runs say that it is later than they can tell, and the others come nearer.
    told = [each for each in censored if each is not None]
    assert 10 < len(told) < 30
    assert np.median(told) > 1.3 * np.median(finished)
    # Finished-only learning would page at once; this is grey at most, or almost always.
    assert sum(level in ("p95", "p99") for level, _ in alarms) >= 38
    assert sum(level in ("p95", "p99") for _, level in alarms) <= 3


def test_an_hour_later_it_is_right_where_finished_only_is_not() -> None:
    known, naive = zip(
        *((pace(*orders(seed, 3)).p95, pace_of_finished(orders(seed, 3)[0]).p95) for seed in range(40)),
        strict=True,
    )
    assert np.median([each for each in known if each is not None]) == pytest.approx(TRUE_P95, rel=0.1)
    assert np.median([each for each in naive if each is not None]) < 0.7 * TRUE_P95
    assert sum(each is None for each in known) <= 4


@pytest.mark.parametrize(("hours", "stuck"), [(6, 0.0), (24, 0.0), (24, 0.02), (72, 0.02)])
def test_later_the_threshold_lies_where_hardly_any_flow_comes(hours: int, stuck: float) -> None:
    """Of flows that go on, fewer than 1 in 100 come after it, and it is no further than three times the true p99."""
    true_p99 = MEDIAN * np.exp(2.3263)
    for seed in range(10):
        known = pace(*orders(seed, hours, stuck))
        assert known.threshold is not None and known.level in ("p95", "p99")
        assert 0.9 * true_p99 < known.threshold < 3 * true_p99
        if hours > 6:
            assert known.p95 == pytest.approx(TRUE_P95, rel=0.35)
        assert known.plateau < 0.05


def test_a_limit_covers_the_truth_about_as_often_as_it_says() -> None:
    """Of p95 by steps of log-normal durations, a third of them censored."""
    covered = told = 0
    for seed in range(400):
        random = np.random.default_rng(seed)
        duration = MEDIAN * np.exp(random.normal(0, 1, 400))
        age = random.uniform(0, 600 * MINUTE, 400)
        limit = curve(duration[duration <= age], age[duration > age]).limit(0.05)
        told += limit is not None
        covered += limit is not None and limit >= TRUE_P95
    assert told > 390
    assert 0.92 <= covered / told <= 0.99


def test_two_thousand_durations_take_no_time() -> None:
    went, waiting = orders(7, 34)
    worth = weights(np.linspace(0, 14 * DAY, len(went))), weights(np.linspace(0, 14 * DAY, len(waiting)))
    took = []
    for _ in range(9):
        began = time.perf_counter()
        pace(went, waiting, *worth)
        took.append(time.perf_counter() - began)
    # 1.3 ms; the fastest of several, since the machine has others to serve.
    assert min(took) < 0.02
