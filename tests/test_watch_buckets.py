"""Buckets of durations: where they end, and what a quantile of their counts says."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.watch.buckets import (
    BUCKETS,
    EDGES,
    LONGEST_NS,
    RATIO,
    added,
    bucket_of,
    buckets_of,
    counts_of,
    edge_ns,
    quantile_ns,
)

MS = 1_000_000
DAY = 86_400_000 * MS
durations = st.lists(st.integers(0, 39 * DAY) | st.sampled_from(EDGES[:-1]), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("duration_ns", "bucket"),
    [
        (-5 * MS, 0),
        (0, 0),
        (1, 0),
        (MS, 0),
        (MS + 1, 1),
        (EDGES[40], 40),
        (EDGES[40] + 1, 41),
        (40 * DAY, 79),
        (40 * DAY + 1, 79),
        (10**19, 79),
    ],
)
def test_a_bucket_holds_its_upper_edge(duration_ns: int, bucket: int) -> None:
    assert bucket_of(duration_ns) == bucket


def test_the_edges_grow_evenly_from_a_millisecond_to_forty_days() -> None:
    assert len(EDGES) == BUCKETS == 80
    assert (edge_ns(0), edge_ns(79)) == (MS, 40 * DAY) == (MS, LONGEST_NS)
    steps = [later / earlier for earlier, later in pairwise(EDGES)]
    assert min(steps) == pytest.approx(RATIO, rel=1e-5)
    assert max(steps) == pytest.approx(RATIO, rel=1e-5)
    assert 1.3 < RATIO < 1.33


@given(durations)
def test_many_at_once_are_the_same_as_one_by_one(many: list[int]) -> None:
    assert buckets_of(many).tolist() == [bucket_of(one) for one in many]
    assert sum(counts_of(many)) == len(many)


def test_a_duration_beyond_64_bits_is_in_the_last() -> None:
    assert buckets_of([10**19, -(10**19)]).tolist() == [79, 0]


@given(durations, durations)
def test_counts_add_up_to_the_counts_of_all(some: list[int], others: list[int]) -> None:
    assert added([counts_of(some), counts_of(others)]) == counts_of(some + others)


def test_what_is_shorter_or_absent_adds_nothing() -> None:
    assert added([]) == [0] * BUCKETS
    assert added([[1, 2], np.array([3]), []]) == [4, 2, *[0] * 78]


@given(durations, st.floats(0.01, 1.0))
def test_a_quantile_lies_within_one_bucket_of_the_true_one(many: list[int], share: float) -> None:
    found = quantile_ns(counts_of(many), share)
    assert found is not None
    ordered = sorted(many)
    place = max(0, int(np.ceil(share * len(many) - 1e-9)) - 1)
    assert abs(bucket_of(found) - bucket_of(ordered[place])) <= 1
    assert found <= edge_ns(bucket_of(ordered[-1]))


@given(durations, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_larger_share_takes_no_less_time(many: list[int], one: float, other: float) -> None:
    counts = counts_of(many)
    low, high = (quantile_ns(counts, share) for share in sorted((one, other)))
    assert low is not None and high is not None and low <= high


def test_quantiles_by_hand() -> None:
    assert quantile_ns([], 0.5) is None
    assert quantile_ns([0] * 80, 0.5) is None
    ten = [0] * 80
    ten[10] = 10
    assert quantile_ns(ten, 1.0) == edge_ns(10)
    assert quantile_ns(ten, 0.5) == pytest.approx(edge_ns(10) / RATIO**0.5, rel=1e-6)
    assert quantile_ns(ten, 0.0) == pytest.approx(edge_ns(9), rel=1e-5)
    ten[79] = 1
    assert quantile_ns(ten, 0.99) == pytest.approx(40 * DAY, rel=0.1)
