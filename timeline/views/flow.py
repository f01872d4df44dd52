"""`/flow/<kind>/<type>/<key>`: one flow as one timeline, as a page, JSON or text.

Address to question (`timeline.asked`), question to chapters (`queries.story`), chapters to rows in order
(`layout.plan`), one window of them to words (`timeline.rows`), words to shapes (`timeline.page`).
"""

import re
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.cache import patch_vary_headers

from timeline import page, table, text
from timeline.addresses import absolute, flow_asked, flow_url
from timeline.answers import BadFilter, NotFound, asked_format, encoded, json_answer, page_answer, text_answer
from timeline.asked import Asked, Cursor, read_asked
from timeline.layout.forest import Forest
from timeline.layout.ids import EVENT_ID, LOG_ID, SPAN_ID, find_node, row_id
from timeline.layout.order import Ints
from timeline.layout.plan import Fold, Plan, plan
from timeline.layout.sorting import sorted_nodes
from timeline.paths import add_path
from timeline.prepared import SHELF, Progress
from timeline.queries.inside import read_hits
from timeline.queries.pulse import AGAIN_MS, Pulse, read_pulse
from timeline.queries.record import read_log
from timeline.queries.story import traces_beside
from timeline.quiet import collector_held
from timeline.reading import Reading
from timeline.saying import read_rows
from timeline.summaries import FlowSummary, find_flows
from timeline.templatetags.threadline import reader_zone
from timeline.views.record import record_part

TRACE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")


def flow(request: HttpRequest, kind: str, type: str = "", key: str = "") -> HttpResponseBase:
    """The page, or the part of it that htmx asks for; hence one address has several answers."""
    response = _answer(request, kind, type, key)
    patch_vary_headers(response, ("HX-Target", "Cookie"))
    return response


def _answer(request: HttpRequest, kind: str, type: str, key: str) -> HttpResponseBase:
    form = "csv" if request.GET.get("format") == "csv" else asked_format(request)
    kind, type, key = flow_asked(request, kind, type, key)
    asked = read_asked(request.GET, reader_zone(request))
    if request.headers.get("HX-Target") == "record":
        return record_part(request, asked.record)
    flows = find_flows(kind, type, key, request.GET.get("env") or None)
    if not flows:
        raise NotFound(*_unknown(request, kind, type, key))
    # Before the records are read: what comes in between is asked for once too often rather than missed.
    pulse = read_pulse(flows[0], traces_beside(flows[0], asked.fold))
    if "pulse" in request.GET:
        return json_answer({"pulse": pulse.text, "again_ms": AGAIN_MS})
    if form == "html" and (progress := SHELF.coming(flows[0], _with_record(asked), asked.cursor, pulse)):
        return _coming(request, flows[0], progress)
    reading = read(flows[0], asked, pulse)
    if form == "json":
        return json_answer(reading.as_json(settings.URL) | {"others": _others(flows[1:])})
    if form == "csv":
        return _csv(reading)
    if form in ("txt", "md"):
        return text_answer(text.write(reading, flows[1:], form, reader_zone(request)), form)
    context = page.context(request, reading, flows[1:])
    part = request.headers.get("HX-Target") == "timeline"
    return page_answer(request, "flow/timeline.html" if part else "flow/flow.html", context)


