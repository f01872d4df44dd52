"""`/flow/<kind>/<type>/<key>`: one flow as one timeline, as a page, JSON or text.

Address to question (`timeline.asked`), question to chapters (`queries.story`), chapters to rows in order
(`layout.story`), one window of them to words (`timeline.rows`), words to shapes (`timeline.page`).
"""

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from timeline import page, text
from timeline.addresses import flow_asked, flow_url
from timeline.answers import BadFilter, NotFound, asked_format, json_answer, text_answer
from timeline.asked import Asked, Cursor, read_asked
from timeline.layout.story import plan
from timeline.queries.skeleton import current_snapshot
from timeline.queries.story import read_story
from timeline.quiet import collector_held
from timeline.reading import Reading
from timeline.rows import read_rows
from timeline.summaries import FlowSummary, find_flows
from timeline.templatetags.threadline import reader_zone
from timeline.views.record import record_part

TRACE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")


def flow(request: HttpRequest, kind: str, type: str = "", key: str = "") -> HttpResponse:
    """The page, or the part of it that htmx asks for; hence one address has several answers."""
    response = _answer(request, kind, type, key)
    patch_vary_headers(response, ("HX-Target", "Cookie"))
    return response


def _answer(request: HttpRequest, kind: str, type: str, key: str) -> HttpResponse:
    form = asked_format(request)
    kind, type, key = flow_asked(request, kind, type, key)
    asked = read_asked(request.GET, reader_zone(request))
    if request.headers.get("HX-Target") == "record":
        return record_part(request, asked.record)
    flows = find_flows(kind, type, key, request.GET.get("env") or None)
    if not flows:
        raise NotFound(*_unknown(request, kind, type, key))
    reading = read(flows[0], asked)
    if form == "json":
        return json_answer(reading.as_json(settings.URL))
    if form in ("txt", "md"):
        return text_answer(text.write(reading, form, reader_zone(request)), form)
    context = page.context(request, reading, flows[1:])
    part = request.headers.get("HX-Target") == "timeline"
    return render(request, "flow/timeline.html" if part else "flow/flow.html", context)


def trace(request: HttpRequest, trace_id: str) -> HttpResponse:
    """The request flow of a trace: any case, and half-length ids padded."""
    told = trace_id.lower()
    if not TRACE.fullmatch(told):
        raise NotFound("A trace id is 32 hexadecimal digits, or 16.", trace_id)
    path = flow_url("request", "trace", told.rjust(32, "0"))
    query = request.META.get("QUERY_STRING", "")
    return HttpResponseRedirect(f"{path}?{query}" if query else path)


def read(flow: FlowSummary, asked: Asked) -> Reading:
    """The window of the flow that was asked for."""
    with collector_held():
        return _read(flow, asked)


def _read(flow: FlowSummary, asked: Asked) -> Reading:
    snapshot = asked.cursor.snapshot if asked.cursor else current_snapshot()
    story = read_story(flow, snapshot, asked.fold, asked.sieve)
    told = plan(story.chapters, asked.fold, asked.sieve)
    first = 0
    if asked.cursor is not None:
        before = told.index_of(asked.cursor.row_id, asked.cursor.place)
        if before is None:
            raise BadFilter("cursor", "The row this cursor continues after is not shown. Start without one.")
        first = before + 1
    last = min(first + asked.limit, len(told.places))
    rows = read_rows(told, story, first, last, asked.fold)
    following = Cursor(snapshot, rows[-1].id, last - 1).text() if rows and last < len(told.places) else None
    return Reading(flow, asked, story, told, rows, first, following)


def _unknown(request: HttpRequest, kind: str, type: str, key: str) -> tuple[str, str]:
    if kind not in ("request", "entity", "workflow"):
        return f"There is no kind “{kind}”: a flow is a request, an entity or a workflow. Try /find.", key
    name = f"trace {key}" if kind == "request" else f"{type} {key}"
    environment = request.GET.get("env")
    where = f" in {environment}" if environment else ""
    return f"Nothing is known of {name}{where}. Look for it with /find, or under other words.", key
