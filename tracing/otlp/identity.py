"""What makes a record the same record: keyed digests over its decoded values in a canonical order.

Taken before redaction, so that two secrets differ; keyed, so that a digest does not give a secret away. The
encoding, the transport and the time of arrival never enter. `finishing` calls these for each record.
"""

from functools import lru_cache
from hashlib import blake2b
from struct import Struct
from typing import Any

import orjson

from tracing.records import Log, Span

_SPAN = Struct("<QQqqIIIIIIIIII")
_LOG = Struct("<QQqIIIIIIII")
_LENGTH = Struct("<I")


def canonical(value: Any) -> bytes:
    """A tagged value as JSON with its keys sorted: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def raw_text(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def digest(key: bytes, *parts: bytes) -> bytes:
    """16 bytes over parts of any length."""
    return _hashed(key, b"".join(_LENGTH.pack(len(part)) + part for part in parts))


@lru_cache(maxsize=16)
def _keyed(key: bytes) -> Any:
    """A hash that took the key in; a copy of it spares every record that first block."""
    return blake2b(digest_size=16, key=key)


def _hashed(key: bytes, whole: bytes) -> bytes:
    hashing = _keyed(key).copy()
    hashing.update(whole)
    found: bytes = hashing.digest()
    return found


def span_digest(key: bytes, span: Span, links: bytes, scope: bytes) -> bytes:
    """Over every field of an unfinished span (exact times, texts as sent); the resource is left out."""
    name, message, state = span.name, span.status_message, span.trace_state
    texts = f"{name}{message}{state}".encode("utf-8", "surrogatepass")
    events = span.events_json or b""
    fixed = _SPAN.pack(
        span.start_ns,
        span.end_ns,
        span.kind,
        span.status,
        span.flags,
        span.dropped_attributes,
        span.dropped_events,
        span.dropped_links,
        len(span.parent_span_id),
        len(name),
        len(message),
        len(state),
        len(span.attributes_json),
        len(events),
    )
    ids = span.trace_id + span.span_id + span.parent_span_id
    return _hashed(key, b"".join((fixed, ids, scope, texts, span.attributes_json, events, links)))


def log_digest(key: bytes, log: Log, sender: bytes, time_ns: int) -> bytes:
    """Over every field of an unfinished log, its scope and resource: replicas say the same line at the same time."""
    severity, event = raw_text(log.severity_text), raw_text(log.event_name)
    fixed = _LOG.pack(
        time_ns,
        log.observed_ns,
        log.severity,
        log.flags,
        log.dropped_attributes,
        len(log.trace_id),
        len(log.span_id),
        len(severity),
        len(event),
        len(log.attributes_json),
        len(sender),
    )
    parts = (fixed, log.trace_id, log.span_id, severity, event, log.attributes_json, sender, log.body_json)
    return _hashed(key, b"".join(parts))