def _coming(request: HttpRequest, flow: FlowSummary, progress: Progress) -> HttpResponse:
    """A page that says how far the flow is, and asks again by itself."""
    context = {
        "flow": flow,
        "progress": progress,
        "percent": round(progress.share * 100),
        "since_s": int(time.monotonic() - progress.began),
        "again_href": request.get_full_path(),
    }
    part = request.headers.get("HX-Target") == "timeline"
    response = page_answer(request, "flow/coming.html" if part else "flow/coming_page.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _csv(reading: Reading) -> StreamingHttpResponse:
    response = StreamingHttpResponse(
        map(encoded, table.write_csv(reading)), content_type="text/csv; charset=utf-8"
    )
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", reading.flow.title).strip("-.")[:80] or "flow"
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """The request flow of a trace: any case, and half-length ids padded."""
    told = trace_id.lower()
    if not TRACE.fullmatch(told):
        raise NotFound("A trace id is 32 hexadecimal digits, or 16.", trace_id)
    path = flow_url("request", "trace", told.rjust(32, "0"))
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{path}?{query}" if query else path)


def read(flow: FlowSummary, asked: Asked, pulse: Pulse) -> Reading:
    """The window of the flow that was asked for."""
    with collector_held():
        return _read(flow, asked, pulse)


def _read(flow: FlowSummary, asked: Asked, pulse: Pulse) -> Reading:
    kept = SHELF.story(flow, _with_record(asked), asked.cursor, pulse)
    story = kept.story
    hits = read_hits(story.forest, asked.find) if asked.find else None
    told = plan(story.forest, _opened(flow, story.forest, asked), asked.sieve, hits)
    ordered = sorted_nodes(told, asked.sort.lstrip("-"), asked.sort.startswith("-"))
    first = _first_sorted(ordered, told, asked) if asked.sort else _first(told, asked)
    last = min(first + asked.limit, len(told))
    nodes = ordered[first:last].tolist()
    rows = read_rows(told, story, nodes)
    if asked.critical:
        add_path(rows, nodes, story.forest)
    following = Cursor(kept.snapshot, rows[-1].id).text() if rows and last < len(told) else None
    return Reading(flow, asked, story, told, ordered, rows, first, following, kept.pulse)


def _first(told: Plan, asked: Asked) -> int:
    """Where the window begins: after a cursor, at a row's number, or so that the open record is in it."""
    if asked.cursor is not None:
        before = told.index_of(asked.cursor.row_id)
        if before is None:
            raise BadFilter("cursor", "The row this cursor continues after is not shown. Start without one.")
        return before + 1
    if asked.at is not None:
        return min(asked.at, max(1, len(told))) - 1
    open_at = told.index_of(asked.record) if asked.record else told.first_hit()
    return 0 if open_at is None or open_at < asked.limit else open_at - asked.limit // 3


def _first_sorted(ordered: Ints, told: Plan, asked: Asked) -> int:
    """The window in another order: at a row's number, or the one that holds the open record."""
    node = find_node(told.forest, asked.record) if asked.record and asked.at is None else None
    at = (
        int(np.flatnonzero(ordered == node)[0])
        if node is not None and node in ordered
        else (asked.at or 1) - 1
    )
    return min(at, max(1, len(told)) - 1) if node is None else at - at % asked.limit


def _with_record(asked: Asked) -> Fold:
    """The fold, with the chapter of the open record read even where only opened chapters are."""
    match = SPAN_ID.fullmatch(asked.record) or EVENT_ID.fullmatch(asked.record)
    trace = match[1] if match else ""
    if log := LOG_ID.fullmatch(asked.record):
        told = read_log(bytes.fromhex(log[1]))
        trace = (told.trace_id or "") if told else ""
    return replace(asked.fold, opened=asked.fold.opened | {f"c-{trace}"}) if trace else asked.fold


def _open_to_record(forest: Forest, asked: Asked) -> Fold:
    """The fold, with everything above the open record open: a link to it shows it. What was folded by hand stays."""
    node = find_node(forest, asked.record) if asked.record else None
    above = [] if node is None else [row_id(forest, one) for one in forest.ancestors(node)]
    return replace(asked.fold, opened=asked.fold.opened | set(above)) if above else asked.fold


def _opened(flow: FlowSummary, forest: Forest, asked: Asked) -> Fold:
    """The fold as the rows have it: a request is open whatever is drawn beside it."""
    fold = _open_to_record(forest, asked)
    own = forest.chapters[0].id if forest.chapters else ""
    if flow.kind != "request" or own in fold.folded:
        return fold
    return replace(fold, opened=fold.opened | {own})


def _others(flows: Sequence[FlowSummary]) -> list[dict[str, str]]:
    """The flows of the same name in other environments."""
    return [{"environment": flow.environment, "url": absolute(flow.path)} for flow in flows]


def _unknown(request: HttpRequest, kind: str, type: str, key: str) -> tuple[str, str]:
    if kind not in ("request", "entity", "workflow"):
        return f"There is no kind “{kind}”: a flow is a request, an entity or a workflow. Try /find.", key
    name = f"trace {key}" if kind == "request" else f"{type} {key}"
    environment = request.GET.get("env")
    where = f" in {environment}" if environment else ""
    return f"Nothing is known of {name}{where}. Look for it with /find, or under other words.", key
