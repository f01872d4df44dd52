"""Round moments along an axis, with labels short enough to stand beside each other.

Short flows are labelled by the time since their start, long ones by the reader's clock. Where every label would not
fit a narrow screen, `rank` says which go first: 0 stays everywhere, 1 leaves.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from timeline.layout.axis import Axis, Segment
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
ROOM = 13.0  # percent of the plot that one label needs on a wide screen
NARROW_ROOM = 34.0  # and on one of 390 px
SINCE_START = MINUTE  # shorter flows are labelled by the time since their start


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str
    rank: int


def ticks(axis: Axis, offset_ns: int = 0) -> list[Tick]:
    """`offset_ns` is the reader's zone: local time minus UTC."""
    since = len(axis.segments) == 1 and axis.end - axis.start < SINCE_START
    found: list[tuple[float, str]] = []
    for segment in axis.segments:
        if not segment.idle:
            found += _in_segment(segment, offset_ns, since)
    labels = [part.left + part.width / 2 for part in axis.segments if part.idle]
    return _spaced(
        [(at, told) for at, told in found if not any(-ROOM * 0.6 < at - middle < 5 for middle in labels)]
    )


def _in_segment(segment: Segment, offset_ns: int, since: bool) -> list[tuple[float, str]]:
    length = segment.end - segment.start
    wanted = max(1, int(segment.width / ROOM))
    step = next((step for step in STEPS if step * wanted >= length), STEPS[-1])
    base = segment.start if since else -offset_ns
    first = base - (base - segment.start) // step * step  # the first round moment at or after the start
    moments = range(first, segment.end + 1, step)
    told = [(_place(segment, time), _label(time, step, segment, offset_ns, since)) for time in moments]
    if not since and (not told or told[0][0] - segment.left > ROOM):
        told.insert(0, (segment.left, clock(segment.start, offset_ns, step)))
    return told


def _place(segment: Segment, time: int) -> float:
    return segment.left + segment.width * (time - segment.start) / (segment.end - segment.start)


def _label(time: int, step: int, segment: Segment, offset_ns: int, since: bool) -> str:
    return took(time - segment.start) if since else clock(time, offset_ns, step)


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


def _spaced(found: list[tuple[float, str]]) -> list[Tick]:
    """Leave out labels that would stand in another's way, and rank the rest for narrow screens."""
    kept: list[Tick] = []
    wide = narrow = -1000.0
    for at, label in sorted(found):
        if at - wide < ROOM * 0.8 or at > 96:
            continue
        stays = at - narrow >= NARROW_ROOM and at < 72
        kept.append(Tick(at, label, 0 if stays else 1))
        wide, narrow = at, at if stays else narrow
    return kept
