"""What all rows of a page share: the time axis with its ticks and folded stretches, the state lanes, the overview.

`timeline.layout` places these on the axis, `timeline.drawing` makes shapes of them; `timeline.page` puts the sheet
between its head and the rows.
"""

from collections.abc import Iterator
from datetime import timedelta, tzinfo
from typing import Any

import numpy as np
from django.db import connection

from timeline import moments
from timeline.drawing import DrawnBin, bar, draw_lanes, draw_overview, percent
from timeline.layout.axis import LEAST_NS, Axis, domain, folded
from timeline.layout.forest import ASIDE, MOVE, SPAN
from timeline.layout.moves import lanes
from timeline.layout.order import Times
from timeline.layout.overview import Bin, overview
from timeline.layout.sieve import MATCH
from timeline.layout.ticks import ticks
from timeline.reading import Reading
from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.watch import sight
from tracing.watch.blindness import overlap

SINCE_START_NS = 60_000_000_000
HALF_SECOND_NS = 500_000_000
READ_NS = 10 * SECOND_NS  # that drawing may come after reading, which ends the axis at its own now
NOW_ROOM = 15.0  # percent that a label and the word now take, where the plot is narrow
MOST_BLIND = 100


def sheet(reading: Reading, axis: Axis, path: str, zone: tzinfo, hues: dict[str, str]) -> dict[str, Any]:
    """The context of everything above the rows."""
    now = now_ns()
    judged = reading.flow.judged
    now_at = axis.at(now) if reaches_now(reading, axis, now) else None
    return {
        "axis": axis,
        "axis_segments": ";".join(
            f"{part.start}:{part.end}:{part.left:.3f}:{part.width:.3f}:{int(part.idle)}"
            for part in axis.segments
        ),
        "axis_start": moments.full(axis.start, zone),
        "ticks": [
            # The last label would run out of the plot.
            (percent(tick.at), tick.label, tick.rank if _has_room(tick.at, now_at) else 2, tick.day)
            for tick in ticks(axis, _offset_ns(axis, zone), origin(reading))
        ],
        "now_at": "" if now_at is None else percent(now_at),
        "blind": _blind(reading, axis, zone, now),
        "gaps": _gaps(axis, reading, path),
        "gaps_href": reading.asked.address(path, ("gaps",)) if reading.asked.gaps else "",
        "lanes": draw_lanes(
            axis,
            lanes(reading.story.moves, reading.story.manner),
            hues,
            now,
            is_over=judged is not None and judged.verdict == "ended",
            has_now=now_at is not None,
        ),
        "bins": _overview(reading, axis, path),
    }


def reaches_now(reading: Reading, axis: Axis, now: int) -> bool:
    """Whether now is on the axis because something goes on, or is to come."""
    forest = reading.story.forest
    goes_on = bool(forest.open_nodes) or any(one.row == "ghost" for one in forest.asides)
    # A window that was asked for ends where it was asked to.
    late = READ_NS if reading.asked.sieve.end is None else 0
    return goes_on and axis.start < now <= axis.end + late


def _has_room(at: float, now_at: float | None) -> bool:
    """Whether a label that begins here ends before the edge, and before the word now."""
    return at < (95 if now_at is None else min(95.0, now_at - NOW_ROOM))


def _blind(reading: Reading, axis: Axis, zone: tzinfo, now: int) -> list[tuple[str, str, str]]:
    """When nobody was there to receive: left edge, width, and in words."""
    judged = reading.flow.judged
    told = judged.evidence.get("blind") if judged else None
    seen = sight.blind(connection, axis.start, min(now, axis.end))
    found = overlap(axis.start, min(now, axis.end), [*seen, *((since, until) for since, until in told or ())])
    return [
        (
            *bar(axis, since, until - since),
            f"blind {' – '.join(moments.stretch(since, until, zone, now))}, {moments.took(until - since)}",
        )
        for since, until in found[:MOST_BLIND]
    ]


def origin(reading: Reading) -> int | None:
    """From when on moments of this flow are told; None where it is so long that the clock tells them."""
    forest = reading.story.forest
    own = forest.shown & (forest.kinds >= SPAN) & (forest.kinds <= MOVE)
    start, end = domain(forest.drawn[own], forest.drawn_ends[own])
    return start if end - start < SINCE_START_NS else None


