"""Records as rows of PostgreSQL's binary COPY, packed by hand: most of a row is one `struct.pack`.

`*_COLUMNS` name the columns in the packed order; `writing` sends header, rows and trailer. All integers are big-endian.
"""

from struct import Struct

import orjson

from tracing.records import Log, Span

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
_INT8_OID = 20
_length = Struct(">i").pack
# The bits, then the length of a jsonb value and its version.
_FACTS = Struct(">iiib").pack

SPAN_COLUMNS = (
    "day, trace_id, span_id, start_ns, digest, end_ns, kind, status, flags, dropped_attributes, dropped_events,"
    " dropped_links, redacted, rule_version, received_ns, xid, resource_id, scope_id, parent_span_id, name, service,"
    " status_message, trace_state, facts, attributes, events, links, event_times, exact"
)
_SPAN = Struct(
    ">h" + "ii" + "i16s" + "i8s" + "iq" + "i16s" + "iq" + "iiii" + "iqiqiqiq" + "iiii" + "iqiq" + "i16si16s"
).pack

LOG_COLUMNS = (
    "day, log_id, time_ns, digest, time_source, observed_ns, severity, flags, dropped_attributes, redacted,"
    " rule_version, received_ns, xid, resource_id, scope_id, trace_id, span_id, service, severity_text, event_name,"
    " body, attributes, exact"
)
_LOG = Struct(
    ">h" + "ii" + "i16s" + "iq" + "i16s" + "ih" + "iq" + "ii" + "iqiq" + "iiii" + "iqiq" + "i16si16s"
).pack

LINK_COLUMNS = "day, target_trace_id, target_span_id, trace_id, span_id"
_LINK = Struct(">hiii16si8si16si8s").pack


def span_row(span: Span, rule_version: int, received_ns: int, xid: int) -> bytes:
    """One row of `span`, columns as in SPAN_COLUMNS."""
    # fmt: off
    head = _SPAN(
        29, 4, span.start_ns // 86_400_000_000_000, 16, span.trace_id, 8, span.span_id, 8, span.start_ns, 16, span.digest,
        8, span.end_ns, 4, span.kind, 4, span.status, 8, span.flags, 8, span.dropped_attributes, 8, span.dropped_events,
        8, span.dropped_links, 4, span.redacted, 4, rule_version, 8, received_ns, 8, xid,
        16, span.resource.resource_id, 16, span.scope.scope_id,
    )
    # fmt: on
    name = span.name.encode()
    service = span.resource.service.encode()
    message = span.status_message.encode()
    state = span.trace_state.encode()
    attributes = span.attributes_json
    return b"".join(
        (
            head,
            _length(len(span.parent_span_id)),
            span.parent_span_id,
            _length(len(name)),
            name,
            _length(len(service)),
            service,
            _length(len(message)),
            message,
            _length(len(state)),
            state,
            _FACTS(4, span.facts, len(attributes) + 1, 1),
            attributes,
            _json(span.events_json),
            _json(span.links_json),
            _times([event.time_ns for event in span.events]) if span.events else NULL,
            _json(_exact(span.exact)),
        )
    )


def log_row(log: Log, rule_version: int, received_ns: int, xid: int) -> bytes:
    """One row of `log`, columns as in LOG_COLUMNS."""
    # fmt: off
    head = _LOG(
        23, 4, log.day, 16, log.log_id, 8, log.time_ns, 16, log.digest, 2, log.time_source, 8, log.observed_ns,
        4, log.severity, 8, log.flags, 8, log.dropped_attributes, 4, log.redacted, 4, rule_version,
        8, received_ns, 8, xid, 16, log.resource.resource_id, 16, log.scope.scope_id,
    )
    # fmt: on
    return b"".join(
        (
            head,
            _sized(log.trace_id),
            _sized(log.span_id),
            _sized(log.resource.service.encode()),
            _sized(log.severity_text.encode()),
            _sized(log.event_name.encode()),
            _json(log.body_json),
            _json(log.attributes_json),
            _json(_exact(log.exact)),
        )
    )


def link_rows(span: Span) -> list[bytes]:
    """Rows of `link`, columns as in LINK_COLUMNS; links without proper ids lead nowhere and are left out."""
    return [
        _LINK(5, 4, span.day, 16, link.trace_id, 8, link.span_id, 16, span.trace_id, 8, span.span_id)
        for link in span.links
        if len(link.trace_id) == 16 and len(link.span_id) == 8
    ]


def _sized(value: bytes) -> bytes:
    return _length(len(value)) + value


def _json(text: bytes | None) -> bytes:
    return NULL if text is None else _length(len(text) + 1) + b"\x01" + text


def _exact(exact: dict[str, str] | None) -> bytes | None:
    if exact is None:
        return None
    return orjson.dumps(exact)


def _times(times: list[int]) -> bytes:
    count = len(times)
    items = Struct(">" + "iq" * count).pack(*(part for time in times for part in (8, time)))
    body = Struct(">iiiii").pack(1, 0, _INT8_OID, count, 1) + items
    return _length(len(body)) + body
