"""Where moments are drawn, what folds, and which labels stand beside each other."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import whole
from timeline.layout.axis import MARGIN, domain, folded, straight
from timeline.layout.order import Times
from timeline.layout.overview import overview
from timeline.layout.ticks import MINUTE, S, ticks, wide
from tracing.records import DAY_NS


def columns(extents: list[tuple[int, int]]) -> tuple[Times, Times]:
    """Starts and ends."""
    told = np.array(extents, np.int64).reshape(-1, 2)
    return told[:, 0], told[:, 1]


NOW = 1_795_000_000 * S
H = 3_600 * S


@pytest.mark.parametrize(
    "extents, expected",
    [
        ([], (0, 1_000)),
        ([(NOW, NOW)], (NOW, NOW + 1_000)),
        ([(NOW, NOW + S), (NOW - S, NOW)], (NOW - S, NOW + S)),
        ([(NOW, NOW + S), (0, NOW)], (NOW, NOW + S)),  # no start
        ([(NOW, NOW + S), (2**63 - 1, 2**63 - 1)], (NOW, NOW + S)),  # the year 2262
        ([(NOW, 2**63 - 1)], (NOW, NOW + 1_000)),  # an end that ran off
        ([(NOW, NOW + 500 * DAY_NS), (NOW, NOW + S)], (NOW, NOW + S)),  # longer than anything is
        ([(NOW + S, NOW)], (NOW + S, NOW + S + 1_000)),  # negative
    ],
)
def test_domain(extents: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    assert domain(*columns(extents)) == expected


def test_a_straight_axis() -> None:
    axis = straight(NOW, NOW + S)
    assert axis.at(NOW) == 0
    assert axis.at(NOW - 1) == 0
    assert axis.at(NOW + S // 2) == pytest.approx((100 - MARGIN) / 2)
    assert axis.at(NOW + 9 * S) == 100 - MARGIN
    assert axis.time_at(axis.at(NOW + S // 4)) == pytest.approx(NOW + S // 4, abs=1_000)


def test_long_idle_stretches_fold() -> None:
    extents = [(NOW, NOW + S), (NOW + 3 * H, NOW + 3 * H + 5 * S), (NOW + 3 * H + 5 * S, NOW + 3 * H + 9 * S)]
    axis = folded(NOW, NOW + 3 * H + 9 * S, *columns(extents))
    assert [part.idle for part in axis.segments] == [False, True, False]
    # The later stretch is nine times as long and drawn longer; the first is still seen.
    assert axis.at(NOW + 3 * H + 9 * S) - axis.at(NOW + 3 * H) > axis.at(NOW + S) - axis.at(NOW) > 10


def test_even_business_folds_nothing() -> None:
    extents = [(NOW + n * MINUTE, NOW + n * MINUTE + S) for n in range(40)]
    assert len(folded(NOW, NOW + 40 * MINUTE, *columns(extents)).segments) == 1


extent_lists = st.lists(
    st.tuples(st.integers(0, 10**14), st.integers(0, 10**12)).map(lambda pair: (NOW + pair[0], NOW + sum(pair))),
    min_size=1, max_size=20,
)  # fmt: skip


@given(extent_lists, st.integers(-14, 14))
def test_any_axis_is_monotonous_within_its_edges_and_its_labels_apart(
    extents: list[tuple[int, int]], hours: int
) -> None:
    start, end = domain(*columns(extents))
    axis = folded(start, end, *columns(extents))
    moments = sorted({time for pair in extents for time in pair} | {start, end})
    places = [axis.at(time) for time in moments]
    assert places == sorted(places)
    assert places[0] >= 0
    assert places[-1] <= 100
    for left, right in pairwise(axis.segments):
        assert left.end == right.start
        assert left.left + left.width == pytest.approx(right.left)
    marks = ticks(axis, hours * H)
    said = [f"{mark.day} {mark.label}".strip() for mark in marks]
    ends = [mark.at + wide(label) for mark, label in zip(marks, said, strict=True)]
    assert all(right.at >= end for end, right in zip(ends, marks[1:], strict=False))
    assert all(0 <= mark.at <= 96 for mark in marks)
    idle = [(part.left, part.left + part.width) for part in axis.segments if part.idle]
    assert not any(
        left < end and mark.at < right for mark, end in zip(marks, ends, strict=True) for left, right in idle
    )


@pytest.mark.parametrize(
    "length, offset, expected",
    [
        (90_000_000, 0, ["0", "20 ms", "40 ms", "60 ms", "80 ms"]),
        (2 * S, 0, ["0", "500 ms", "1 s", "1.5 s"]),
        (1_000, 0, ["0", "200 ns", "400 ns", "600 ns", "800 ns"]),
    ],
)
def test_short_flows_count_from_their_start(length: int, offset: int, expected: list[str]) -> None:
    assert [mark.label for mark in ticks(straight(NOW, NOW + length), offset, NOW)] == expected


def test_a_window_of_a_short_flow_counts_from_the_flows_start() -> None:
    labels = [mark.label for mark in ticks(straight(NOW + 1_130_000_000, NOW + 1_200_000_000), 0, NOW)]
    assert labels == ["1.13 s", "1.14 s", "1.15 s", "1.16 s", "1.17 s", "1.18 s", "1.19 s"]


def test_a_short_stretch_beside_a_folded_one_says_where_it_begins_and_counts_from_there() -> None:
    late = NOW + 2 * H + 871_000_000
    extents = [(NOW + 250_000_000, NOW + 650_000_000), (late, late + 400_000_000)]
    start, end = domain(*columns(extents))
    labels = [mark.label for mark in ticks(folded(start, end, *columns(extents)))]
    assert labels == ["11:06:40.250", "+200 ms", "13:06:40.831", "+200 ms"]


def test_long_flows_show_the_readers_clock() -> None:
    midnight = NOW - NOW % DAY_NS
    labels = [mark.label for mark in ticks(straight(midnight, midnight + 2 * DAY_NS), 0)]
    assert labels == ["18 Nov", "12:00", "19 Nov", "12:00"]
    in_berlin = [mark.label for mark in ticks(straight(midnight, midnight + 4 * H), H)]
    assert in_berlin == ["01:00", "02:00", "03:00", "04:00"]


def test_an_axis_of_several_days_names_them() -> None:
    night = NOW - NOW % DAY_NS + 22 * H
    extents = [(night, night + 60 * S), (night + 20 * H, night + 20 * H + 60 * S)]
    axis = folded(*domain(*columns(extents)), *columns(extents))
    assert [(mark.day, mark.label) for mark in ticks(axis) if mark.day] == [
        ("18 Nov", "22:00:00"),
        ("19 Nov", "18:00:00"),
    ]
    assert not any(mark.day for mark in ticks(axis, 3 * H))  # all of it is one day there
    over = ticks(straight(night, night + 5 * H))
    assert [f"{mark.day} {mark.label}".strip() for mark in over[:3]] == ["18 Nov 22:00", "23:00", "19 Nov"]


def test_narrow_screens_keep_few_labels() -> None:
    marks = ticks(straight(NOW, NOW + 90_000_000))
    kept = [mark.at for mark in marks if mark.rank == 0]
    assert 1 <= len(kept) <= 3
    assert all(right - left > 30 for left, right in pairwise(kept))


def test_the_overview_counts_each_record_once_and_marks_failures() -> None:
    spans = [span(f"s{n}", NOW + n, NOW + n + 1, status=2 if n == 90 else 0) for n in range(100)]
    axis = straight(NOW, NOW + 100)
    bins = overview(axis, whole(spans, [], [log(1, NOW + 50)]))
    assert sum(1 for told in bins if told.failed) == 1
    assert [told.left for told in bins] == sorted(told.left for told in bins)
    assert max(told.height for told in bins) == 1
