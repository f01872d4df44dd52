"""A flow's records as one Jaeger JSON file, a piece at a time: what Jaeger's page downloads and takes.

Each trace is a line of its own. A log is a log of its span; those whose span is not in the file have no place in this
form, and the trace's warnings say how many. `jaegerjson` writes single records.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from tracing.files import jaeger
from tracing.files.jaegerjson import SCOPE_MARKS, log_json, process, span_json, tag
from tracing.files.marking import Marker, Read, add_marks
from tracing.files.otlpjson import Sent, log_sent
from tracing.records import Log, Resource, Scope, Span

BEGIN, END = b'{"data":[', b'],"total":0,"limit":0,"offset":0,"errors":null}'


class Part(NamedTuple):
    """Spans of one trace in order of time, and the logs of them that no part before had."""

    spans: Sequence[Span]
    logs: Sequence[Log]


class JaegerMarker(Marker):
    """Finds marks against what Jaeger's form says of resources and scopes."""

    def _resource_holder(self, stored: Resource) -> Sent:
        return jaeger.resource_of(process(stored))

    def _scope_holder(self, stored: Scope) -> Sent:
        return {"scope": {"name": stored.name, "version": stored.version}}


def jaeger_file(traces: Iterable[tuple[bytes, Iterable[Part], int]], key: bytes) -> Iterator[bytes]:
    """Traces with their id, parts, and number of logs without a span."""
    writing = _Writing(key)
    yield BEGIN
    before = b"\n"
    for trace_id, parts, loose in traces:
        yield before
        yield from writing.trace(trace_id, parts, loose)
        before = b",\n"
    yield b"\n" + END + b"\n"


class _Writing:
    def __init__(self, key: bytes) -> None:
        self._marker, self._plain = JaegerMarker(key), Marker(key)

    def trace(self, trace_id: bytes, parts: Iterable[Part], loose: int) -> Iterator[bytes]:
        yield b'{"traceID":"%s","spans":[' % trace_id.hex().encode()
        names: dict[bytes, str] = {}
        processes: dict[str, Any] = {}
        before = b""
        for part in parts:
            for sender, span in self._spans(part):
                number = names.setdefault(sender, f"p{len(names) + 1}")
                processes[number] = orjson.Fragment(sender)
                yield before + orjson.dumps(span | {"processID": number, "warnings": None})
                before = b","
        warnings = [_warning(loose)] if loose else None
        yield b'],"processes":%s,"warnings":%s}' % (orjson.dumps(processes), orjson.dumps(warnings))

    def _spans(self, part: Part) -> Iterator[tuple[bytes, Sent]]:
        """Processes and spans in order of time, then of what they say; the first of several versions has the logs."""
        logs: defaultdict[bytes, list[Log]] = defaultdict(list)
        for log in part.logs:
            logs[log.span_id].append(log)
        written = [(self._process(span.resource), self._span(span)) for span in part.spans]
        order = sorted(
            (span.start_ns, sender, orjson.dumps(one), nth)
            for nth, (span, (sender, one)) in enumerate(zip(part.spans, written, strict=True))
        )
        for *_, nth in order:
            span = part.spans[nth]
            written[nth][1]["logs"] += self._logs(span, logs.pop(span.span_id, ()))
            yield written[nth]

    def _process(self, resource: Resource) -> bytes:
        written = process(resource)
        marks = jaeger.marks_in(self._marker.resource(resource).holder["resource"])
        written["tags"] += [tag(name, text) for name, text in sorted(marks.items())]
        return orjson.dumps(written)

    def _span(self, span: Span) -> Sent:
        """A span without its logs."""
        written = span_json(span)
        scope = jaeger.marks_in(self._marker.scope(span.scope).holder["scope"])
        written["tags"] += [tag(_scope_mark(name), text) for name, text in sorted(scope.items())]
        marks = self._marker.span(span, jaeger.span_of(written)[0])
        written["tags"] += [tag(name, text) for name, text in sorted(marks.items())]
        return written

    def _logs(self, span: Span, logs: Iterable[Log]) -> list[Sent]:
        told = (log_json(log, self._log(log, span)) for log in logs)
        return sorted(told, key=lambda one: (one["timestamp"], orjson.dumps(one)))

    def _log(self, log: Log, span: Span) -> Sent:
        """All of a log in OTLP's form; its resource only where it is not its span's."""
        own = log.resource.resource_id == span.resource.resource_id
        resource: Read = (self._marker if own else self._plain).resource(log.resource)
        scope = self._plain.scope(log.scope)
        sent = log_sent(log)
        add_marks(sent, self._plain.log(log, sent, resource, scope))
        told = {"scope": scope.holder, "log": sent}
        return told if own else told | {"resource": resource.holder}


def _scope_mark(name: str) -> str:
    return SCOPE_MARKS + name.rsplit(".", 1)[1]


def _warning(loose: int) -> str:
    return f"{loose} log{'s' if loose != 1 else ''} without a span here: Jaeger's form has no place for them, OTLP JSON has."