def shared_axis(reading: Reading) -> Axis:
    """The axis of everything that is kept by the filters; idle stretches fold unless the address opens them."""
    sieve = reading.asked.sieve
    starts, ends = _extents(reading)
    if not len(starts):
        own = reading.story.forest.shown & (reading.story.forest.kinds >= SPAN)
        starts, ends = reading.story.forest.drawn[own], reading.story.forest.drawn_ends[own]
    start, end = domain(starts, ends)
    if end - start <= LEAST_NS:
        # What happened at one moment stands in the middle of a second.
        start, end = start - HALF_SECOND_NS, start + HALF_SECOND_NS
        starts, ends = np.array([start]), np.array([end])
    start = sieve.start if sieve.start is not None else start
    if reading.story.forest.open_nodes:
        end = max(end, now_ns())  # what goes on is drawn to now
    end = sieve.end if sieve.end is not None else end
    return folded(start, max(end, start + 1_000), starts, ends, reading.asked.gaps)


def _overview(reading: Reading, axis: Axis, path: str) -> list[DrawnBin]:
    """The strip; each bar leads to its stretch of time."""
    if reading.total < 2:
        return []
    asked = reading.asked

    def stretch(told: Bin) -> str:
        return asked.address(
            path, ("cursor",), **{"from": str(told.start), "to": str(max(told.start, told.end))}
        )

    return draw_overview(overview(axis, reading.story.forest, reading.plan.flags, reading.plan.hits), stretch)


def _extents(reading: Reading) -> tuple[Times, Times]:
    """What is busy when: belonging records that a filter keeps, and chapters whose records are not here."""
    forest, flags = reading.story.forest, reading.plan.flags
    busy = forest.own
    if flags is not None:
        busy &= flags == MATCH
    bare = [chapter for chapter in forest.chapters if not chapter.was_read or not chapter.count]
    bare = [chapter for chapter in bare if chapter.has_row and flags is None]
    points = np.array(list(_points(reading)), np.int64)
    return (
        np.concatenate((forest.drawn[busy], np.array([one.start for one in bare], np.int64), points)),
        np.concatenate((forest.drawn_ends[busy], np.array([one.end for one in bare], np.int64), points)),
    )


def _points(reading: Reading) -> Iterator[int]:
    """Moments that are seen beside the records: the ends of what was said, when something should come, and now.

    What was said in between lies in the quiet, which folds.
    """
    forest, flags = reading.story.forest, reading.plan.flags
    kept = [
        aside
        for row, aside in enumerate(forest.asides)
        if flags is None or flags[forest.node_of(ASIDE, row)] == MATCH
    ]
    if kept:
        # What somebody wrote at a moment still to come is no record: only what is awaited reaches beyond now.
        now = now_ns()
        ends = [aside.end if aside.row == "ghost" else min(aside.end, now) for aside in kept]
        yield min(min(aside.start, end) for aside, end in zip(kept, ends, strict=True))
        yield max(ends)
    yield from (aside.expected_ns for aside in kept if aside.expected_ns is not None)


def _offset_ns(axis: Axis, zone: tzinfo) -> int:
    at = moments.moment(axis.start, zone)
    shift = at.utcoffset() if at else None
    return int((shift or timedelta()).total_seconds()) * 1_000_000_000


def _gaps(axis: Axis, reading: Reading, path: str) -> list[tuple[str, str, str, str, int, str]]:
    """Folded stretches: left edge, width, middle, how long they are, where there is room to say that, what unfolds them.

    Room: 0 is everywhere, 1 on wide screens only, 2 nowhere.
    """
    opened = reading.asked.gaps
    found, before, last = [], -100.0, -100.0
    for part in axis.segments:
        if part.idle:
            middle = part.left + part.width / 2
            narrow = middle - before < 34 or middle > 88
            before = before if narrow else middle
            told = moments.took(part.end - part.start)
            # A label takes about a percent a character where the plot is wide.
            crowded = middle - last < 1.1 * len(told) or middle > 95
            last = last if crowded else middle
            rank = 2 if crowded else int(narrow)
            href = reading.asked.address(path, gaps=",".join(map(str, sorted({*opened, part.start}))))
            found.append((percent(part.left), percent(part.width), percent(middle), told, rank, href))
    return found
