"""Shapes on the axis: never narrower than can be seen, never outside the plot, none for what the window leaves out."""

import pytest

from timeline.drawing import LEAST, bar, draw_lanes, point
from timeline.layout.axis import MARGIN, straight
from timeline.layout.moves import Band, Lane

AXIS = straight(1_000, 2_000)


def number(text: str) -> float:
    return float(text.removesuffix("%"))


@pytest.mark.parametrize(
    "start, length, left, width",
    [
        (1_000, 1_000, 0, 100 - MARGIN),
        (1_500, 0, (100 - MARGIN) / 2, LEAST),
        (1_500, -300, (100 - MARGIN) / 2, LEAST),
        (0, 500, 0, LEAST),
        (2_000, 2**63, 100 - MARGIN, LEAST),
        (1_000, 2**63, 0, 100 - MARGIN),
    ],
)
def test_bars(start: int, length: int, left: float, width: float) -> None:
    told = bar(AXIS, start, length)
    assert (number(told[0]), number(told[1])) == pytest.approx((left, width), abs=0.01)


@pytest.mark.parametrize("time", [0, 1_000, 1_700, 2**63])
def test_points_lie_inside(time: int) -> None:
    assert 0 < number(point(AXIS, time)) < 100


def test_lanes_show_the_states_of_the_window() -> None:
    bands = [
        Band("new", 0, 900, 0),
        Band("paid", 900, 1_500, 1),
        Band("sent", 1_500, None, 7),
        Band("never", 2_500, None, 2),
    ]
    (lane,) = draw_lanes(AXIS, [Lane("shop", bands)], {"shop": "s1"}, 2_500)
    assert [(band.state, band.tone) for band in lane.bands] == [("paid", 1), ("sent", 1)]
    assert (lane.state, lane.hue) == ("never", "s1")
    assert number(lane.bands[-1].left) + number(lane.bands[-1].width) == pytest.approx(100, abs=0.3)
