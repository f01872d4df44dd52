"""How much a sender may still send: the mean is kept, a batch is never cut, whoever overdrew waits for what they took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.allowance import Allowance


def test_a_batch_larger_than_the_rate_is_paid_off_before_the_next() -> None:
    left = Allowance(100, now_s=0.0)
    assert left.wait_s(0.0) == 0
    left.spend(500, 0.0)
    assert left.wait_s(0.0) == 4 and left.wait_s(3.5) == 1 and left.wait_s(4.01) == 0


def test_at_most_a_second_is_saved_up() -> None:
    left = Allowance(100, now_s=0.0)
    left.spend(150, 1_000.0)
    assert left.wait_s(1_000.0) == 1


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 300)), min_size=1, max_size=60), st.integers(1, 200)
)
def test_whatever_is_sent_the_mean_holds(asked: list[tuple[float, int]], rate: int) -> None:
    left, now, taken, last = Allowance(rate, now_s=0.0), 0.0, 0, 0
    for pause, records in asked:
        now += pause
        if not left.wait_s(now):
            left.spend(records, now)
            taken, last = taken + records, records
    # What was saved up at the beginning, and the batch that overdrew, come on top.
    assert taken - last <= rate * (now + 1) + 1e-6


@pytest.mark.parametrize("later", [-5.0, 0.0])
def test_a_clock_that_stands_gives_nothing(later: float) -> None:
    left = Allowance(10, now_s=10.0)
    left.spend(20, 10.0)
    assert left.wait_s(10.0 + later) == 1
