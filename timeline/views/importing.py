"""`/import`: a file of OTLP JSON or Jaeger JSON into the store, or to look at it only; what became of it is the answer.

Django writes the upload to disk while it comes, but only after its length was looked at: what is too large is refused
before a byte of it is read. `tracing.files` reads and stores.
"""

import contextlib
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from timeline.access import needs
from timeline.addresses import absolute, flow_url, with_more, with_query
from timeline.answers import NotFound, asked_format, json_answer, page_answer, text_answer
from timeline.frozen import asked_copy, drawn
from timeline.queries.filed import read_filed
from timeline.reader import name_of
from tracing import auditing
from tracing.database import conninfo
from tracing.files.keeping import Importer, Kept
from tracing.files.looking import SUBJECT, NothingInIt, look
from tracing.files.reading import Unreadable
from tracing.files.unpacking import Stream
from tracing.redaction import Redaction
from tracing.roles import Role
from tracing.shares import Snapshot
from tracing.snapshots import keeping
from tracing.snapshots.belonging import TooLarge
from tracing.storing import Unavailable
from tracing.unavailable import AWAY

MOST_NAMED = 20  # flows that are linked
MOST_LISTED = 500
LOOK, LOOK_PATH = "look", "/import/look"
# A packed file may hold so many times its size.
UNPACKED = 20
# What a form adds around its file.
AROUND = 64 * 1024
MOST_DIGITS = 20  # of a length
MIB = 2**20


# The check of a form's origin reads the whole form, so it comes after that of its length.
@csrf_exempt
@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def import_file(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    length = request.META.get("CONTENT_LENGTH") or "0"
    # Python makes no number of thousands of digits.
    if not length.isdecimal() or len(length) > MOST_DIGITS or int(length) > settings.IMPORT_MB * MIB + AROUND:
        return _page(request, _too_large(), status=413)
    return _checked(request)


@csrf_protect
def _checked(request: HttpRequest) -> HttpResponse:
    uploaded = request.FILES.get("file")
    if uploaded is None or not uploaded.size:
        return _page(request, "Choose a file; an empty one holds nothing.", status=400)
    if uploaded.size > settings.IMPORT_MB * MIB:
        return _page(request, _too_large(), status=413)
    kept = Kept()
    try:
        if request.POST.get("into") == LOOK:
            return _laid_out(request, uploaded, uploaded.name or "a file", kept)
        _keep(request, uploaded, uploaded.name or "", kept)
    except Unreadable as error:
        return _page(request, f"{uploaded.name} cannot be read. {error}", status=400)
    except Unavailable as trouble:
        sentence = f"{trouble} What was stored until then stays, and is not stored twice."
        return _page(request, sentence, kept=kept, name=uploaded.name or "", status=503)
    return _page(request, kept=kept, name=uploaded.name or "")


def _note(request: HttpRequest, name: str, kept: Kept) -> None:
    with contextlib.suppress(*AWAY):  # what the database cannot take the audit cannot have
        auditing.note(name_of(request), "file imported", name, kept.told)


def _laid_out(request: HttpRequest, uploaded: Stream, name: str, kept: Kept) -> HttpResponse:
    about = keeping.About(SUBJECT, name, LOOK_PATH, pinned=True, name=name_of(request))
    try:
        copy_id = look(
            conninfo(settings.DATABASES["default"]),
            uploaded,
            kept,
            about,
            settings.ENVIRONMENT,
            Redaction(settings.REDACT),
            settings.SNAPSHOT_BYTES,
            UNPACKED * settings.IMPORT_MB * MIB,
        )
    except NothingInIt as nothing:
        return _page(request, f"{name}: {nothing}", kept=kept, name=name, status=400)
    except TooLarge as large:
        return _page(
            request, f"{name}: {large} It can be imported, or looked at in smaller files.", status=413
        )
    except keeping.QuotaFull as full:
        return _page(request, full.sentence, status=409)
    auditing.note(name_of(request), "file looked at", name, f"{kept.account.records:,} records, none stored")
    return _page(request, kept=kept, name=name, copy_id=copy_id)


@require_safe
def looked(request: HttpRequest) -> HttpResponseBase:
    """What a file holds that was only looked at."""
    copy = asked_copy(request)
    if copy is None or copy.subject != SUBJECT:
        raise NotFound("This address is of a file that is looked at; choose one under Import.")
    return drawn(request, copy, _filed, copy)


def _filed(request: HttpRequest, copy: Snapshot) -> HttpResponse:
    form = asked_format(request)
    filed = read_filed(MOST_LISTED)
    frozen = {"frozen": str(copy.pk)}
    lines = [
        (kind, [(flow, with_more(flow.path, frozen)) for flow in flows], count)
        for kind, flows, count in (
            ("flows", filed.flows, filed.all_flows),
            ("requests", filed.requests, filed.all_requests),
        )
    ]
    if form == "json":
        told = {
            kind: [flow.as_json(settings.URL) | {"url": absolute(href)} for flow, href in listed]
            for kind, listed, _ in lines
        }
        return json_answer({"file": copy.title, "until": str(copy.expires_ns), **told})
    if form != "html":
        rows = [f"{flow.title} {absolute(href)}" for _, listed, _ in lines for flow, href in listed]
        return text_answer("\n".join([f"{copy.title}: looked at, none of it stored", *rows]), form)
    return page_answer(request, "import/look.html", {"copy": copy, "lines": lines})


def _keep(request: HttpRequest, uploaded: Stream, name: str, kept: Kept) -> None:
    """Store a file; what was stored of it is noted however that ends."""
    importer = Importer(
        conninfo(settings.DATABASES["default"]),
        settings.ENVIRONMENT,
        settings.MAX_DAYS,
        Redaction(settings.REDACT),
    )
    try:
        importer.keep(uploaded, kept, UNPACKED * settings.IMPORT_MB * MIB, tries=1)
    finally:
        importer.close()
        if kept.account.form:  # else it could not be read, and nothing of it is stored
            _note(request, name, kept)


def _page(
    request: HttpRequest,
    problem: str = "",
    kept: Kept | None = None,
    name: str = "",
    status: int = 200,
    copy_id: int | None = None,
) -> HttpResponse:
    """`copy_id` is of a file that was only looked at: its flows are shown from there."""
    frozen = {"frozen": str(copy_id)} if copy_id is not None else {}
    context: dict[str, Any] = {
        "problem": problem,
        "most": settings.IMPORT_MB,
        "kept": kept,
        "name": name,
        "look": LOOK,
        "look_href": with_query(LOOK_PATH, frozen) if frozen else "",
    }
    if kept is not None and kept.account.form:
        context |= {
            "refused": kept.account.refused.total(),
            "refusals": kept.account.refusals(),
            "flows": [
                (
                    flow_url(flow.kind, flow.type, flow.key, flow.environment, **frozen),
                    f"{flow.type} {flow.key}",
                    count,
                )
                for flow, count in kept.flows.most_common(MOST_NAMED)
            ],
            "more_flows": max(0, len(kept.flows) - MOST_NAMED),
            "traces": [
                (flow_url("request", "trace", trace.hex(), **frozen), trace.hex(), count)
                for trace, count in kept.traces.most_common(MOST_NAMED)
            ],
            "more_traces": max(0, len(kept.traces) - MOST_NAMED),
        }
    return page_answer(request, "import/page.html", context, status=status)


def _too_large() -> str:
    return (
        f"The file is larger than {settings.IMPORT_MB} MiB, the most this page takes (THREADLINE_IMPORT_MB)."
        " `manage.py import FILE` takes files of any size; packed by gzip it may fit here."
    )
