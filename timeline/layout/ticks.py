"""Round moments along an axis, with labels short enough to stand beside each other.

Short flows are labelled by the time since their start, long ones by the reader's clock. Where every label would not
fit a narrow screen, `rank` says which go first: 0 stays everywhere, 1 leaves.
"""

from dataclasses import dataclass
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
            told = _in_segment(segment, offset_ns, since, 0 if len(axis.segments) == 1 else S)
            edge = segment.left + segment.width + (MARGIN if segment is axis.segments[-1] else 0)
            # A label may not reach into the zigzag of the next folded stretch.
            found += [
                (at, label) for at, label in told if len(axis.segments) == 1 or at + wide(label) <= edge
            ]
    return _spaced(found)


def wide(label: str) -> float:
    """Percent of a wide plot that a label takes."""
    return 0.75 * len(label) + 0.6


def _in_segment(segment: Segment, offset_ns: int, since: bool, least: int) -> list[tuple[float, str]]:
    """Round moments of a stretch; beside folded ones the clock is told to the second, `least`, at best."""
    length = segment.end - segment.start
    wanted = max(1, int(segment.width / ROOM))
    step = next((step for step in STEPS if step * wanted >= length), STEPS[-1])
    base = segment.start if since else -offset_ns
    first = base - (base - segment.start) // step * step  # the first round moment at or after the start
    moments = range(first, segment.end + 1, step)
    told = [
        (_place(segment, time), _label(time, max(step, least), segment, offset_ns, since)) for time in moments
    ]
    if not since and (not told or told[0][0] - segment.left > ROOM):
        fine = clock(segment.start, offset_ns, max(step, least))
        told.insert(
            0,
            (segment.left, fine if wide(fine) <= segment.width else clock(segment.start, offset_ns, MINUTE)),
        )
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
    free = narrow = -1000.0
    for at, label in sorted(found):
        if at < free or at > 96 or (kept and kept[-1].label == label):
            continue
        stays = at >= narrow and at < 72
        kept.append(Tick(at, label, 0 if stays else 1))
        free, narrow = at + max(wide(label) + 1.5, 4), at + NARROW_ROOM if stays else narrow
    return kept
