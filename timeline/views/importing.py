"""`/import`: a file of OTLP JSON or Jaeger JSON into the store, by page; what became of it is the answer.

Django writes the upload to disk while it comes, but only after its length was looked at: what is too large is refused
before a byte of it is read. `tracing.files` reads and stores.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from timeline.access import needs
from timeline.addresses import flow_url
from timeline.answers import page_answer
from timeline.reader import name_of
from tracing import auditing
from tracing.database import conninfo
from tracing.files.keeping import Importer, Kept
from tracing.files.reading import Unreadable
from tracing.files.unpacking import Stream
from tracing.redaction import Redaction
from tracing.roles import Role
from tracing.storing import Unavailable

MOST_NAMED = 20  # flows that are linked
# A packed file may hold so many times its size.
UNPACKED = 20
# What a form adds around its file.
AROUND = 64 * 1024
MIB = 2**20


# The check of a form's origin reads the whole form, so it comes after that of its length.
@csrf_exempt
@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def import_file(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request)
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > settings.IMPORT_MB * MIB + AROUND:
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
        _keep(uploaded, kept)
    except Unreadable as error:
        return _page(request, f"{uploaded.name} cannot be read. {error}", status=400)
    except Unavailable as trouble:
        sentence = f"{trouble} What was stored until then stays, and is not stored twice."
        return _page(request, sentence, kept=kept, name=uploaded.name or "", status=503)
    detail = f"{kept.stored:,} records stored, {kept.again:,} already there"
    auditing.note(name_of(request), "file imported", uploaded.name or "", detail)
    return _page(request, kept=kept, name=uploaded.name or "")


def _keep(uploaded: Stream, kept: Kept) -> None:
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


def _page(
    request: HttpRequest, problem: str = "", kept: Kept | None = None, name: str = "", status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"problem": problem, "most": settings.IMPORT_MB, "kept": kept, "name": name}
    if kept is not None and kept.account.form:
        context |= {
            "refused": kept.account.refused.total(),
            "refusals": kept.account.refusals(),
            "flows": [
                (flow_url(flow.kind, flow.type, flow.key, flow.environment), f"{flow.type} {flow.key}", count)
                for flow, count in kept.flows.most_common(MOST_NAMED)
            ],
            "more_flows": max(0, len(kept.flows) - MOST_NAMED),
            "traces": [
                (flow_url("request", "trace", trace.hex()), trace.hex(), count)
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
