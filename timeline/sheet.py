"""What all rows of a page share: the time axis with its ticks and folded stretches, the state lanes, the overview."""

from collections.abc import Iterator
from datetime import timedelta, tzinfo
from typing import Any

from timeline import moments
from timeline.drawing import DrawnBin, draw_lanes, draw_overview, percent
from timeline.layout.axis import Axis, domain, folded, is_sound, straight
from timeline.layout.moves import lanes
from timeline.layout.overview import Bin, overview
from timeline.layout.ticks import ticks
from timeline.layout.tree import extent
from timeline.reading import Reading


def sheet(reading: Reading, axis: Axis, path: str, zone: tzinfo, hues: dict[str, str]) -> dict[str, Any]:
    """The context of everything above the rows."""
    return {
        "axis": axis,
        "axis_start": moments.full(axis.start, zone),
        "ticks": [(percent(tick.at), tick.label, tick.rank) for tick in ticks(axis, _offset_ns(axis, zone))],
        "gaps": _gaps(axis),
        "lanes": draw_lanes(axis, lanes(reading.story.moves), hues),
        "bins": _overview(reading, axis, path),
    }


def shared_axis(reading: Reading) -> Axis:
    sieve = reading.asked.sieve
    extents = [extent(tree) for tree in reading.story.trees if tree.times]
    if sieve or reading.flow.kind != "request" or not all(is_sound(*told) for told in extents):
        extents = list(_extents(reading))
    start, end = domain(extents)
    start = sieve.start if sieve.start is not None else start
    end = sieve.end if sieve.end is not None else end
    if reading.flow.kind == "request":
        return straight(start, max(end, start + 1_000))
    return folded(start, max(end, start + 1_000), extents)


def _overview(reading: Reading, axis: Axis, path: str) -> list[DrawnBin]:
    """The strip; each bar leads to its stretch of time."""
    if reading.total < 2:
        return []
    asked = reading.asked

    def stretch(told: Bin) -> str:
        return asked.address(
            path, ("cursor",), **{"from": str(told.start), "to": str(max(told.start, told.end))}
        )

    return draw_overview(overview(axis, reading.story.trees), stretch)


def _extents(reading: Reading) -> Iterator[tuple[int, int]]:
    """What is busy when: belonging records of the chapters that are shown."""
    shown = {chapter for chapter, _, _ in reading.plan.places}
    for index, chapter in enumerate(reading.plan.chapters):
        tree = chapter.tree
        if index not in shown:
            continue
        if tree is None or not tree.times:
            yield chapter.start, chapter.end
            continue
        flags = reading.plan.flags.get(index)
        for node, time in enumerate(tree.times):
            if flags is not None and flags[node] != 1:
                continue
            if node < len(tree.spans) and chapter.context and tree.spans[node].span_id in chapter.context:
                continue
            yield time, tree.end(node)


def _offset_ns(axis: Axis, zone: tzinfo) -> int:
    at = moments.moment(axis.start, zone)
    shift = at.utcoffset() if at else None
    return int((shift or timedelta()).total_seconds()) * 1_000_000_000


def _gaps(axis: Axis) -> list[tuple[str, str, str, str, int]]:
    """Folded stretches: left edge, width, middle, how long they are, and 1 where narrow screens have no room for that."""
    found, before = [], -100.0
    for part in axis.segments:
        if part.idle:
            middle = part.left + part.width / 2
            rank = int(middle - before < 34 or middle > 88)
            before = before if rank else middle
            told = moments.took(part.end - part.start)
            found.append((percent(part.left), percent(part.width), percent(middle), told, rank))
    return found
