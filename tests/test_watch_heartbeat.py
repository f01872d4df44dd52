"""Rhythms: what is even enough to be missed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.watch.heartbeat import heartbeat

SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def minutes(*times: float) -> list[int]:
    return [round(time * MINUTE) for time in times]


@pytest.mark.parametrize(
    ("beats", "period"),
    [
        ([], None),
        (minutes(0), None),
        (minutes(0, 5, 10, 15, 20), None),
        (minutes(0, 5, 10, 15, 20, 25), 5),
        (minutes(25, 5, 0, 15, 10, 20), 5),
        # Jitter, and more than jitter.
        (minutes(0, 5.2, 9.9, 15.1, 20, 25.2), 5),
        (minutes(0, 1, 9, 10, 18, 40, 41), None),
        (minutes(0, 1, 3, 7, 15, 31, 63), None),
        # One missed; an outage of a day; a missed one among bursts.
        (minutes(0, 5, 10, 20, 25, 30, 35), 5),
        (minutes(0, 5, 10, 15, 1455, 1460, 1465, 1470), 5),
        (minutes(0, 0.1, 5, 5.1, 10, 10.1, 20, 20.1, 25, 25.1, 30, 30.1), 5),
        # Bursts of several count as one: two chapters, or three, with the same work.
        (minutes(0, 0.05, 0.2, 5, 5.1, 10, 15, 15.1, 15.2, 20, 25, 25.2), 5),
        (minutes(0, 0.1, 5, 10, 15, 20), None),
        # What lies further apart than 5 % of the period is none.
        (minutes(*(5 * turn + extra for turn in range(8) for extra in (0, 1))), None),
        # Equal times are one beat.
        (minutes(7, 7, 7, 7, 7, 7, 7), None),
        (minutes(0, 0, 5, 5, 10, 15, 15, 20, 25), 5),
    ],
)
def test_rhythm(beats: list[int], period: float | None) -> None:
    found = heartbeat(beats)
    if period is None:
        assert found is None
    else:
        assert found is not None
        assert found.period_ns == pytest.approx(period * MINUTE, rel=0.07)
        assert found.spread < 0.3


def test_the_next_is_expected_after_one_late_after_two_and_stuck_after_three() -> None:
    found = heartbeat(minutes(0, 5, 10, 15, 20, 25))
    assert found is not None
    assert (found.intervals, found.last_ns) == (5, 25 * MINUTE)
    assert (found.expected_ns, found.late_ns, found.stuck_ns) == tuple(minutes(30, 35, 40))


def test_a_beat_is_dated_from_the_beginning_of_its_burst() -> None:
    found = heartbeat(minutes(0, 5, 10, 15, 20, 25, 25.1, 25.2))
    assert found is not None and found.last_ns == 25 * MINUTE


def test_nobody_is_late_within_a_minute() -> None:
    found = heartbeat([second * SECOND for second in range(10)])
    assert found is not None
    assert (found.period_ns, found.expected_ns) == (SECOND, 10 * SECOND)
    assert (found.late_ns, found.stuck_ns) == (69 * SECOND, 99 * SECOND)


def test_only_the_last_twenty_intervals_speak() -> None:
    """Every hour in the past, every five minutes now; and the other way round, not even yet."""
    past = [hour * 60 for hour in range(30)]
    now = [past[-1] + 5 * turn for turn in range(1, 21)]
    found = heartbeat(minutes(*past, *now))
    assert found is not None
    assert (found.period_ns, found.intervals) == (5 * MINUTE, 20)
    assert heartbeat(minutes(*past, *now[:8])) is None


@given(
    st.integers(10 * SECOND, 10_000 * MINUTE),
    st.lists(st.floats(-0.05, 0.05), min_size=6, max_size=40),
    st.lists(st.floats(0, 0.03), max_size=4),
    st.integers(0, 2**60),
)
def test_even_beats_are_found_with_jitter_and_bursts(
    period: int, jitter: list[float], burst: list[float], start: int
) -> None:
    firsts = [start + round(period * (turn + late)) for turn, late in enumerate(jitter)]
    beats = [first + round(period * late) for first in firsts for late in (0.0, *burst)]
    found = heartbeat(beats[::-1])
    assert found is not None
    assert found.period_ns == pytest.approx(period, rel=0.11)
    assert found.last_ns == firsts[-1]


@given(st.lists(st.integers(0, 2**63), max_size=60))
def test_any_times_give_an_answer(beats: list[int]) -> None:
    found = heartbeat(beats)
    if found:
        assert max(beats) >= found.last_ns < found.expected_ns
        assert found.last_ns < found.late_ns < found.stuck_ns
