"""OTLP/JSON requests -> spans and logs as they were sent; the twin of `protobuf`, down to the same digests.

Names are lowerCamelCase (snake_case is taken too), unknown ones are ignored, null is the default, ids are hex.
A field of the wrong type costs its record, a bad attribute value only itself.
"""

import json
from collections.abc import Iterator
from typing import Any

import orjson

from tracing.otlp.attributes import Malformed
from tracing.otlp.finishing import Work, finish_log, finish_span, make_resource, make_scope
from tracing.otlp.fitting import exact_text
from tracing.otlp.jsonfields import (
    KINDS,
    SEVERITIES,
    STATUSES,
    UINT32,
    UINT64,
    BadField,
    attributes_in,
    enum_in,
    id_in,
    list_in,
    number_in,
    object_in,
    text_in,
    value_in,
)
from tracing.otlp.jsonmarks import check_depth, check_values
from tracing.otlp.weigh import check_records
from tracing.records import Event, Link, Log, Resource, Scope, Span
from tracing.values import is_storable, storable

_OTHER_SIGNALS = {
    "resourceSpans": "/v1/traces",
    "resourceLogs": "/v1/logs",
    "resourceMetrics": "/v1/metrics",
}


def parse(body: bytes) -> Any:
    """JSON, also with lone surrogates, NaN and broken UTF-8 in strings. Raises `Malformed` and `TooMany`."""
    check_values(body)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    check_depth(body)
    try:
        return json.loads(body.decode("utf-8", "surrogateescape"))
    except RecursionError:
        raise Malformed("the body is nested too deep") from None
    except ValueError as error:
        raise Malformed(f"the body is not JSON: {str(error)[:100]}") from None


def _request(work: Work, body: bytes, name: str) -> dict[str, Any]:
    """A request's object; a sentence where it holds another signal than it was sent for."""
    request = parse(body)
    if not isinstance(request, dict):
        raise Malformed(f"the body is not an object holding {name}")
    for other, address in _OTHER_SIGNALS.items():
        if other != name and not request.get(name) and request.get(other):
            work.refuse(f"the body holds {other}; send it to {address}", count=0)
    return request


def _groups(request: dict[str, Any], name: str, scopes: str, records: str) -> list[Any]:
    """The resources of a request, which holds no more records than are read."""
    try:
        found = list_in(request, name)
    except BadField as error:
        raise Malformed(f"the body is no request: {error}") from None
    groups = [group for resource in found for group in _objects(resource, scopes)]
    check_records(len(found) + len(groups) + sum(len(_objects(group, records)) for group in groups))
    return found


def read_resource(work: Work, holder: dict[str, Any]) -> tuple[Resource, bytes]:
    sent = object_in(holder, "resource")
    dropped = number_in(sent, "droppedAttributesCount", UINT32)
    return make_resource(work, attributes_in(work.memory, sent), dropped, text_in(holder, "schemaUrl"))


def read_scope(work: Work, holder: dict[str, Any]) -> Scope:
    sent = object_in(holder, "scope")
    return make_scope(
        work,
        text_in(sent, "name"),
        text_in(sent, "version"),
        attributes_in(work.memory, sent),
        number_in(sent, "droppedAttributesCount", UINT32),
        text_in(holder, "schemaUrl"),
    )


def _objects(holder: Any, name: str) -> list[Any]:
    if not isinstance(holder, dict):
        raise BadField("a group is not an object")
    return list_in(holder, name)


def read_spans(work: Work, body: bytes) -> Iterator[None]:
    """Every span of a trace request, into the batch; stops after each part. Raises `Malformed` and `TooMany`."""
    yield from spans_in(work, _request(work, body, "resourceSpans"))


def spans_in(work: Work, request: dict[str, Any]) -> Iterator[None]:
    """The same of a request that is parsed already."""
    try:
        for resource_spans in _groups(request, "resourceSpans", "scopeSpans", "spans"):
            scopes = _objects(resource_spans, "scopeSpans")
            resource, _ = read_resource(work, resource_spans)
            for scope_spans in scopes:
                spans = _objects(scope_spans, "spans")
                scope = read_scope(work, scope_spans)
                for sent in spans:
                    read_span(work, sent, resource, scope)
                    if work.is_full(0):
                        yield
    except BadField as error:
        raise Malformed(f"the body is no trace request: {error}") from None


def read_span(work: Work, sent: Any, resource: Resource, scope: Scope) -> None:
    try:
        if not isinstance(sent, dict):
            raise BadField("it is not an object")
        links = [_link(work, link) for link in list_in(sent, "links")]
        span = _span(work, sent, resource, scope)
        span.links = [link for link, _ in links]
        finish_span(work, span, [row for _, row in links])
    except BadField as error:
        work.refuse(f"a span cannot be read: {error}", resource)
    except Exception as error:
        work.refuse_odd("a span", error, resource)


