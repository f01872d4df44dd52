"""From records as they were sent to records as they are stored: checked ids, digest, redaction, JSON, columns.

`protobuf` and `json` fill in spans and logs with exact values; here both become the same thing. What a column
cannot hold (times beyond 2^63-1, NUL in a name, an odd id) is cut to fit and kept in `exact`.
"""

import base64
import logging
from collections import Counter
from typing import Any

from tracing.facts import facts_of
from tracing.otlp import forms, identity
from tracing.otlp.attributes import Memory, map_value
from tracing.otlp.carried import IDENTITY, ORIGIN, Carried, Settled, settle, take
from tracing.records import ATTRIBUTES, MAX_NS, Batch, Event, Log, Refusal, Resource, Scope, Span
from tracing.values import is_storable, opened, plain, storable

logger = logging.getLogger(__name__)

# A request beyond these is stored in parts: never all in memory at once, and each of the size the store likes.
PART_RECORDS, PART_BYTES = 4_000, 16 * 1024 * 1024
NO_TRACE_ID, NO_SPAN_ID = bytes(16), bytes(8)
UNKNOWN_SERVICE = "unknown_service"
# Service and environment are parts of index rows, which hold 2,704 bytes.
_LONGEST_NAME = 255
_ENVIRONMENT_KEYS = ("deployment.environment.name", "deployment.environment")


class Work:
    """One request being decoded: its key, its memory, and what was turned away so far.

    `from_file`: what our own files carry beside their records is honoured (`carried`).
    """

    def __init__(self, key: bytes, memory: Memory, batch: Batch, from_file: bool = False) -> None:
        self.key = key
        self.memory = memory
        self.batch = batch
        self.from_file = from_file
        self._bytes = 0
        self._equal_logs: Counter[bytes] = Counter()
        self._refused: dict[tuple[bytes, str], Refusal] = {}
        self._told = False

    def is_full(self, size: int) -> bool:
        """Whether the batch is a part's worth, now that a record of `size` bytes was read."""
        self._bytes += size
        return self._bytes > PART_BYTES or len(self.batch.spans) + len(self.batch.logs) >= PART_RECORDS

    def next_part(self) -> Batch:
        """Hand over the batch and begin another one of the same request."""
        done, self._bytes = self.batch, 0
        self.batch = Batch(transport=done.transport, received_ns=done.received_ns)
        self._refused = {}
        return done

    def refuse(self, reason: str, resource: Resource | None = None, count: int = 1) -> None:
        """Turn records away with a sentence; equal sentences of one resource are counted together."""
        about = (resource.resource_id if resource else b"", reason)
        refusal = self._refused.get(about)
        if refusal is None:
            refusal = self._refused[about] = Refusal(0, reason, resource)
            self.batch.refusals.append(refusal)
        refusal.count += count

    def refuse_odd(self, kind: str, error: Exception, resource: Resource) -> None:
        """Turn one record away that nobody foresaw; the request would fail as often as it was sent again."""
        if isinstance(error, MemoryError):
            raise error
        if not self._told:
            # Once a request: each of its records may be of the kind.
            logger.error("%s could not be read", kind, exc_info=error)
            self._told = True
        self.refuse(f"{kind} cannot be read: Threadline does not understand it", resource)

    def log_id(self, log: Log) -> bytes:
        """From the sender's own id, else the digest and the ordinal among equal logs of this request."""
        uid = opened(log.attributes).get("log.record.uid")
        if uid not in (None, ""):
            return identity.digest(self.key, b"uid", identity.canonical(uid))
        ordinal = self._equal_logs[log.digest]
        self._equal_logs[log.digest] += 1
        return identity.digest(self.key, log.digest, str(ordinal).encode()) if ordinal else log.digest

    def carried(self, attributes: ATTRIBUTES) -> Carried | None:
        return take(attributes) if self.from_file else None

    def redact(self, value: Any) -> tuple[Any, int]:
        return self.memory.redaction.without_secrets(value)

    def settled(self, attributes: ATTRIBUTES) -> tuple[ATTRIBUTES, bool]:
        """Attributes with odd keys tagged, and whether they may hold secrets."""
        if self.memory.special.isdisjoint(attributes):
            return attributes, False
        return map_value(attributes), True


def make_resource(
    work: Work, attributes: ATTRIBUTES, dropped: int, schema_url: str
) -> tuple[Resource, bytes]:
    """The resource, and its identity before redaction, for the digests of its logs."""
    carried = work.carried(attributes)
    attributes, special = work.settled(attributes)
    written = identity.canonical(attributes)
    rest = (str(dropped).encode(), identity.raw_text(schema_url))
    resource_id = sent_id = identity.digest(work.key, b"resource", written, *rest)
    if special:
        attributes, _ = work.redact(attributes)
        written = identity.canonical(attributes)
        resource_id = identity.digest(work.key, b"resource", written, *rest)
    if carried:
        return _restored_resource(work, attributes, dropped, schema_url, carried, sent_id), sent_id
    return _resource(resource_id, attributes, written, dropped, schema_url), sent_id


