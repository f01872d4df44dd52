"""From records as they were sent to records as they are stored: checked ids, digest, redaction, JSON, columns.

`protobuf` and `json` fill in spans and logs with exact values; here both become the same thing. `fitting` cuts what a
column cannot hold, `restored` says who a record is that carries more than its file can say.
"""

import logging
from collections import Counter
from copy import copy
from functools import partial
from typing import Any

from tracing.facts import facts_of
from tracing.otlp import forms, identity, restored
from tracing.otlp.attributes import Memory, map_value
from tracing.otlp.carried import ORIGIN, Carried, Settled, settle, take, with_origin
from tracing.otlp.fitting import NO_SPAN_ID, NO_TRACE_ID, exact_text, fit_log, fit_span
from tracing.records import ATTRIBUTES, MAX_NS, Batch, Event, Log, Refusal, Resource, Scope, Span
from tracing.values import is_storable, opened, plain, storable

logger = logging.getLogger(__name__)

# A request beyond these is stored in parts: never all in memory at once, and each of the size the store likes.
PART_RECORDS, PART_BYTES = 4_000, 16 * 1024 * 1024
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
    if carried:
        form = {"attributes": attributes, "dropped": dropped, "schema_url": schema_url}
        return _restored_resource(work, forms.restored_holder(form, carried.columns), carried)
    written = identity.canonical(attributes)
    rest = (str(dropped).encode(), identity.raw_text(schema_url))
    resource_id = sent_id = identity.digest(work.key, b"resource", written, *rest)
    if special:
        attributes, _ = work.redact(attributes)
        written = identity.canonical(attributes)
        resource_id = identity.digest(work.key, b"resource", written, *rest)
    return _resource(resource_id, attributes, written, dropped, schema_url), sent_id


def _restored_resource(work: Work, form: forms.Form, carried: Carried) -> tuple[Resource, bytes]:
    sent_id = restored.sent_holder(work.key, b"resource", form)
    told, stored = partial(restored.told_holder, work.key, b"resource"), _without_secrets(work, form)
    settled = settle(work.key, carried, sent_id, told, (form, stored), 16)
    attributes = with_origin(stored["attributes"], settled.origin)
    resource_id = restored.sent_holder(work.key, b"resource", form | {"attributes": attributes})
    if carried.origin and not settled.origin:
        resource_id = settled.ids
    written = identity.canonical(attributes)
    return _resource(resource_id, attributes, written, form["dropped"], form["schema_url"]), sent_id


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
    if carried:
        form = {
            "name": name, "version": version, "schema_url": schema_url, "dropped": dropped, "attributes": attributes,
        }  # fmt: skip
        return _restored_scope(work, forms.restored_holder(form, carried.columns), carried)
    written = identity.canonical(attributes)
    texts = (identity.raw_text(text) for text in (name, version, schema_url))
    scope_id = identity.digest(work.key, b"scope", written, str(dropped).encode(), *texts)
    if special:
        written = identity.canonical(work.redact(attributes)[0])
    return Scope(scope_id, storable(name), storable(version), written, dropped, storable(schema_url))


def _restored_scope(work: Work, form: forms.Form, carried: Carried) -> Scope:
    sent_id = restored.sent_holder(work.key, b"scope", form)
    told, stored = partial(restored.told_holder, work.key, b"scope"), _without_secrets(work, form)
    settled = settle(work.key, carried, sent_id, told, (form, stored), 16)
    written = identity.canonical(with_origin(stored["attributes"], settled.origin))
    name, version, schema_url = (storable(form[column]) for column in ("name", "version", "schema_url"))
    return Scope(settled.ids, name, version, written, form["dropped"], schema_url)


def _without_secrets(work: Work, holder: forms.Form) -> forms.Form:
    return holder | {"attributes": work.redact(holder["attributes"])[0]}


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
    # Settles the events' attributes, which facts are read from.
    rows = _event_rows(work, span.events) if span.events else []
    span.facts = facts_of(span)
    span.events_json = identity.canonical(rows) if rows else None
    for link in links:
        link["attributes"], _ = work.settled(link["attributes"])
    span.links_json = identity.canonical(links) if links else None
    span.digest = identity.span_digest(work.key, span, span.links_json or b"", span.scope.scope_id)
    unredacted = copy(span) if carried else None
    if special:
        _redact_attributes(work, span)
    if rows:
        _redact_events(work, span, rows)
    if links:
        _redact_links(work, span, links)
    fit_span(span)
    if carried and unredacted:
        _restore_span(work, span, unredacted, carried)
    work.batch.spans.append(span)


def _restore_span(work: Work, span: Span, unredacted: Span, carried: Carried) -> None:
    fit_span(unredacted)
    forms.restore_span(span, carried.columns, work.memory.redaction)
    form = forms.patched(forms.span_form(unredacted), carried.columns)
    sent = None if carried.origin else restored.sent_span(work.key, span, form)
    told = partial(restored.told_span, work.key, span)
    settled = settle(work.key, carried, sent, told, (form, forms.span_form(span)), 16)
    span.digest = settled.ids
    _keep_origin(span, settled)


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


def finish_log(work: Work, log: Log, sender: bytes) -> None:
    """Digest and redact a log that a reader filled in, and add it to the batch. Odd ids leave it unattached.

    Until here `time_ns` is the event time as sent. `sender` is the identity of its resource and scope.
    """
    carried = work.carried(log.attributes)
    log.attributes, special = work.settled(log.attributes)
    log.attributes_json = identity.canonical(log.attributes)
    log.body_json = identity.canonical(log.body)
    log.digest = identity.log_digest(work.key, log, sender, log.time_ns)
    unredacted = copy(log) if carried else None
    if not carried:
        log.log_id = work.log_id(log)
    if special:
        _redact_attributes(work, log)
    if isinstance(log.body, (dict, list)):
        log.body, count = work.redact(log.body)
        if count:
            log.redacted += count
            log.body_json = identity.canonical(log.body)
    fit_log(log)
    if carried and unredacted:
        _restore_log(work, log, unredacted, carried, sender)
    work.batch.logs.append(log)


def _restore_log(work: Work, log: Log, unredacted: Log, carried: Carried, sender: bytes) -> None:
    fit_log(unredacted)
    forms.restore_log(log, carried.columns, work.memory.redaction)
    form = forms.patched(forms.log_form(unredacted), carried.columns)
    # A log that carries its identity has its place among its equals.
    sent = None if carried.origin else restored.sent_log(work.key, log, form, sender)
    ids = sent.digest + work.log_id(sent) if sent else None
    told = partial(restored.told_log, work.key, log)
    settled = settle(work.key, carried, ids, told, (form, forms.log_form(log)), 32)
    log.digest, log.log_id = settled.ids[:16], settled.ids[16:]
    _keep_origin(log, settled)
