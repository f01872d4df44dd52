"""The mini timelines of a card: a flow's bars, folded stretches and states; how many of a problem's flows were wrong when.

`timeline.layout.card` places them; `timeline.card` says what stands above.
"""

from collections.abc import Sequence
from datetime import UTC

from timeline import moments
from timeline.layout.axis import Axis
from timeline.layout.card import Awaited, Bin, Gap, State, Strip
from timeline.layout.forest import MOVE, SPAN, Aside
from timeline.layout.moves import Lane, lanes
from timeline.layout.overview import BINS, overview
from timeline.personal import masked
from timeline.problem import Problem
from timeline.reading import Reading
from timeline.sheet import reaches_now, shared_axis
from tracing.lengths import MINUTE_NS, SECOND_NS

SPAN_HIGH = 0.18  # the bar of a span that stands alone; a wall says no more
LEAST_FLOWS = 4  # as high as the curve of a problem is at least: one flow is no wall


def of_flow(reading: Reading, at_ns: int) -> Strip:
    """The whole of the view that was read, as it was at that time."""
    flow, forest = reading.flow, reading.story.forest
    if not (forest.shown & (forest.kinds >= SPAN) & (forest.kinds <= MOVE)).any():
        # Its records are past retention: its summary still says from when to when.
        return Strip(
            _begin(flow.first_ns, flow.duration_ns, at_ns), _end(flow.last_ns, flow.duration_ns, at_ns)
        )
    axis = shared_axis(reading)
    bins = overview(axis, forest, reading.plan.flags)
    ghost = next((one for one in forest.asides if one.id == "x-awaited"), None)
    now = reaches_now(reading, axis, min(at_ns + MINUTE_NS, axis.end))
    return Strip(
        _begin(axis.start, axis.end - axis.start, at_ns),
        _end(axis.end, axis.end - axis.start, at_ns),
        tuple(Bin(round(one.left, 2), round(one.width, 2), round(one.height, 2), one.failed) for one in bins),
        _gaps(axis),
        _states(reading, axis, at_ns),
        _awaited(axis, ghost) if ghost else None,
        _now(axis, at_ns) if now else None,
    )


def of_problem(problem: Problem, wrong: Sequence[tuple[int, int | None]], until_ns: int, at_ns: int) -> Strip:
    """How many flows were wrong when."""
    start = min([problem.opened_ns, problem.first_ns, *(since for since, _ in wrong)])
    length = max(until_ns - start, SECOND_NS)
    counts = [0] * BINS
    for since, until in wrong:
        first = (since - start) * BINS // length
        last = BINS - 1 if until is None else (until - start) * BINS // length
        for slot in range(max(0, first), min(BINS - 1, last) + 1):
            counts[slot] += 1
    most, width = max(LEAST_FLOWS, *counts), 100 / BINS
    bins = tuple(
        Bin(round(slot * width, 2), round(width, 2), round(count / most, 2), False)
        for slot, count in enumerate(counts)
        if count
    )
    begin, end = _begin(start, length, at_ns), _end(until_ns, length, at_ns)
    return Strip(begin, end, bins, now=None if problem.resolved_ns is not None else 100.0)


def of_span(start_ns: int, end_ns: int, at_ns: int, *, failed: bool) -> Strip:
    """One bar from its beginning to its end."""
    length = max(0, end_ns - start_ns)
    return Strip(
        _begin(start_ns, length, at_ns), _end(end_ns, length, at_ns), (Bin(0.0, 100.0, SPAN_HIGH, failed),)
    )


def of_log(time_ns: int, at_ns: int) -> Strip:
    """Its moment alone."""
    return Strip(_begin(time_ns, 0, at_ns), "")


def _gaps(axis: Axis) -> tuple[Gap, ...]:
    idle = ((part, moments.took(part.end - part.start)) for part in axis.segments if part.idle)
    # `16 h` of `16 h 10 m`: there is room for no more.
    return tuple(
        Gap(round(part.left, 2), round(part.width, 2), " ".join(took.split()[:2])) for part, took in idle
    )


def _awaited(axis: Axis, ghost: Aside) -> Awaited:
    left = _place(axis, ghost.start)
    return Awaited(left, round(max(0.0, _place(axis, ghost.end) - left), 2), masked(ghost.name))


def _states(reading: Reading, axis: Axis, at_ns: int) -> tuple[State, ...]:
    """The lane of the system that says where it is."""
    told = lanes(reading.story.moves, reading.story.manner)
    owners = [one.system for one in reading.flow.systems if one.state == reading.flow.state]
    lane: Lane | None = next((one for one in told if one.system in owners), told[0] if told else None)
    found = []
    for band in lane.bands if lane else ():
        left = _place(axis, band.start)
        right = _place(axis, band.end) if band.end is not None else _now(axis, at_ns)
        found.append(State(left, round(max(0.0, right - left), 2), masked(band.state), band.tone))
    return tuple(found)


def _now(axis: Axis, at_ns: int) -> float:
    """How far what goes on is drawn: to the end of the minute, for what has only just begun is there too."""
    return _place(axis, min(axis.end, at_ns + MINUTE_NS))


def _place(axis: Axis, time_ns: int) -> float:
    return round(axis.at(time_ns), 2)


def _begin(time_ns: int | None, length_ns: int | None, at_ns: int) -> str:
    exact = length_ns is not None and length_ns < MINUTE_NS
    return when(time_ns, at_ns, exact=exact) if time_ns is not None else ""


def _end(time_ns: int | None, length_ns: int | None, at_ns: int) -> str:
    if length_ns is not None and length_ns < MINUTE_NS:
        return f"+{moments.took(length_ns)}"
    return when(time_ns, at_ns) if time_ns is not None else ""


def when(time_ns: int, at_ns: int, exact: bool = False) -> str:
    """`27 Nov 14:55 UTC`, with the year where it is another: a picture is looked at on any day, in any zone."""
    time, at = moments.moment(time_ns, UTC), moments.moment(at_ns, UTC)
    if time is None:
        return f"{time_ns} ns"
    clock = f"{time:%H:%M:%S}" if exact else f"{time:%H:%M}"
    day = f"{time.day} {time:%b}" if at and at.year == time.year else f"{time:%Y-%m-%d}"
    return f"{day} {clock} UTC"
