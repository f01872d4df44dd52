"""The chart's bars: where they stand, how high, and which list each opens."""

from datetime import UTC
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from timeline.bars import HEIGHT, bars
from timeline.queries.chart import Chart

MINUTE_NS = 60_000_000_000


def href(from_ns: int, to_ns: int) -> str:
    return f"{from_ns}-{to_ns}"


def test_heights_follow_the_tallest_and_an_empty_stretch_has_none() -> None:
    drawn = bars(Chart(100, 5, (0, 1, 160, 16_000), (0, 1, 0, 4_000), False), href, UTC)
    assert [float(bar.height) for bar in drawn] == [0, 2, 5.4, 54]
    assert [float(bar.bad_height) for bar in drawn] == [0, 2, 0, 13.5] and drawn[3].bad_y == "42.50"
    assert [bar.x for bar in drawn] == ["0.00", "250.00", "500.00", "750.00"]
    assert drawn[1].href == href(105 * MINUTE_NS, 110 * MINUTE_NS)
    words = "16,000 last active from 1970-01-01 01:55:00.000 UTC to 1970-01-01 02:00:00.000 UTC, 4,000 with errors"
    assert drawn[3].title == words
    assert bars(Chart(0, 1, (7,), (0,), True), href, UTC)[0].title.startswith("about 7 ")


@given(
    st.lists(st.integers(0, 10**9), min_size=1, max_size=60),
    st.integers(1, 10_000),
    st.integers(0, 3 * 10**7),
)
def test_bars_stay_on_the_canvas_and_cover_the_range_without_gaps(
    counts: list[int], width: int, first: int
) -> None:
    drawn = bars(Chart(first, width, tuple(counts), tuple(count // 3 for count in counts), False), href, UTC)
    assert all(0 <= float(bar.y) <= HEIGHT and float(bar.x) + float(bar.width) <= 1_000.1 for bar in drawn)
    assert all(left.to_ns == right.from_ns for left, right in pairwise(drawn))
    assert drawn[-1].to_ns == (first + width * len(counts)) * MINUTE_NS
