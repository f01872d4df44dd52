"""A reading as what `templates/flow/` draws: links that keep the view, shapes, words in the reader's zone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest

from timeline import moments, sentences
from timeline.drawing import DrawnBin, bar, draw_lanes, draw_overview, percent, point
from timeline.layout.axis import Axis, domain, folded, is_sound, straight
from timeline.layout.moves import lanes
from timeline.layout.overview import Bin, overview
from timeline.layout.story import CHAPTER
from timeline.layout.ticks import ticks
from timeline.layout.tree import extent
from timeline.queries.related import read_neighbours
from timeline.reading import Reading
from timeline.rows import Row
from timeline.summaries import FlowSummary
from timeline.templatetags.threadline import HUES, hue, reader_zone
from timeline.views.record import record_context
from tracing.clock import now_ns

DEEPEST = 12  # levels that are indented; deeper rows say their depth
SINCE_START_NS = 60_000_000_000
OPEN, SHUT = "▾", "▸"


@dataclass(slots=True)
class Drawn:
    """One row on the page."""

    row: Row
    css: str
    indent: str
    level: int
    href: str
    hue: str
    left: str
    width: str
    told: str  # the right column: how long, or when
    when: str  # on hover: the whole time, in the reader's zone and UTC
    label: str  # a tag before the name
    label_css: str
    name: str = ""
    note: str = ""
    toggle: str = ""
    twist: str = ""
    deep: int = 0
    at: str = ""
    # Where a chapter's note stands: beside its bar, on the side with room.
    note_at: str = ""
    note_dx: str = ""
    note_anchor: str = ""


@dataclass(slots=True)
class Chip:
    label: str
    href: str
    pressed: bool


@dataclass(slots=True)
class Painter:
    """Everything the rows of one page share."""

    reading: Reading
    path: str
    axis: Axis
    zone: tzinfo
    now_ns: int
    hues: dict[str, str]
    _base: str = field(default="")

    def draw(self, row: Row) -> Drawn:
        asked = self.reading.asked
        lasts = row.row in ("span", "chapter")
        left, width = (
            bar(self.axis, row.start, row.duration or 0) if lasts else (point(self.axis, row.start), "")
        )
        label, label_css = _label(row)
        drawn = Drawn(
            row=row,
            css=self._css(row),
            indent=f"d{min(row.depth, DEEPEST)}",
            level=row.depth + 1,
            href=self._record_href(row),
            hue=self.hues.get(row.service) or (hue(row.service) if row.service else ""),
            left=left,
            width=width,
            told=self._told(row, lasts),
            when=self._when(row.start),
            label=label,
            label_css=label_css,
        )
        drawn.name, drawn.note = _words(row)
        if row.depth > DEEPEST:
            drawn.deep = row.depth
        if row.row == "chapter":
            drawn.at = moments.short(row.start, self.zone, self.now_ns)
            drawn.note_at, drawn.note_dx, drawn.note_anchor = self._note(row)
        if row.open is not None:
            drawn.toggle = asked.toggled(self.path, row.id, row.open)
            drawn.twist = OPEN if row.open else SHUT
        return drawn

    def _note(self, row: Row) -> tuple[str, str, str]:
        left, right = self.axis.at(row.start), self.axis.at(row.start + (row.duration or 0))
        if right < 66 or left < 34:
            return percent(max(right, left + 0.4)), "6", ""
        return percent(left), "-6", ' text-anchor="end"'

    def _css(self, row: Row) -> str:
        css = row.row
        if row.id == self.reading.asked.record:
            css += " open"
        if row.dim:
            css += " dim"
        return css + " bad" if row.status == "error" else css

    def _record_href(self, row: Row) -> str:
        if row.row == "chapter":
            return row.href
        if not self._base:
            told = self.reading.asked.address(self.path, ("record",))
            self._base = f"{told}{'&' if '?' in told else '?'}record="
        return self._base + quote(row.record or row.id, safe="-._~")

    def _told(self, row: Row, lasts: bool) -> str:
        if lasts:
            return moments.took(row.duration)
        since = row.start - self.axis.start
        if 0 <= since < SINCE_START_NS:
            return f"+{moments.took(since)}"
        time = moments.moment(row.start, self.zone)
        return f"{time:%H:%M:%S}" if time and row.start > 0 else "no time"

    def _when(self, time_ns: int) -> str:
        utc = moments.full(time_ns, UTC)
        local = moments.full(time_ns, self.zone)
        return utc if local == utc else f"{local} = {utc}"


def _words(row: Row) -> tuple[str, str]:
    """The name in a row, and the note after it. An exception is known by what it says."""
    if row.row == "event" and row.status == "error" and row.text:
        return row.text, ""
    return row.name, row.text or "" if row.row in ("transition", "event") else ""


def _label(row: Row) -> tuple[str, str]:
    if row.row == "log":
        warns = row.severity.upper().startswith("WARN")
        return row.severity or "LOG", "err" if row.status == "error" else "warn" if warns else "log"
    if row.row == "transition":
        return "state", "st"
    if row.row == "event":
        return ("exception", "err") if row.status == "error" else ("event", "log")
    return "", ""


def context(request: HttpRequest, reading: Reading, others: Sequence[FlowSummary]) -> dict[str, Any]:
    zone, now = reader_zone(request), now_ns()
    flow, asked = reading.flow, reading.asked
    axis = _axis(reading)
    services = sorted({*flow.services, *(row.service for row in reading.rows if row.service)})
    hues = distinct_hues(services)
    painter = Painter(reading, request.path, axis, zone, now, hues)
    answer, evidence = sentences.answer(flow, reading.first_error, zone, now)
    sign, word = sentences.mark_of(flow)
    return {
        "flow": flow,
        "sign": sign,
        "word": word,
        "answer": answer,
        "evidence": evidence,
        "first_error_href": _error_href(reading, request.path),
        "doubts": sentences.doubts(reading.trust, flow),
        "remarks": sentences.remarks(reading.trust),
        "others": others,
        "neighbours": _neighbours(reading),
        "chips": list(_chips(reading, request.path)),
        "services": list(_services(reading, request.path, hues)),
        "facts": _facts(reading, request.path),
        "lanes": draw_lanes(axis, lanes(reading.story.moves), hues),
        "bins": _overview(reading, axis, request.path),
        "window": asked.sieve.start is not None or asked.sieve.end is not None,
        "whole_href": asked.address(request.path, ("from", "to", "cursor")),
        "ticks": [(percent(tick.at), tick.label, tick.rank) for tick in ticks(axis, _offset_ns(axis, zone))],
        "gaps": _gaps(axis),
        "axis": axis,
        "axis_start": moments.full(axis.start, zone),
        "drawn": [painter.draw(row) for row in reading.rows],
        "shown": len(reading.rows),
        "reading": reading,
        "first_place": reading.first + 1,
        "last_place": reading.first + len(reading.rows),
        "next_href": asked.address(request.path, cursor=reading.following) if reading.following else "",
        "start_href": asked.address(request.path, ("cursor",)) if asked.cursor else "",
        "text_href": asked.address(request.path, ("record",), format="txt"),
        "json_href": asked.address(request.path, ("record",), format="json"),
        "close_href": asked.address(request.path, ("record",)),
        "record": record_context(request, asked.record) if asked.record else None,
    }


def distinct_hues(services: Iterable[str]) -> dict[str, str]:
    """The usual class of each service; the next free one where two would share it."""
    found: dict[str, str] = {}
    taken: set[int] = set()
    for name in sorted(services):
        place = int(hue(name)[1:]) - 1
        free = next((step for step in range(HUES) if (place + step) % HUES not in taken), 0)
        place = (place + free) % HUES
        taken.add(place)
        found[name] = f"s{place + 1}"
    return found


def _axis(reading: Reading) -> Axis:
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


def _error_href(reading: Reading, path: str) -> str:
    error = reading.first_error
    return reading.asked.address(path, ("cursor",), record=error.row_id) if error else ""


def _chips(reading: Reading, path: str) -> Iterator[Chip]:
    asked, flow = reading.asked, reading.flow
    only = asked.sieve.only
    yield Chip(
        "everything",
        asked.address(path, ("only", "service", "cursor")),
        not only and not asked.sieve.services,
    )
    if flow.errors or only == "errors":
        yield Chip(
            f"errors with their path · {flow.errors:,}",
            asked.address(path, ("cursor",), only="errors"),
            only == "errors",
        )
    if flow.logs or only == "logs":
        yield Chip(f"logs · {flow.logs:,}", asked.address(path, ("cursor",), only="logs"), only == "logs")


def _services(reading: Reading, path: str, hues: dict[str, str]) -> Iterator[tuple[Chip, str]]:
    asked = reading.asked
    for name in hues:
        pressed = name in asked.sieve.services
        href = (
            asked.address(path, ("service", "cursor"))
            if pressed
            else asked.address(path, ("cursor",), service=name)
        )
        yield Chip(name, href, pressed), hues[name]


def _facts(reading: Reading, path: str) -> list[tuple[int, str, str]]:
    """Counts with their words and, where a filter lists just these, its address."""
    flow, asked = reading.flow, reading.asked
    facts: list[tuple[int | None, str, str]] = []
    if flow.kind != "request":
        every = asked.address(path, ("cursor",), fold=",".join(_some_chapters(reading)))
        facts.append((flow.chapters, "chapter", every if reading.plan.open and every else ""))
    facts += [
        (len(flow.services), "service", ""),
        (flow.spans, "span", asked.address(path, ("only", "service", "cursor"))),
        (
            reading.story.related or None,
            "related",
            asked.address(path, ("only", "service", "cursor"), expand="all"),
        ),
        (flow.events or None, "event", ""),
        (flow.logs or None, "log", asked.address(path, ("cursor",), only="logs")),
        (flow.errors or None, "error", asked.address(path, ("cursor",), only="errors")),
        (flow.retries or None, "retry", ""),
    ]
    return [(count, _plural(word, count), href) for count, word, href in facts if count is not None]


def _some_chapters(reading: Reading) -> list[str]:
    told = [reading.plan.chapters[index].id for index, node, _ in reading.plan.places if node == CHAPTER]
    return told if len(told) <= 100 else []


def _plural(word: str, count: int) -> str:
    if count == 1 or word == "related":
        return word
    return "retries" if word == "retry" else f"{word}s"


def _neighbours(reading: Reading) -> Any:
    flow = reading.flow
    if flow.kind == "request":
        return read_neighbours(b"", [flow.identity])
    traces = [chapter.trace_id for chapter in reading.story.chapters if chapter.trace_id]
    return read_neighbours(flow.identity, traces)
