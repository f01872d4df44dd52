"""Which exceptions a record tells, and how many errors the tellings of one are (pure).

A span event and a log line of the same exception share an id; `flows` collects who told it, and because only the
database knows what was told before, `summing` counts them.
"""

from collections import Counter
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.records import Event, Log, Span
from tracing.values import opened

ERROR_SEVERITY = 17


class Telling(NamedTuple):
    """One record's word of an exception: what was said of which span, and the event that says it; None for a log."""

    exception_id: bytes
    event_id: bytes | None


def span_exceptions(span: Span) -> list[Telling]:
    """A telling for each exception event. A version of the span that repeats an event tells the same event."""
    equal: Counter[bytes] = Counter()
    found = []
    for event in span.events:
        if event.name == "exception":
            exception_id = _id(span.trace_id, span.span_id, _said(event))
            moment = exception_id + event.time_ns.to_bytes(8, "big")
            found.append(Telling(exception_id, _id(moment, b"%d" % equal[moment])))
            equal[moment] += 1
    return found


def log_exception(log: Log) -> list[Telling] | None:
    """The exception an ERROR log tells, in a list; None where it tells none that a span event could tell too."""
    if log.severity < ERROR_SEVERITY or not log.span_id:
        return None
    attributes = opened(log.attributes)
    if "exception.type" not in attributes and "exception.message" not in attributes:
        return None
    return [Telling(_id(log.trace_id, log.span_id, _said(log)), None)]


def errors_of(events: int, logs: int) -> int:
    """How many errors one exception is: each event that tells it is one; what logs tell is the same again."""
    return max(events, min(logs, 1))


def _said(record: Event | Log) -> bytes:
    attributes = opened(record.attributes)
    said = (attributes.get("exception.type"), attributes.get("exception.message"))
    return "\0".join(_text(part) for part in said).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _id(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=16).digest()
