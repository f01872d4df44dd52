"""Rows, state lanes and the overview as shapes on the axis, ready for `templates/flow/`.

`layout` says where a moment lies; this says which shape stands there. Attributes only: the content policy forbids `style`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from timeline.layout.axis import Axis
from timeline.layout.moves import Lane
from timeline.layout.overview import Bin

LEAST = 0.35  # percent: a bar is never narrower, so that it can be seen
TONES = 6
STRIP = 20  # height of the overview's tallest bar


@dataclass(frozen=True, slots=True)
class LaneBand:
    left: str
    width: str
    tone: int
    state: str
    said: bool  # wide enough for its name


@dataclass(frozen=True, slots=True)
class DrawnLane:
    system: str
    hue: str
    state: str
    bands: list[LaneBand]


@dataclass(frozen=True, slots=True)
class DrawnBin:
    left: str
    width: str
    bar: str  # width of the bar in it
    top: str
    height: str
    failed: bool
    found: int  # hits of a search
    said: str
    href: str


def bar(axis: Axis, start: int, length: int) -> tuple[str, str]:
    """Left edge and width of something that lasted."""
    left = axis.at(start)
    width = max(LEAST, axis.at(start + max(0, length)) - left)
    return percent(min(left, 100 - LEAST)), percent(width)


def point(axis: Axis, time: int) -> str:
    return percent(max(0.4, axis.at(time)))


def percent(value: float) -> str:
    return f"{value:.2f}%"


def draw_lanes(axis: Axis, lanes: Iterable[Lane], hues: Mapping[str, str]) -> list[DrawnLane]:
    return [
        DrawnLane(lane.system, hues.get(lane.system, ""), lane.bands[-1].state, _bands(axis, lane))
        for lane in lanes
    ]


def _bands(axis: Axis, lane: Lane) -> list[LaneBand]:
    found = []
    for told in lane.bands:
        if told.start > axis.end or (told.end is not None and told.end <= axis.start):
            continue  # outside the window that is shown
        left = axis.at(told.start)
        right = axis.at(told.end) if told.end is not None else 100.0
        width = max(LEAST, right - left - 0.2)
        found.append(LaneBand(percent(left), percent(width), told.tone % TONES, told.state, width > 3))
    return found


def draw_overview(bins: Iterable[Bin], href: Callable[[Bin], str]) -> list[DrawnBin]:
    return [
        DrawnBin(
            percent(told.left),
            percent(told.width),
            percent(told.width * 0.75),
            f"{23 - told.height * STRIP:.1f}",
            f"{max(2.0, told.height * STRIP):.1f}",
            told.failed,
            told.found,
            f"{told.count:,} record{'' if told.count == 1 else 's'}{', errors' if told.failed else ''}"
            + (f", {told.found:,} found" if told.found else ""),
            href(told),
        )
        for told in bins
    ]
