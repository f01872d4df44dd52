"""Rows, state lanes and the overview as shapes on the axis, ready for `templates/flow/`.

`layout` says where a moment lies; this says which shape stands there. Attributes only: the content policy forbids `style`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from timeline.layout.axis import Axis
from timeline.layout.moves import Lane
from timeline.layout.overview import Bin
from timeline.moments import took

LEAST = 0.35  # percent: a bar is never narrower, so that it can be seen
TONES = 6
LETTER = 1.15  # percent of the plot that a letter takes, where the plot is narrow
STRIP = 20  # height of the overview's tallest bar


@dataclass(frozen=True, slots=True)
class LaneBand:
    left: str
    width: str
    tone: int
    state: str
    text: str  # what there is room for: the state, and how long it lasted
    title: str
    odd: str


@dataclass(slots=True)
class DrawnLane:
    system: str
    hue: str
    state: str
    bands: list[LaneBand]
    mark: str = ""  # how it differs from another system now: "! 3 h behind shop"
    grave: bool = False  # what both say may not be said at once
    lag: tuple[str, str] = ("", "")  # where that lasts: left edge and width


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


def draw_lanes(
    axis: Axis,
    lanes: Iterable[Lane],
    hues: Mapping[str, str],
    now_ns: int,
    *,
    is_over: bool = False,
    has_now: bool = False,
) -> list[DrawnLane]:
    """`is_over`: the flow has ended, so its last states last no longer. `has_now`: the line of now is drawn."""
    # What lasts is drawn to now, also where the axis goes on behind it to something that is still to come.
    edge = axis.at(now_ns) if has_now or now_ns < axis.end else 100.0
    return [_lane(axis, lane, hues.get(lane.system, ""), now_ns, is_over, edge) for lane in lanes]


def _lane(axis: Axis, lane: Lane, hue: str, now_ns: int, is_over: bool, edge: float) -> DrawnLane:
    drawn = DrawnLane(lane.system, hue, lane.bands[-1].state, _bands(axis, lane, now_ns, is_over, edge))
    if lane.lag is None:
        return drawn
    drawn.grave = lane.lag.word == "conflict"
    long = f"{took(now_ns - lane.lag.since_ns)} " if lane.lag.since_ns and not is_over else ""
    if drawn.grave:
        drawn.mark = f"◆ {lane.lag.other} says {lane.lag.said}"
    else:
        drawn.mark = f"! {_coarse(long)}behind {lane.lag.other}"
    if lane.lag.since_ns < axis.end:
        left = axis.at(lane.lag.since_ns)
        drawn.lag = percent(left), percent(max(LEAST, edge - left))
    return drawn


def _coarse(long: str) -> str:
    """`3 h 12 m ` as `3 h `: a glance needs no more."""
    parts = long.split()
    return f"{' '.join(parts[:2])} " if parts else ""


def _bands(axis: Axis, lane: Lane, now_ns: int, is_over: bool, edge: float) -> list[LaneBand]:
    found = []
    for told in lane.bands:
        if told.start > axis.end or (told.end is not None and told.end <= axis.start):
            continue  # outside the window that is shown
        left = axis.at(told.start)
        right = axis.at(told.end) if told.end is not None else edge
        width = max(LEAST, right - left - 0.2)
        lasts = told.end is None
        end = now_ns if lasts else told.end
        long = (
            took(end - told.start)
            if told.start and end and end > told.start and not (lasts and is_over)
            else ""
        )
        whole = f"{told.state} {long}" if long else told.state
        text = whole if width > len(whole) * LETTER else told.state if width > 3 else ""
        title = whole + (" until now" if lasts and long else "") + (f", {told.odd}" if told.odd else "")
        found.append(
            LaneBand(percent(left), percent(width), told.tone % TONES, told.state, text, title, told.odd)
        )
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
