"""`/flow/<kind>/<type>/<key>`: one flow as one timeline, as a page, JSON or text.

Address to question (`timeline.asked`), question to chapters (`queries.story`), chapters to rows in order
(`layout.plan`), one window of them to words (`timeline.rows`), words to shapes (`timeline.page`).
"""

import re
import time
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_http_methods

from timeline import download, page, sharing, table, text
from timeline.addresses import absolute, flow_asked, flow_url, with_more
from timeline.answers import NotFound, asked_format, encoded, json_answer, page_answer, text_answer
from timeline.asked import Asked, read_asked
from timeline.frozen import asked_copy, drawn
from timeline.layout.plan import WHOLE
from timeline.prepared import Progress
from timeline.queries.pulse import AGAIN_MS, Pulse, read_pulse
from timeline.queries.story import traces_beside
from timeline.reading import Reading
from timeline.staged import is_staged
from timeline.summaries import FlowSummary, find_flows
from timeline.templatetags.threadline import reader_zone
from timeline.views import words
from timeline.views.record import record_part
from timeline.window import read, read_soon

TRACE = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}")


@require_http_methods(["GET", "HEAD", "POST"])
def flow(request: HttpRequest, kind: str, type: str = "", key: str = "") -> HttpResponseBase:
    """The page, or the part of it that htmx asks for; hence one address has several answers. Posted is what a person says."""
    kind, type, key = flow_asked(request, kind, type, key)
    copy = asked_copy(request)
    response = drawn(request, copy, answer, kind, type, key) if copy else answer(request, kind, type, key)
    patch_vary_headers(response, ("HX-Target", "Cookie"))
    return response


def answer(request: HttpRequest, kind: str, type: str, key: str) -> HttpResponseBase:
    """The same of a flow that was named, by whatever address; drawn from a copy where the request stands on a stage."""
    file = download.asked_file(request)
    form = _form(request)
    asked = read_asked(request.GET, reader_zone(request))
    is_part = request.headers.get("HX-Target") == "record"
    if is_part and not asked.record.startswith("n-"):
        return record_part(request, asked.record)
    flows = find_flows(kind, type, key, request.GET.get("env") or None)
    if not flows:
        return _gone(request, kind, type, key)
    if is_part:  # a note is a flow's own
        return record_part(request, asked.record, flows[0])
    if request.method == "POST":
        return words.say(request, flows[0])
    if file:
        return download.download(flows[0], file)
    return _view(request, flows, asked, form)


def _form(request: HttpRequest) -> str:
    """A flow has forms that other pages have not: its rows as a table, its records as a file. Raises BadFilter."""
    others = ("csv", *download.FORMATS)
    told = request.GET.get("format", "")
    return told if told in others else asked_format(request, others)


def _view(request: HttpRequest, flows: Sequence[FlowSummary], asked: Asked, form: str) -> HttpResponseBase:
    """One window of the flow, in the form that was asked for."""
    # Before the records are read: what comes in between is asked for once too often rather than missed.
    pulse = read_pulse(flows[0], traces_beside(flows[0], asked.fold))
    if "pulse" in request.GET:
        return json_answer({"pulse": pulse.whole, "again_ms": AGAIN_MS})
    if form == "html":
        return _page(request, flows, read_soon(flows[0], asked, pulse))
    return _told(request, flows, asked, pulse, form)


def _told(
    request: HttpRequest, flows: Sequence[FlowSummary], asked: Asked, pulse: Pulse, form: str
) -> HttpResponseBase:
    """The same for programs, tables and chat."""
    most = asked.limit if "limit" in asked.query else None
    # A text leaves out rows in the middle, so all of them are read.
    asked = replace(asked, limit=WHOLE) if form in ("txt", "md") else asked
    reading = read(flows[0], asked, pulse)
    if form == "json":
        return json_answer(reading.as_json(settings.URL) | {"others": _others(flows[1:])})
    if form == "csv":
        return _csv(reading)
    return text_answer(text.write(reading, flows[1:], form, reader_zone(request), most), form)


def _gone(request: HttpRequest, kind: str, type: str, key: str) -> HttpResponse:
    """Not a word of it is left: the latest copy that is kept, else 404."""
    copies = [] if is_staged() else sharing.of_path(flow_url(kind, type, key, request.GET.get("env")))
    if not copies:
        raise NotFound(*_unknown(request, kind, type, key))
    asked = {"frozen": str(copies[0].pk), "format": request.GET.get("format", "")}
    return HttpResponseRedirect(with_more(copies[0].path, asked))


def _page(request: HttpRequest, flows: Sequence[FlowSummary], reading: Reading | Progress) -> HttpResponse:
    if isinstance(reading, Progress):
        return _coming(request, flows[0], reading)
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
    name = download.file_name(reading.flow.title)
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