def _restored_resource(
    work: Work, attributes: ATTRIBUTES, dropped: int, schema_url: str, carried: Carried, sent_id: bytes
) -> Resource:
    settled = settle(work.key, carried, sent_id, 16)
    attributes = forms.restored_attributes(attributes, carried.columns, work.memory.redaction)
    attributes |= _kept_origin(settled)
    dropped = forms.number(carried.columns, "dropped", dropped)
    schema_url = forms.text(carried.columns, "schema_url", schema_url)
    written = identity.canonical(attributes)
    rest = (str(dropped).encode(), identity.raw_text(schema_url))
    resource_id = identity.digest(work.key, b"resource", written, *rest)
    if carried.origin and not settled.origin:
        resource_id = settled.ids
    return _resource(resource_id, attributes, written, dropped, schema_url)


def _resource(
    resource_id: bytes, attributes: ATTRIBUTES, written: bytes, dropped: int, schema_url: str
) -> Resource:
    by_name = opened(attributes)
    environments = (name_of(by_name.get(key)) for key in _ENVIRONMENT_KEYS)
    return Resource(
        resource_id,
        attributes,
        written,
        dropped,
        storable(schema_url),
        name_of(by_name.get("service.name")) or UNKNOWN_SERVICE,
        next((name for name in environments if name), None),
    )


def make_scope(
    work: Work, name: str, version: str, attributes: ATTRIBUTES, dropped: int, schema_url: str
) -> Scope:
    """The scope; its id is taken before redaction, as the digests of its records hold it."""
    carried = work.carried(attributes)
    attributes, special = work.settled(attributes)
    written = identity.canonical(attributes)
    texts = (identity.raw_text(text) for text in (name, version, schema_url))
    scope_id = identity.digest(work.key, b"scope", written, str(dropped).encode(), *texts)
    if special:
        attributes = work.redact(attributes)[0]
        written = identity.canonical(attributes)
    if carried:
        settled = settle(work.key, carried, scope_id, 16)
        attributes = forms.restored_attributes(attributes, carried.columns, work.memory.redaction)
        attributes |= _kept_origin(settled)
        written = identity.canonical(attributes)
        name, version, schema_url = (
            forms.text(carried.columns, column, told)
            for column, told in (("name", name), ("version", version), ("schema_url", schema_url))
        )
        dropped = forms.number(carried.columns, "dropped", dropped)
        scope_id = settled.ids
    return Scope(scope_id, storable(name), storable(version), written, dropped, storable(schema_url))


def _kept_origin(settled: Settled) -> ATTRIBUTES:
    """Resources and scopes keep it among their attributes: they have no other place."""
    return {IDENTITY: settled.origin} if settled.origin else {}


def name_of(value: Any) -> str:
    """A service or environment name from a tagged value; "" where there is none."""
    if value is None or value == "":
        return ""
    # `summing` joins the names of services by U+0001.
    return storable(str(plain(value))).replace("\x01", "\ufffd")[:_LONGEST_NAME]


def span_fault(span: Span) -> str | None:
    """Why a span cannot be stored."""
    if len(span.trace_id) != 16 or span.trace_id == NO_TRACE_ID:
        return "a span has no valid trace id: 16 bytes, not all zero"
    if len(span.span_id) != 8 or span.span_id == NO_SPAN_ID:
        return "a span has no valid span id: 8 bytes, not all zero"
    return None


def finish_span(work: Work, span: Span, links: list[dict[str, Any]]) -> None:
    """Check, digest and redact a span that a reader filled in, and add it to the batch."""
    fault = span_fault(span)
    if fault:
        work.refuse(fault, span.resource)
        return
    carried = work.carried(span.attributes)
    span.attributes, special = work.settled(span.attributes)
    span.attributes_json = identity.canonical(span.attributes)
    span.facts = facts_of(span)
    rows = _event_rows(work, span.events) if span.events else []
    span.events_json = identity.canonical(rows) if rows else None
    for link in links:
        link["attributes"], _ = work.settled(link["attributes"])
    span.links_json = identity.canonical(links) if links else None
    span.digest = identity.span_digest(work.key, span, span.links_json or b"", span.scope.scope_id)
    if special:
        _redact_attributes(work, span)
    if rows:
        _redact_events(work, span, rows)
    if links:
        _redact_links(work, span, links)
    _fit_span(span)
    if carried:
        settled = settle(work.key, carried, span.digest, 16)
        forms.restore_span(span, carried.columns, work.memory.redaction)
        span.digest = settled.ids
        _keep_origin(span, settled)
    work.batch.spans.append(span)


def _keep_origin(record: Span | Log, settled: Settled) -> None:
    if settled.origin:
        record.exact = {**(record.exact or {}), ORIGIN: settled.origin}


def _event_rows(work: Work, events: list[Event]) -> list[dict[str, Any]]:
    rows = []
    for event in events:
        event.attributes, _ = work.settled(event.attributes)
        row = {
            "time": str(event.time_ns),
            "name": event.name,
            "attributes": event.attributes,
            "dropped": event.dropped,
        }
        if not is_storable(event.name):
            row["exact_name"] = exact_text(event.name)
            row["name"] = event.name = storable(event.name)
        event.time_ns = min(event.time_ns, MAX_NS)
        rows.append(row)
    return rows


