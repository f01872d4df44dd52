"""Jaeger's JSON -> OTLP requests, which are then read like any other (pure).

Taken are the API's answer and what its page downloads, a trace, a span with its process inside (Elasticsearch keeps
them so), with any ids, and what `jaegerjson` adds for the way back. A tag is an attribute of its type; `span.kind`,
`error`, `otel.*` and `w3c.tracestate` are what they are in OpenTelemetry. Warnings of Jaeger's own are left out.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Any

import orjson

from tracing.files import jaegerjson
from tracing.files.account import Account
from tracing.files.otlpjson import Sent
from tracing.otlp.carried import EXACT, IDENTITY, RESERVED
from tracing.otlp.jsonfields import INT64, integer
from tracing.values import json_bytes

_KINDS = {word: kind for kind, word in jaegerjson.KINDS.items()}
_STATUSES = {word: status for status, word in jaegerjson.STATUSES.items()}
_SCOPE_NAMES = (jaegerjson.SCOPE_NAME, "otel.library.name")
_SCOPE_VERSIONS = (jaegerjson.SCOPE_VERSION, "otel.library.version")
_TIME_LIMITS = (0, 2**60 - 1)  # microseconds, or milliseconds
_MARKS = {f"{jaegerjson.SCOPE_MARKS}{name.rsplit('.', 1)[1]}": name for name in (IDENTITY, EXACT)}

Json = dict[str, Any]
Groups = dict[str, tuple[Sent, list[Sent]]]  # by what stands around the spans


class Odd(ValueError):
    """A span that cannot be read; the sentence says why."""


def is_trace(document: Json) -> bool:
    return isinstance(document.get("spans"), list)


def is_span(document: Json) -> bool:
    return "spanID" in document and ("traceID" in document or "operationName" in document)


def requests(document: Json, place: str, account: Account) -> Iterator[Sent]:
    """A trace, or one span, as requests: what stands around some spans or a log costs no others where it is odd."""
    spans = document["spans"] if is_trace(document) else [document]
    processes = document.get("processes")
    groups: Groups = {}
    logs: list[Sent] = []
    for number, span in enumerate(spans, 1):
        try:
            _read(span, processes if isinstance(processes, dict) else {}, groups, logs)
        except (Odd, TypeError, ValueError, OverflowError, RecursionError) as error:
            account.refuse(f"a span cannot be read: {_why(error)}", f"{place}, span {number}".lstrip(", "))
    yield from ({"resourceSpans": [_with_spans(*group)]} for group in groups.values())
    yield from ({"resourceLogs": [log]} for log in logs)


def _why(error: Exception) -> str:
    """What nobody foresaw costs its span alone, as at the endpoint."""
    if isinstance(error, Odd):
        return str(error)
    return (
        "it is nested too deep" if isinstance(error, RecursionError) else "Threadline does not understand it"
    )


def _read(span: Any, processes: Json, groups: Groups, logs: list[Sent]) -> None:
    if not isinstance(span, dict):
        raise Odd("it is not an object")
    resource = resource_of(_process(span, processes))
    sent, scope, carried = span_of(span)
    # JSON has no word for some of it, such as half a surrogate pair, and one for several others: NaN, infinities.
    group = groups.setdefault(repr((resource, scope)), (resource | {"scopeSpans": [scope]}, []))
    group[1].append(sent)
    for one in carried:
        holder = one.get("resource") or resource
        logs.append(holder | {"scopeLogs": [one.get("scope", {}) | {"logRecords": [one["log"]]}]})


def _with_spans(resource: Sent, spans: list[Sent]) -> Sent:
    return resource | {"scopeSpans": [resource["scopeSpans"][0] | {"spans": spans}]}


def _process(span: Json, processes: Json) -> Json:
    name = span.get("processID", "")
    if not isinstance(name, str | None):
        raise Odd("its processID is not a string")
    found = span.get("process") or processes.get(name or "") or {}
    if not isinstance(found, dict):
        raise Odd("its process is not an object")
    return found


def resource_of(process: Json) -> Sent:
    """What stands around the scopes of a process's spans."""
    service = process.get("serviceName")
    named = [_attribute("service.name", {"stringValue": service})] if isinstance(service, str) else []
    tags = [_attribute(name, value) for name, value in _tags(process) if name != "service.name"]
    return {"resource": {"attributes": [*named, *tags]}}


