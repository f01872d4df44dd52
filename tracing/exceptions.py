"""Which exceptions a record tells, each by an id that a span event and a log line of the same one share (pure).

`flows` collects them; only the database knows which telling was the first, so `summing` counts them.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from tracing.records import Event, Log, Span
from tracing.values import opened

ERROR_SEVERITY = 17


def span_exceptions(span: Span) -> Iterable[bytes]:
    """An id for each exception event; equal ones in one span are told apart by their ordinal."""
    seen: dict[bytes, int] = {}
    for event in span.events:
        if event.name == "exception":
            said = _exception_text(event)
            seen[said] = seen.get(said, -1) + 1
            yield _exception_id(span.trace_id, span.span_id, said, seen[said])


def log_exception(log: Log) -> list[bytes] | None:
    """The id of the exception an ERROR log tells, in a list; None where it tells none that a span event could tell too."""
    if log.severity < ERROR_SEVERITY or not log.trace_id:
        return None
    attributes = opened(log.attributes)
    if "exception.type" not in attributes and "exception.message" not in attributes:
        return None
    return [_exception_id(log.trace_id, log.span_id, _exception_text(log), 0)]


def _exception_text(record: Event | Log) -> bytes:
    attributes = opened(record.attributes)
    said = (attributes.get("exception.type"), attributes.get("exception.message"))
    return "\0".join(_text(part) for part in said).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _exception_id(trace_id: bytes, span_id: bytes, said: bytes, ordinal: int) -> bytes:
    return blake2b(trace_id + span_id + said + b"\0%d" % ordinal, digest_size=16).digest()
