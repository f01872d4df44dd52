"""Which stretches nobody was there to receive."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.layout.blind import LEAST_NS, Stretch, blind

S = LEAST_NS


@pytest.mark.parametrize(
    ("awake", "told", "expected"),
    [
        ([], [], []),
        ([(0, 10 * S)], [], []),
        ([(0, 3 * S), (5 * S, 10 * S)], [], [(3 * S, 5 * S)]),
        ([(0, 3 * S), (3 * S + 1, 10 * S)], [], []),
        ([(0, 6 * S), (1 * S, 2 * S), (6 * S, 10 * S)], [], []),
        ([(0, 7 * S)], [], [(7 * S, 10 * S)]),
        ([(5 * S, 10 * S)], [], []),
        ([(0, 10 * S)], [(4 * S, 5 * S), (8 * S, None)], [(4 * S, 5 * S), (8 * S, 10 * S)]),
        ([(0, 3 * S), (5 * S, 10 * S)], [(4 * S, 6 * S)], [(3 * S, 6 * S)]),
    ],
)
def test_what_no_receiver_covers_is_blind(
    awake: list[Stretch], told: list[tuple[int, int | None]], expected: list[Stretch]
) -> None:
    assert blind(awake, 0, 10 * S, told) == expected


def test_only_from_the_moment_that_is_asked_for() -> None:
    assert blind([(0, S), (5 * S, 10 * S)], 3 * S, 10 * S) == [(3 * S, 5 * S)]


STRETCHES = st.lists(
    st.tuples(st.integers(0, 20 * S), st.integers(0, 20 * S)).map(lambda two: (min(two), max(two)))
)


@given(STRETCHES)
def test_they_lie_apart_and_never_where_somebody_was_there(awake: list[Stretch]) -> None:
    found = blind(awake, 0, 20 * S)
    for before, after in pairwise(found):
        assert before[1] < after[0]
    for since, until in found:
        assert all(until <= one or since >= other for one, other in awake if one < other)
