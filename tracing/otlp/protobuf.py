"""OTLP protobuf requests -> spans and logs as they were sent. `finishing` makes them what is stored.

Values repeat, so attributes and texts come out of a `Memory`; the loops here run once per record and are
kept flat for that reason.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from tracing.otlp import wire
from tracing.otlp.attributes import Malformed, Memory, text_of, value_of
from tracing.otlp.finishing import Work, finish_log, finish_span, make_resource, make_scope
from tracing.otlp.fitting import exact_text
from tracing.otlp.weigh import TooMany, check_record, check_request
from tracing.records import ATTRIBUTES, Event, Link, Log, Resource, Scope, Span
from tracing.values import is_storable, storable


def _parsed(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except DecodeError as error:
        raise Malformed(f"the body is not a valid protobuf {message.DESCRIPTOR.name}") from error


def _record(message: Any, raw: bytes) -> Any:
    check_record(raw)
    try:
        return message.FromString(raw)
    except DecodeError as error:
        raise Malformed("it is not valid protobuf") from error


def _attributes(memory: Memory, raw: Any) -> ATTRIBUTES:
    # A slice is a list at once; upb's own iteration asks for each item and ends with an IndexError.
    return dict(map(memory.pairs.__getitem__, raw[:]))


def read_resource(work: Work, holder: Any) -> tuple[Resource, bytes]:
    sent = holder.resource
    attributes = _attributes(work.memory, sent.attributes)
    return make_resource(work, attributes, sent.dropped_attributes_count, text_of(holder.schema_url))


def _scope(work: Work, holder: Any) -> Scope:
    sent = holder.scope
    return make_scope(
        work,
        text_of(sent.name),
        text_of(sent.version),
        _attributes(work.memory, sent.attributes),
        sent.dropped_attributes_count,
        text_of(holder.schema_url),
    )


def read_spans(work: Work, body: bytes) -> Iterator[None]:
    """Every span of a trace request, into the batch; stops after each part. Raises `Malformed` and `TooMany`."""
    check_request(body)
    for resource_spans in _parsed(wire.TraceRequest, body).resource_spans:
        resource, _ = read_resource(work, resource_spans)
        for scope_spans in resource_spans.scope_spans:
            scope = _scope(work, scope_spans)
            for raw in scope_spans.spans:
                try:
                    _read_span(work, _record(wire.Span, raw), resource, scope)
                except (Malformed, TooMany) as error:
                    work.refuse(f"a span cannot be read: {error}", resource)
                except Exception as error:
                    work.refuse_odd("a span", error, resource)
                if work.is_full(len(raw)):
                    yield


def _read_span(work: Work, sent: Any, resource: Resource, scope: Scope) -> None:
    memory = work.memory
    texts = memory.texts
    code, message = memory.statuses[sent.status]
    # Most spans have neither, and asking for the length is a third of a loop over nothing.
    links = [_link_row(memory, link) for link in sent.links] if sent.links else []
    events = [_event(memory, event) for event in sent.events] if sent.events else []
    # By position, in the order of the fields: by name it takes a microsecond more.
    span = Span(
        sent.trace_id,
        sent.span_id,
        sent.parent_span_id,
        sent.start_time_unix_nano,
        sent.end_time_unix_nano,
        texts[sent.name],
        sent.kind,
        code,
        message,
        texts[sent.trace_state],
        sent.flags,
        resource,
        scope,
        dict(map(memory.pairs.__getitem__, sent.attributes[:])),
        b"",
        events,
        None,
        [Link(link.trace_id, link.span_id) for link in sent.links] if links else [],
        None,
        sent.dropped_attributes_count,
        sent.dropped_events_count,
        sent.dropped_links_count,
        b"",
    )
    finish_span(work, span, links)


def _event(memory: Memory, sent: Any) -> Event:
    return Event(
        sent.time_unix_nano,
        memory.texts[sent.name],
        _attributes(memory, sent.attributes),
        sent.dropped_attributes_count,
    )


def _link_row(memory: Memory, sent: Any) -> dict[str, Any]:
    state = text_of(sent.trace_state)
    row = {
        "trace_id": sent.trace_id.hex(),
        "span_id": sent.span_id.hex(),
        "trace_state": storable(state),
        "attributes": _attributes(memory, sent.attributes),
        "dropped": sent.dropped_attributes_count,
        "flags": sent.flags,
    }
    if not is_storable(state):
        row["exact_trace_state"] = exact_text(state)
    return row


def read_logs(work: Work, body: bytes) -> Iterator[None]:
    """Every log record of a logs request, as `read_spans` does."""
    check_request(body)
    for resource_logs in _parsed(wire.LogsRequest, body).resource_logs:
        resource, sent_id = read_resource(work, resource_logs)
        for scope_logs in resource_logs.scope_logs:
            scope = _scope(work, scope_logs)
            sender = sent_id + scope.scope_id
            for raw in scope_logs.log_records:
                try:
                    sent = _record(wire.LogRecord, raw)
                    finish_log(work, _log(work.memory, sent, resource, scope), sender)
                except (Malformed, TooMany) as error:
                    work.refuse(f"a log record cannot be read: {error}", resource)
                except Exception as error:
                    work.refuse_odd("a log record", error, resource)
                if work.is_full(len(raw)):
                    yield


def _log(memory: Memory, sent: Any, resource: Resource, scope: Scope) -> Log:
    return Log(
        log_id=b"",
        trace_id=sent.trace_id,
        span_id=sent.span_id,
        time_ns=sent.time_unix_nano,
        time_source=0,
        observed_ns=sent.observed_time_unix_nano,
        severity=sent.severity_number,
        severity_text=memory.texts[sent.severity_text],
        event_name=memory.texts[sent.event_name],
        body=value_of(sent.body),
        body_json=b"",
        attributes=_attributes(memory, sent.attributes),
        attributes_json=b"",
        flags=sent.flags,
        dropped_attributes=sent.dropped_attributes_count,
        resource=resource,
        scope=scope,
        digest=b"",
    )