def span_of(span: Json) -> tuple[Sent, Sent, list[Json]]:
    """A span in OTLP's form, its scope's holder, and the logs that we wrote among its own."""
    own: dict[str, Any] = {}
    attributes = []
    for name, value in _tags(span):
        if not _is_own(name, value, own):
            attributes.append(_attribute(name, value))
    parent, links = _references(span)
    start, end = _times(span, own)
    status = _STATUSES.get(str(own.get(jaegerjson.STATUS, "")).upper(), 2 if own.get("error") else 0)
    events, logs = _logs(span)
    sent = {
        "traceId": _id(span.get("traceID"), 32),
        "spanId": _id(span.get("spanID"), 16),
        "parentSpanId": parent,
        "flags": span.get("flags") or 0,
        "name": span.get("operationName") or "",
        "kind": _KINDS.get(str(own.get(jaegerjson.KIND, "")).lower(), 0),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(end),
        "attributes": attributes,
        "events": events,
        "links": links,
        "traceState": own.get(jaegerjson.TRACE_STATE, ""),
        "status": {"code": status, "message": own.get(jaegerjson.MESSAGE, "")},
    }
    return sent, _scope(own), logs


def _is_own(name: str, value: Sent, own: dict[str, Any]) -> bool:
    """Whether a tag is one of those that are a field in OTLP; then it is taken."""
    text = value.get("stringValue")
    if name == jaegerjson.FAILED:
        failed = value.get("boolValue") is True or text == "true"
        own["error"] = failed
        return failed
    known = name in _FIELDS and isinstance(text, str)
    if known and name == jaegerjson.KIND:
        known = text.lower() in _KINDS if text else False
    if known and name == jaegerjson.STATUS:
        known = text.upper() in _STATUSES if text else False
    if known:
        own[name] = text
    return known


_FIELDS = frozenset(
    {
        jaegerjson.KIND,
        jaegerjson.STATUS,
        jaegerjson.MESSAGE,
        jaegerjson.TRACE_STATE,
        jaegerjson.NANOSECONDS,
        *_SCOPE_NAMES,
        *_SCOPE_VERSIONS,
        *_MARKS,
    }
)


def _scope(own: dict[str, Any]) -> Sent:
    name = next((own[key] for key in _SCOPE_NAMES if key in own), "")
    version = next((own[key] for key in _SCOPE_VERSIONS if key in own), "")
    marks = [_attribute(mark, {"stringValue": own[key]}) for key, mark in _MARKS.items() if key in own]
    return {"scope": {"name": name, "version": version, "attributes": marks}}


def _times(span: Json, own: dict[str, Any]) -> tuple[int, int]:
    exact = own.get(jaegerjson.NANOSECONDS, "").split(" ")
    if len(exact) == 2 and all(part.isdecimal() and len(part) <= 20 for part in exact):
        return int(exact[0]), int(exact[1])
    if "startTime" in span:
        start = _whole(span["startTime"], "startTime") * 1_000
    else:
        start = _whole(span.get("startTimeMillis", 0), "startTimeMillis") * 1_000_000
    return start, start + _whole(span.get("duration", 0), "duration") * 1_000


def _references(span: Json) -> tuple[str, list[Sent]]:
    """The parent's id, and every other reference as a link. What only follows is a parent where there is no other."""
    told = [one for one in _list(span.get("references"), "references") if isinstance(one, dict)]
    trace = _id(span.get("traceID"), 32)
    own = [one for one in told if _id(one.get("traceID", trace), 32) == trace]
    above = next((one for one in own if one.get("refType") == "CHILD_OF"), own[0] if own else None)
    links = [
        {"traceId": _id(one.get("traceID", trace), 32), "spanId": _id(one.get("spanID"), 16)}
        for one in told
        if one is not above
    ]
    if above is None:
        return _id(span.get("parentSpanID"), 16), links
    return _id(above.get("spanID"), 16), links