def _span(work: Work, sent: dict[str, Any], resource: Resource, scope: Scope) -> Span:
    status = object_in(sent, "status")
    return Span(
        trace_id=id_in(sent, "traceId"),
        span_id=id_in(sent, "spanId"),
        parent_span_id=id_in(sent, "parentSpanId"),
        start_ns=number_in(sent, "startTimeUnixNano", UINT64),
        end_ns=number_in(sent, "endTimeUnixNano", UINT64),
        name=text_in(sent, "name"),
        kind=enum_in(sent, "kind", KINDS),
        status=enum_in(status, "code", STATUSES),
        status_message=text_in(status, "message"),
        trace_state=text_in(sent, "traceState"),
        flags=number_in(sent, "flags", UINT32),
        resource=resource,
        scope=scope,
        attributes=attributes_in(work.memory, sent),
        attributes_json=b"",
        events=[_event(work, event) for event in list_in(sent, "events")],
        events_json=None,
        links=[],
        links_json=None,
        dropped_attributes=number_in(sent, "droppedAttributesCount", UINT32),
        dropped_events=number_in(sent, "droppedEventsCount", UINT32),
        dropped_links=number_in(sent, "droppedLinksCount", UINT32),
        digest=b"",
    )


def _event(work: Work, sent: Any) -> Event:
    if not isinstance(sent, dict):
        raise BadField("an event is not an object")
    return Event(
        number_in(sent, "timeUnixNano", UINT64),
        text_in(sent, "name"),
        attributes_in(work.memory, sent),
        number_in(sent, "droppedAttributesCount", UINT32),
    )


def _link(work: Work, sent: Any) -> tuple[Link, dict[str, Any]]:
    if not isinstance(sent, dict):
        raise BadField("a link is not an object")
    link = Link(id_in(sent, "traceId"), id_in(sent, "spanId"))
    state = text_in(sent, "traceState")
    row = {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "trace_state": storable(state),
        "attributes": attributes_in(work.memory, sent),
        "dropped": number_in(sent, "droppedAttributesCount", UINT32),
        "flags": number_in(sent, "flags", UINT32),
    }
    if not is_storable(state):
        row["exact_trace_state"] = exact_text(state)
    return link, row


def read_logs(work: Work, body: bytes) -> Iterator[None]:
    """Every log record of a logs request, as `read_spans` does."""
    yield from logs_in(work, _request(work, body, "resourceLogs"))


def logs_in(work: Work, request: dict[str, Any]) -> Iterator[None]:
    try:
        for resource_logs in _groups(request, "resourceLogs", "scopeLogs", "logRecords"):
            scopes = _objects(resource_logs, "scopeLogs")
            resource, sent_id = read_resource(work, resource_logs)
            for scope_logs in scopes:
                logs = _objects(scope_logs, "logRecords")
                scope = read_scope(work, scope_logs)
                for sent in logs:
                    read_log(work, sent, resource, scope, sent_id + scope.scope_id)
                    if work.is_full(0):
                        yield
    except BadField as error:
        raise Malformed(f"the body is no logs request: {error}") from None


def read_log(work: Work, sent: Any, resource: Resource, scope: Scope, sender: bytes) -> None:
    try:
        if not isinstance(sent, dict):
            raise BadField("it is not an object")
        finish_log(work, _log(work, sent, resource, scope), sender)
    except BadField as error:
        work.refuse(f"a log record cannot be read: {error}", resource)
    except Exception as error:
        work.refuse_odd("a log record", error, resource)


def _log(work: Work, sent: dict[str, Any], resource: Resource, scope: Scope) -> Log:
    return Log(
        log_id=b"",
        trace_id=id_in(sent, "traceId"),
        span_id=id_in(sent, "spanId"),
        time_ns=number_in(sent, "timeUnixNano", UINT64),
        time_source=0,
        observed_ns=number_in(sent, "observedTimeUnixNano", UINT64),
        severity=enum_in(sent, "severityNumber", SEVERITIES),
        severity_text=text_in(sent, "severityText"),
        event_name=text_in(sent, "eventName"),
        body=value_in(sent.get("body")),
        body_json=b"",
        attributes=attributes_in(work.memory, sent),
        attributes_json=b"",
        flags=number_in(sent, "flags", UINT32),
        dropped_attributes=number_in(sent, "droppedAttributesCount", UINT32),
        resource=resource,
        scope=scope,
        digest=b"",
    )