def _redact_attributes(work: Work, record: Span | Log) -> None:
    record.attributes, count = work.redact(record.attributes)
    if count:
        record.redacted += count
        record.attributes_json = identity.canonical(record.attributes)


def _redact_rows(work: Work, rows: list[dict[str, Any]]) -> int:
    total = 0
    for row in rows:
        if not work.memory.special.isdisjoint(row["attributes"]) or "$map" in row["attributes"]:
            row["attributes"], count = work.redact(row["attributes"])
            total += count
    return total


def _redact_events(work: Work, span: Span, rows: list[dict[str, Any]]) -> None:
    count = _redact_rows(work, rows)
    if count:
        span.redacted += count
        span.events_json = identity.canonical(rows)
        for event, row in zip(span.events, rows, strict=True):
            event.attributes = row["attributes"]


def _redact_links(work: Work, span: Span, rows: list[dict[str, Any]]) -> None:
    count = _redact_rows(work, rows)
    if count:
        span.redacted += count
        span.links_json = identity.canonical(rows)


def _fit_span(span: Span) -> None:
    if span.start_ns > MAX_NS:
        span.exact = {**(span.exact or {}), "start": str(span.start_ns)}
        span.start_ns = MAX_NS
    if span.end_ns > MAX_NS:
        span.exact = {**(span.exact or {}), "end": str(span.end_ns)}
        span.end_ns = MAX_NS
    if not is_storable(f"{span.name}{span.status_message}{span.trace_state}"):
        fit_texts(span, ("name", "status_message", "trace_state"))
    parent = span.parent_span_id
    if parent and (len(parent) != 8 or parent == NO_SPAN_ID):
        span.exact = {**(span.exact or {}), "parent_span_id": parent.hex()}
        span.parent_span_id = b""


def finish_log(work: Work, log: Log, sender: bytes) -> None:
    """Digest and redact a log that a reader filled in, and add it to the batch. Odd ids leave it unattached.

    Until here `time_ns` is the event time as sent. `sender` is the identity of its resource and scope.
    """
    sent_ns = log.time_ns
    carried = work.carried(log.attributes)
    log.attributes, special = work.settled(log.attributes)
    log.attributes_json = identity.canonical(log.attributes)
    log.body_json = identity.canonical(log.body)
    log.digest = identity.log_digest(work.key, log, sender, sent_ns)
    # A log that carries its identity has its place among its equals.
    log.log_id = log.digest if carried and carried.origin else work.log_id(log)
    if special:
        _redact_attributes(work, log)
    if isinstance(log.body, (dict, list)):
        log.body, count = work.redact(log.body)
        if count:
            log.redacted += count
            log.body_json = identity.canonical(log.body)
    _fit_log_times(log, sent_ns)
    _fit_log_ids(log)
    if not is_storable(f"{log.severity_text}{log.event_name}"):
        fit_texts(log, ("severity_text", "event_name"))
    if carried:
        _restore_log(work, log, carried)
    work.batch.logs.append(log)


def _restore_log(work: Work, log: Log, carried: Carried) -> None:
    settled = settle(work.key, carried, log.digest, 32)
    forms.restore_log(log, carried.columns, work.memory.redaction)
    if carried.origin:
        log.digest, log.log_id = settled.ids[:16], settled.ids[16:]
    _keep_origin(log, settled)


def _fit_log_times(log: Log, sent_ns: int) -> None:
    log.time_source = 0 if sent_ns else 1 if log.observed_ns else 2
    for name, column, value in (("time", "time_ns", sent_ns), ("observed", "observed_ns", log.observed_ns)):
        if value > MAX_NS:
            log.exact = {**(log.exact or {}), name: str(value)}
        setattr(log, column, min(value, MAX_NS))
    log.time_ns = log.time_ns or log.observed_ns


def _fit_log_ids(log: Log) -> None:
    for column, length in (("trace_id", 16), ("span_id", 8)):
        value: bytes = getattr(log, column)
        if not value:
            continue
        if len(value) != length or not any(value):
            if any(value):
                log.exact = {**(log.exact or {}), column: value.hex()}
            setattr(log, column, b"")
    if log.span_id and not log.trace_id:
        log.exact = {**(log.exact or {}), "span_id": log.span_id.hex()}
        log.span_id = b""


def fit_texts(record: Span | Log, columns: tuple[str, ...]) -> None:
    """Replace what PostgreSQL refuses in text columns; the bytes as sent stay in `exact`."""
    for column in columns:
        text: str = getattr(record, column)
        if not is_storable(text):
            record.exact = {**(record.exact or {}), column: exact_text(text)}
            setattr(record, column, storable(text))


def exact_text(text: str) -> str:
    """Base64 of the bytes a text was sent as."""
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    return base64.b64encode(raw).decode()
