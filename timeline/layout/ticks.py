"""Round moments along an axis, with labels short enough to stand beside each other.

Short flows are labelled by the time since their start, long ones by the reader's clock; `timeline.sheet` decides which.
Where every label would not fit a narrow screen, `rank` says which go first: 0 stays everywhere, 1 leaves.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from timeline.layout.axis import MARGIN, Axis, Segment
from timeline.moments import took

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
STEPS = (
    *(factor * 10**power for power in range(0, 9) for factor in (1, 2, 5)),
    *(S * count for count in (1, 2, 5, 10, 15, 30)),
    *(MINUTE * count for count in (1, 2, 5, 10, 15, 30)),
    *(HOUR * count for count in (1, 2, 3, 6, 12)),
    *(DAY * count for count in (1, 2, 7, 14, 30, 90, 365)),
)
ROOM = 13.0  # percent of the plot from one label to the next on a wide screen
NARROW_ROOM = 34.0  # and on one of 390 px
NARROW_LETTER = 3.6  # percent of that plot that a letter takes


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str
    rank: int
    day: str = ""  # stands before the label where there is room on a wide screen


def ticks(axis: Axis, offset_ns: int = 0, origin: int | None = None) -> list[Tick]:
    """`offset_ns` is the reader's zone: local time minus UTC. With an origin moments are told as the time since it."""
    many = len(axis.segments) > 1
    found: list[tuple[float, str, bool]] = []
    for segment in axis.segments:
        if not segment.idle:
            told = _in_segment(segment, offset_ns, None if many else origin, many)
            edge = _edge(axis, segment.left)
            found += [
                (at, label, not many or at + NARROW_LETTER * len(label) <= edge)
                for at, label in told
                if not many or at + wide(label) <= edge
            ]
    marks = _spaced(found)
    return marks if origin is not None and not many else _dated(axis, marks, offset_ns)


def _dated(axis: Axis, marks: list[Tick], offset_ns: int) -> list[Tick]:
    """On an axis of several days each first clock of a day names it, where there is room up to the next label."""
    before = (axis.start + offset_ns) // DAY
    if before == (axis.end + offset_ns) // DAY:
        return marks
    found, before = [], before - 1
    for place, tick in enumerate(marks):
        day = (axis.time_at(tick.at) + offset_ns) // DAY
        name = clock(day * DAY, 0, DAY)
        following = marks[place + 1].at if place + 1 < len(marks) else 100.0
        room = min(following, _edge(axis, tick.at)) - tick.at
        is_clock = ":" in tick.label
        fits = is_clock and day != before and wide(f"{name} {tick.label}") <= room
        found.append(replace(tick, day=name) if fits else tick)
        if fits or not (is_clock or tick.label.startswith("+")):
            before = day
    return found


def _edge(axis: Axis, at: float) -> float:
    """Up to where a label may reach: not into the zigzag of the next folded stretch."""
    segment = next(part for part in reversed(axis.segments) if part.left <= at)
    return segment.left + segment.width + (MARGIN if segment is axis.segments[-1] else 0)


def wide(label: str) -> float:
    """Percent of a wide plot that a label takes."""
    return 0.75 * len(label) + 0.6


def _in_segment(segment: Segment, offset_ns: int, origin: int | None, many: bool) -> list[tuple[float, str]]:
    """Round moments of a stretch. Beside folded ones a short stretch is told by its start and the time since it."""
    length = segment.end - segment.start
    wanted = max(1, int(segment.width / ROOM))
    step = next((step for step in STEPS if step * wanted >= length), STEPS[-1])
    if many and step < S:
        moments = range(segment.start + step, segment.end + 1, step)
        since = [(_place(segment, time), f"+{took(time - segment.start)}") for time in moments]
        return [_opening(segment, offset_ns, 1), *since]
    base = -offset_ns if origin is None else origin
    first = base - (base - segment.start) // step * step  # the first round moment at or after the start
    moments = range(first, segment.end + 1, step)
    told = [
        (_place(segment, time), clock(time, offset_ns, step) if origin is None else took(time - origin))
        for time in moments
    ]
    if origin is None and (not told or told[0][0] - segment.left > ROOM):
        told.insert(0, _opening(segment, offset_ns, step))
    return told


def _opening(segment: Segment, offset_ns: int, step: int) -> tuple[float, str]:
    """Where a stretch begins, as exactly as it has room for."""
    labels = [clock(segment.start, offset_ns, fine) for fine in (step, max(step, S), MINUTE)]
    return segment.left, next((label for label in labels if wide(label) <= segment.width), labels[-1])


def _place(segment: Segment, time: int) -> float:
    return segment.left + segment.width * (time - segment.start) / (segment.end - segment.start)


def clock(time: int, offset_ns: int, step: int) -> str:
    """The reader's clock, as fine as the step asks for; midnight is named by its day."""
    local = time + offset_ns
    told = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=local // 1000)
    if step >= DAY or (step >= MINUTE and local % DAY == 0):
        return f"{told.day} {told:%b}"
    if step >= MINUTE:
        return f"{told:%H:%M}"
    if step >= S:
        return f"{told:%H:%M:%S}"
    return f"{told:%H:%M:%S}.{told.microsecond // 1000:03d}"


def _spaced(found: list[tuple[float, str, bool]]) -> list[Tick]:
    """Leave out labels that would stand in another's way, and rank the rest for narrow screens, where some have no room."""
    kept: list[Tick] = []
    free = narrow = -1000.0
    for at, label, fits in sorted(found):
        if at < free or at > 96 or (kept and kept[-1].label == label):
            continue
        stays = at >= narrow and at < 72 and (fits or not kept)
        kept.append(Tick(at, label, 0 if stays else 1))
        free, narrow = (
            at + max(wide(label) + 1.5, 4),
            at + max(NARROW_ROOM, NARROW_LETTER * len(label)) if stays else narrow,
        )
    return kept
