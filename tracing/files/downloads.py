"""A flow's records as one OTLP JSON file, a piece at a time: `{"resourceSpans": […], "resourceLogs": […]}`.

Each element of the two lists is a line of its own, so that `reading` takes in a file of any size line by line. Equal
records give equal bytes in every installation: what is tied in time is ordered by what it says.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import orjson

from tracing.files.marking import Marker, add_marks
from tracing.files.otlpjson import Sent, log_sent, span_sent
from tracing.records import Log, Span

# The first line of such a file, and those between and after its lists; `reading` knows it by them.
SPANS_BEGIN, LOGS_BEGIN, END = b'{"resourceSpans":[', b'],"resourceLogs":[', b"]}"


def otlp_file(
    spans: Iterable[Sequence[Span]], logs: Iterable[Sequence[Log]], marker: Marker
) -> Iterator[bytes]:
    """Parts of spans, then of logs, each in order of time and holding all that is tied with what it holds."""
    yield SPANS_BEGIN
    yield from _elements(spans, "scopeSpans", "spans", lambda span: _span(span, marker), marker)
    yield b"\n" + LOGS_BEGIN
    yield from _elements(logs, "scopeLogs", "logRecords", lambda log: _log(log, marker), marker)
    yield b"\n" + END + b"\n"


def _span(span: Span, marker: Marker) -> Sent:
    sent = span_sent(span)
    add_marks(sent, marker.span(span, sent))
    return sent


def _log(log: Log, marker: Marker) -> Sent:
    sent = log_sent(log)
    add_marks(sent, marker.log(log, sent))
    return sent


def _elements(
    parts: Iterable[Sequence[Any]],
    scopes: str,
    records: str,
    write: Callable[[Any], Sent],
    marker: Marker,
) -> Iterator[bytes]:
    before = b"\n"
    for part in parts:
        for element in _grouped(part, scopes, records, write, marker):
            yield before + element
            before = b",\n"


def _grouped(
    part: Sequence[Any], scopes: str, records: str, write: Callable[[Any], Sent], marker: Marker
) -> Iterator[bytes]:
    """The records of a part, by resource and scope."""
    written = sorted((_time(record), orjson.dumps(write(record)), nth) for nth, record in enumerate(part))
    groups: dict[bytes, dict[bytes, list[orjson.Fragment]]] = {}
    holders: dict[bytes, Sent] = {}
    for _, text, nth in written:
        resource, scope = marker.resource(part[nth].resource).holder, marker.scope(part[nth].scope).holder
        names = orjson.dumps(resource), orjson.dumps(scope)
        holders |= zip(names, (resource, scope), strict=True)
        groups.setdefault(names[0], {}).setdefault(names[1], []).append(orjson.Fragment(text))
    for name in sorted(groups):
        inside = [holders[scope] | {records: found} for scope, found in sorted(groups[name].items())]
        yield orjson.dumps({**holders[name], scopes: inside})


def _time(record: Span | Log) -> int:
    return record.start_ns if isinstance(record, Span) else record.time_ns
