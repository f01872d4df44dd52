"""A flow as a file to take away: OTLP JSON or Jaeger JSON, written while it is sent.

`queries.exporting` reads the records, `tracing.files` writes them; `timeline.views.flow` answers with it.
"""

import re
from collections.abc import Iterator
from itertools import chain

from django.http import HttpRequest, StreamingHttpResponse

from timeline.answers import BadFilter
from timeline.queries.exporting import Records, Selection, digest_key, select, select_record
from timeline.sharing import label
from timeline.summaries import FlowSummary
from tracing.files.downloads import otlp_file
from tracing.files.jaegerfile import jaeger_file
from tracing.files.marking import Marker

FORMATS = ("otlp", "jaeger")
NO_FILES = "This page is shown without values, and a file of its records would be nothing but those."
PIECE_BYTES = 64 * 1024


def asked_file(request: HttpRequest) -> str:
    """The form that the address asks for, empty where it is none of a file. Raises BadFilter where there are no files."""
    form = request.GET.get("format", "")
    if form in FORMATS and not has_files(request):
        raise BadFilter("format", NO_FILES)
    return form if form in FORMATS else ""


def has_files(request: HttpRequest) -> bool:
    """What is shared without values is not given away as records."""
    shown = label(request)
    return shown is None or shown.with_values


def download(flow: FlowSummary, form: str) -> StreamingHttpResponse:
    """Every record of the flow, whatever the address filters or folds."""
    return attached(_written(select(flow), form), flow.title, form)


def download_record(trace_id: str, span_id: str, form: str) -> StreamingHttpResponse:
    """One span's records and logs."""
    chosen = select_record(bytes.fromhex(trace_id), bytes.fromhex(span_id))
    return attached(_written(chosen, form), f"span {span_id}", form)


def attached(pieces: Iterator[bytes], title: str, form: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_collected(pieces), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{file_name(title)}.{form}.json"'
    return response


def file_name(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:80] or "flow"


def _written(chosen: Selection, form: str) -> Iterator[bytes]:
    records = Records()
    if form == "jaeger":
        return jaeger_file(records.traces(chosen), digest_key())
    marker = Marker(digest_key())
    return otlp_file(records.spans(chosen), records.logs(chosen), marker)


def _collected(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same in larger pieces: each one sent is a chunk on the wire."""
    held: list[bytes] = []
    size = 0
    for piece in chain(pieces, (b"",)):
        held.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES or not piece:
            yield b"".join(held)
            held, size = [], 0
