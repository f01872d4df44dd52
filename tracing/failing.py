"""What a failing record says went wrong, and which failures are the same one (pure).

Two failures are the same where service, error type and the message without its numbers agree: "carrier 503
for parcel 88121" is "carrier 503 for parcel 7". `flows` takes of each trace and service the first one of a batch.
"""

import re
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.exceptions import ERROR_SEVERITY
from tracing.records import Event, Log, Span
from tracing.values import is_storable, opened, storable

ERROR = 2
MAX_MESSAGE, MAX_TYPE, MAX_OPERATION = 300, 200, 300
# What differs between two tellings of one failure, the longest kinds first.
_VARIABLE = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # uuid
    r"|0x[0-9a-fA-F]+"
    r"|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{8,}\b"  # a hash
    r"|'[^']{1,200}'|\"[^\"]{1,200}\"|`[^`]{1,200}`"
    r"|[\w.+-]+@[\w-]+\.[\w.]+"  # an address
    r"|(?<![A-Za-z])\d+(?:[.,:]\d+)*"
)
# Numbers that tell failures apart: an HTTP status is one.
_KEPT = re.compile(r"[1-5]\d\d")


class Failure(NamedTuple):
    """One failure. `fingerprint` is 12 bytes, equal for the same failure."""

    fingerprint: bytes
    at_ns: int
    trace_id: bytes
    record_id: bytes  # span id, or a log's id
    service: str
    operation: str
    error_type: str
    message: str
    day: int


def of_span(span: Span) -> Failure | None:
    """The failure of a span whose status is ERROR; None otherwise."""
    if span.status != ERROR:
        return None
    attributes = opened(span.attributes)
    told = _exception(span)
    error_type = _text(told.get("exception.type")) or _text(attributes.get("error.type")) or ""
    message = _text(told.get("exception.message")) or span.status_message
    if not error_type and not message:
        code = attributes.get("http.response.status_code", attributes.get("http.status_code"))
        error_type = _text(code)
    at_ns = max(span.start_ns, span.end_ns)
    return _failure(
        at_ns, span.trace_id, span.span_id, span.resource.service, span.name, error_type, message, span.day
    )


def of_log(log: Log) -> Failure | None:
    """The failure that a log at ERROR or above tells; None otherwise."""
    if log.severity < ERROR_SEVERITY:
        return None
    attributes = opened(log.attributes)
    message = _text(attributes.get("exception.message")) or _text(log.body)
    error_type = _text(attributes.get("exception.type"))
    return _failure(
        log.time_ns,
        log.trace_id,
        log.log_id,
        log.resource.service,
        log.event_name,
        error_type,
        message,
        log.day,
    )


def fingerprint(service: str, operation: str, error_type: str, message: str) -> bytes:
    """12 bytes over what stays the same from one telling to the next.

    The operation counts only where nothing else is told: who asked and who was asked tell one error in two spans.
    """
    told = "" if error_type or message else plain(operation)
    parts = (service, told, error_type, plain(message))
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def plain(text: str) -> str:
    """A text without what varies: numbers, hashes, quoted names and addresses become `#`."""
    return _VARIABLE.sub(lambda match: match[0] if _KEPT.fullmatch(match[0]) else "#", text[:MAX_MESSAGE])


def _failure(
    at_ns: int,
    trace_id: bytes,
    record_id: bytes,
    service: str,
    operation: str,
    error_type: str,
    message: str,
    day: int,
) -> Failure:
    service, operation = storable(service)[:MAX_TYPE], storable(operation)[:MAX_OPERATION]
    error_type, message = storable(error_type)[:MAX_TYPE], storable(message)[:MAX_MESSAGE]
    same = fingerprint(service, operation, error_type, message)
    return Failure(same, at_ns, trace_id, record_id, service, operation, error_type, message, day)


def _exception(span: Span) -> dict[str, Any]:
    """The last exception event's attributes: the one that went out of the span."""
    told = [event for event in span.events if _is_exception(event)]
    return opened(told[-1].attributes) if told else {}


def _is_exception(event: Event) -> bool:
    return event.name == "exception"


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value)
    return text if is_storable(text) else ""