def _logs(span: Json) -> tuple[list[Sent], list[Json]]:
    events, logs = [], []
    for one in _list(span.get("logs"), "logs"):
        if not isinstance(one, dict):
            raise Odd("one of its logs is not an object")
        fields = _tags(one, "fields")
        carried = next((_log(value) for name, value in fields if name == jaegerjson.LOG), None)
        if carried:
            logs.append(carried)
        else:
            events.append(_event(one, fields))
    return events, logs


def _log(value: Sent) -> Json | None:
    try:
        told = orjson.loads(value.get("stringValue", ""))
    except orjson.JSONDecodeError:
        return None
    holders = (
        (told.get("resource", {}), told.get("scope", {}), told.get("log")) if isinstance(told, dict) else ()
    )
    return told if holders and all(isinstance(one, dict) for one in holders) else None


def _event(one: Json, fields: list[tuple[str, Sent]]) -> Sent:
    texts = {name: value["stringValue"] for name, value in fields if "stringValue" in value}
    time = _whole(one.get("timestamp", 0), "timestamp") * 1_000
    exact = texts.get(jaegerjson.NANOSECONDS, "")
    if exact.isdecimal() and len(exact) <= 20:
        time = int(exact)
    taken = (jaegerjson.EVENT, jaegerjson.NANOSECONDS)
    attributes = [_attribute(name, value) for name, value in fields if name not in taken or name not in texts]
    return {
        "timeUnixNano": str(time),
        "name": texts.get(jaegerjson.EVENT, ""),
        "attributes": attributes,
    }


def _tags(holder: Json, name: str = "tags") -> list[tuple[str, Sent]]:
    """Name and AnyValue of each tag; Elasticsearch may keep some as fields of an object, dots written as @."""
    found = []
    for one in _list(holder.get(name), name):
        if not isinstance(one, dict) or not isinstance(one.get("key"), str):
            raise Odd(f"one of its {name} has no key")
        found.append((one["key"], _value(one.get("type"), one.get("value"))))
    inside = holder.get("tag")
    if isinstance(inside, dict):
        found += [(key.replace("@", "."), _value(None, value)) for key, value in inside.items()]
    return found


def _value(kind: Any, value: Any) -> Sent:
    """A tag's value by its type, else by what it looks like; text where it is not of its type."""
    kind = kind.lower() if isinstance(kind, str) else ""
    if kind == "bool" and str(value).lower() in ("true", "false"):
        return {"boolValue": str(value).lower() == "true"}
    if kind == "int64" and (whole := _int64(value)) is not None:
        return {"intValue": str(whole)}
    if kind == "float64" and not isinstance(value, bool) and _is_double(value):
        return {"doubleValue": value}
    if kind == "binary" and isinstance(value, str):
        return {"bytesValue": value}
    return _untyped(value)


def _untyped(value: Any) -> Sent:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"stringValue" if _int64(value) is None else "intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, str):
        return {"stringValue": value}
    return {} if value is None else {"stringValue": json_bytes(value).decode()}


def _int64(value: Any) -> int | None:
    """The integer that a number or a text is; None where it is none of 64 bits."""
    try:
        return integer(value, INT64)
    except ValueError:
        return None


def _is_double(value: Any) -> bool:
    try:
        return float(value) == float(value)
    except (TypeError, ValueError, OverflowError):
        return False


def _attribute(name: str, value: Sent) -> Sent:
    return {"key": name, "value": value}


def _id(value: Any, digits: int) -> str:
    """An id as hex of full length; what is none is left for the reader of OTLP to refuse."""
    return value.rjust(digits, "0") if isinstance(value, str) and value else ""


def _list(value: Any, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Odd(f"{name} is not a list")
    return value


def _whole(value: Any, name: str) -> int:
    """A time or a length; of a fraction what is whole."""
    if isinstance(value, float) and isfinite(value):
        value = int(value)
    try:
        return integer(value, _TIME_LIMITS)
    except ValueError as error:
        raise Odd(f"{name} is {error}") from None


def marks_in(holder: Sent) -> dict[str, str]:
    """The marks among the attributes of a resource or scope."""
    return {
        one["key"]: one["value"]["stringValue"]
        for one in holder.get("attributes", [])
        if one["key"] in RESERVED
    }
