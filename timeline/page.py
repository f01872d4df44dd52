"""A reading as what `templates/flow/` draws: the answer, the facts, and links that keep the view.

`timeline.sheet` adds what stands above the rows, `timeline.painting` the rows.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from timeline import sentences, table
from timeline.asked import sent_path
from timeline.download import has_files
from timeline.filters import NARROWING, chips, menus, notes, search
from timeline.layout.forest import CHAPTER
from timeline.layout.ids import row_id
from timeline.linking import add_links, beside
from timeline.painting import Painter, distinct_hues
from timeline.queries.people import read_said
from timeline.queries.related import LINKS_SOUGHT, Neighbour, Neighbours, read_linked, read_neighbours
from timeline.reader import name_of
from timeline.reading import Reading
from timeline.rowhtml import rows_html
from timeline.sayforms import FORMS, form_of
from timeline.sharing import label, of_flow
from timeline.sheet import origin, shared_axis, sheet
from timeline.slow import mark_slow
from timeline.staged import is_staged
from timeline.summaries import FlowSummary
from timeline.templatetags.threadline import reader_zone
from timeline.views.record import opened_in, record_context
from tracing.clock import now_ns

MOST_NOTES = 20  # that are shown whole beside the form


def context(request: HttpRequest, reading: Reading, others: Sequence[FlowSummary]) -> dict[str, Any]:
    zone, now, path = reader_zone(request), now_ns(), sent_path(request)
    axis = shared_axis(reading)
    services = {*reading.flow.services, *(row.service for row in reading.rows if row.service)}
    hues = distinct_hues(services)
    painter = Painter(reading, path, axis, zone, now, hues, origin(reading), _file(request))
    record = reading.asked.record
    add_links(reading, path)
    mark_slow(reading)
    # Never the reading itself: a template's context is a circle, and would keep the whole flow until the collector comes.
    return {
        "total": reading.total,
        # A page reached by a cursor stays as of its snapshot, and does not ask what is new.
        # One that is frozen does not move at all.
        "pulse": "" if reading.asked.cursor else _pulse(request, reading),
        "pulse_href": path + "?" + urlencode({**_environment(reading), **_beside(reading), "pulse": "1"}),
        "critical": reading.asked.critical,
        "limit": reading.asked.limit,
        "flow": reading.flow,
        "others": others,
        "neighbours": _neighbours(reading),
        "linked": _linked(reading, path),
        **_head(reading, path, zone, now),
        **_words(request, reading, path, zone),
        **_ways(request, reading, path),
        "menus": menus(reading, path, hues),
        **sheet(reading, axis, path, zone, hues),
        **_drawn(reading, painter, path, zone),
        "shown": len(reading.rows),
        "record": record_context(request, record, reading.flow) if record else None,
        **opened_in(request),
    }


def _file(request: HttpRequest) -> int:
    shown = label(request)
    return shown.number if shown else 0


def _pulse(request: HttpRequest, reading: Reading) -> str:
    """What the page compares with when it asks; empty where it does not move."""
    shown = label(request)
    return reading.pulse if shown is None else shown.moment


def _drawn(reading: Reading, painter: Painter, path: str, zone: tzinfo) -> dict[str, Any]:
    """The rows, on the axis or in columns."""
    if not reading.asked.table:
        return {"rows_html": rows_html(map(painter.draw, reading.rows))}
    return {"columns": table.columns(reading, path), "lines": table.lines(reading, painter, zone)}


def _head(reading: Reading, path: str, zone: tzinfo, now: int) -> dict[str, Any]:
    flow = reading.flow
    told = sentences.answer(flow, reading.first_error, reading.root_ns, zone, now)
    return {
        "mark": sentences.mark_of(flow, reading.first_error is not None, now),
        # What is judged tells nothing of errors: both are said.
        "status": sentences.status_mark(flow) if flow.judged and flow.status == "error" else None,
        "title_word": " · ".join(
            part
            for part in (sentences.mark_of(flow, reading.first_error is not None).word, flow.standing)
            if part
        ),
        "answer": told.first,
        "known": told.known,
        "evidence": told.evidence,
        "first_error_href": _error_href(reading, path),
        "doubts": notes(reading, path, sentences.doubts(reading.trust, reading.flow)),
        "remarks": notes(
            reading, path, [*sentences.remarks(reading.trust), *sentences.sampling(reading.sampling)]
        ),
        "skews": notes(reading, path, sentences.skews(reading.trust, raw=reading.asked.fold.raw_clocks)),
        "clock_href": reading.asked.address(path, clock="" if reading.asked.fold.raw_clocks else "raw"),
        "raw_clocks": reading.asked.fold.raw_clocks,
        "facts": _facts(reading, path),
    }


def _words(request: HttpRequest, reading: Reading, path: str, zone: tzinfo) -> dict[str, Any]:
    """What was said by hand, and the forms that say more; nobody judges a request, so it has notes alone."""
    judged = reading.flow.kind != "request"
    at = reading.asked.note_at
    told = {f"{what}_form": form_of(what, zone, name_of(request), at=at) for what in FORMS}
    said = read_said(reading.flow) if judged else None
    notes = [one for one in reading.story.forest.asides if one.row == "note"]
    return {
        **told,
        "said": said,
        "written": notes[-MOST_NOTES:][::-1],
        "note_open": at is not None,
        "say_href": reading.asked.address(path, ("cursor",)),
    }


def _ways(request: HttpRequest, reading: Reading, path: str) -> dict[str, Any]:
    """Where one can go from here."""
    asked = reading.asked
    return {
        "chips": list(chips(reading, path)),
        "search": search(reading, path),
        "window": asked.sieve.start is not None or asked.sieve.end is not None,
        "plain_href": asked.address(path, (*NARROWING, "fold", "open", "expand", "record")),
        "whole_href": asked.address(path, ("from", "to", "cursor")),
        "first_place": reading.first + 1,
        "last_place": reading.first + len(reading.rows),
        **_windows(reading, path),
        "next_error_href": _later_error(reading, path),
        "compare_href": "/compare?" + urlencode({"a": reading.flow.path}),
        "share_href": "/share?" + urlencode({"of": asked.address(path, ("cursor", "frozen"))}),
        "pin_href": "/pin?" + urlencode({"of": asked.address(path, ("cursor", "frozen", "record"))}),
        "copies": [] if is_staged() else of_flow(reading.flow.identity),
        "is_table": asked.table,
        "table_href": asked.address(path, ("cursor", "sort"), view="" if asked.table else "table"),
        "csv_href": asked.address(path, ("record", "cursor", "at"), format="csv"),
        "files": _files(reading, path) if has_files(request) else [],
        "text_href": asked.address(path, ("record",), format="txt"),
        "markdown_href": asked.address(path, ("record",), format="md"),
        "json_href": asked.address(path, ("record",), format="json"),
        "close_href": asked.address(path, ("record",)),
    }


def _files(reading: Reading, path: str) -> list[tuple[str, str]]:
    """What can be downloaded: all of the flow as records, and the rows of this view."""
    query = reading.asked.query
    named = {name: query[name] for name in ("type", "key", "env", "frozen") if query.get(name)}

    def whole(form: str) -> str:
        return f"{path}?{urlencode({**named, 'format': form})}"

    return [
        ("OTLP JSON, every record", whole("otlp")),
        ("Jaeger JSON, every record", whole("jaeger")),
        ("CSV, these rows", reading.asked.address(path, ("record", "cursor", "at"), format="csv")),
    ]


def _windows(reading: Reading, path: str) -> dict[str, str]:
    """The ways to other windows of the rows; empty where there is none."""
    asked, first, limit = reading.asked, reading.first, reading.asked.limit
    gone = ("cursor", "at", "record")
    last = max(0, reading.total - limit)
    return {
        "next_href": _next(reading, path),
        "previous_href": asked.address(path, gone, at=str(max(1, first + 1 - limit))) if first else "",
        "start_href": asked.address(path, gone, at="1") if first else "",
        "end_href": asked.address(path, gone, at=str(last + 1)) + "#end" if reading.following else "",
    }


def _next(reading: Reading, path: str) -> str:
    """A cursor goes on in the story as it was; another order is counted through."""
    asked = reading.asked
    if not reading.following:
        return ""
    if asked.sort:
        return asked.address(path, ("cursor", "record"), at=str(reading.first + asked.limit + 1))
    return asked.address(path, ("at", "record"), cursor=reading.following)


def _later_error(reading: Reading, path: str) -> str:
    """The first failure below the rows that are here."""
    forest, failing = reading.story.forest, reading.failing
    nodes = reading.nodes[reading.first + len(reading.rows) :]
    # What is folded may hold one too.
    holds = failing | (forest.any_inside(failing) & reading.plan.closed)
    found = nodes[holds[nodes]]
    if not len(found):
        return ""
    place, size = int(forest.order.places[found[0]]), int(forest.order.sizes[found[0]])
    inside = forest.order.nodes[place : place + size]
    first = inside[failing[inside]][0]
    return reading.asked.address(path, ("cursor", "at"), record=row_id(forest, int(first)))


def _environment(reading: Reading) -> dict[str, str]:
    named = reading.asked.query.get("env")
    return {"env": named} if named else {}


def _beside(reading: Reading) -> dict[str, str]:
    """What the pulse needs to know of the folds: which other requests are drawn beside this one."""
    rows = sorted(row for row in reading.asked.fold.opened if row.startswith("c-"))
    return {"open": ",".join(rows)} if rows and reading.flow.kind == "request" else {}


def _error_href(reading: Reading, path: str) -> str:
    error = reading.first_error
    return reading.asked.address(path, ("cursor",), record=error.row_id) if error else ""


def _facts(reading: Reading, path: str) -> list[tuple[int, str, str]]:
    """Counts with their words and, where a filter lists just these, its address."""
    flow, asked = reading.flow, reading.asked
    facts: list[tuple[int | None, str, str]] = []
    if flow.kind != "request":
        every = asked.address(path, ("cursor",), fold=",".join(_some_chapters(reading)))
        facts.append((flow.chapters, "chapter", every if _any_chapter_open(reading) else ""))
    facts += [
        (len(flow.services), "service", ""),
        (flow.spans, "span", asked.address(path, NARROWING)),
        (
            reading.story.related or None,
            "related",
            asked.address(path, NARROWING, expand="all"),
        ),
        (flow.events or None, "event", ""),
        (flow.logs or None, "log", asked.address(path, ("cursor",), only="logs")),
        (flow.errors or None, "error", asked.address(path, ("cursor",), only="errors")),
        (flow.retries or None, "retry", ""),
    ]
    return [(count, _plural(word, count), href) for count, word, href in facts if count is not None]


def _some_chapters(reading: Reading) -> list[str]:
    forest = reading.story.forest
    shown = reading.plan.nodes[forest.kinds[reading.plan.nodes] == CHAPTER].tolist()
    return [forest.chapters[node].id for node in shown] if len(shown) <= 100 else []


def _any_chapter_open(reading: Reading) -> bool:
    chapters = len(reading.story.forest.chapters)
    return not reading.plan.closed[:chapters].all()


def _plural(word: str, count: int) -> str:
    if count == 1 or word == "related":
        return word
    return "retries" if word == "retry" else f"{word}s"


def _neighbours(reading: Reading) -> list[Neighbours]:
    flow = reading.flow
    if flow.kind == "request":
        return read_neighbours(b"", [flow.identity])
    traces = [chapter.trace_id for chapter in reading.story.forest.chapters if chapter.trace_id]
    return read_neighbours(flow.identity, traces)


def _linked(reading: Reading, path: str) -> list[tuple[Neighbour, str, bool]]:
    """Each request this one links with, the address that draws it beside this one or takes it away, whether it is drawn."""
    flow = reading.flow
    if flow.kind != "request" or flow.spans > LINKS_SOUGHT:
        return []
    drawn = {chapter.trace_id for chapter in reading.story.forest.chapters}
    return [
        (near, beside(reading, path, near.trace_id), near.trace_id in drawn)
        for near in read_linked(flow.identity, flow.days)
    ]
