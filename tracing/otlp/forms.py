"""A record's columns as a plain object, to compare two of them and to change one (pure).

`tracing.files.marking` writes down what differs between a stored record and what a file says of it; `restore_*` makes a
record that was read from a file the stored one again. What comes from a file is checked, redacted, and refused as a
whole where it makes no sense: `BadField`.
"""

from typing import Any

import orjson

from tracing.facts import facts_of
from tracing.otlp import identity
from tracing.otlp.carried import ORIGIN
from tracing.otlp.jsonfields import BadField
from tracing.records import MAX_NS, Event, Link, Log, Span
from tracing.redaction import Redaction
from tracing.values import is_storable, is_tagged

Form = dict[str, Any]
# A patch of single attributes, and of single events by their places.
SOME_ATTRIBUTES, SOME_EVENTS = "some_attributes", "some_events"

MAX_UINT64 = 2**64 - 1
_INT32, _INT64, _UINT32 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1), (0, 2**32 - 1)
_SPAN_NUMBERS = {
    "start_ns": _INT64,
    "end_ns": _INT64,
    "kind": _INT32,
    "status": _INT32,
    "flags": _UINT32,
    "dropped_attributes": _UINT32,
    "dropped_events": _UINT32,
    "dropped_links": _UINT32,
    "redacted": (0, 2**31 - 1),
}
_LOG_NUMBERS = {
    "time_ns": _INT64,
    "observed_ns": _INT64,
    "time_source": (0, 2),
    "severity": _INT32,
    "flags": _UINT32,
    "dropped_attributes": _UINT32,
    "redacted": (0, 2**31 - 1),
}
_SPAN_TEXTS = ("name", "status_message", "trace_state")
_LOG_TEXTS = ("severity_text", "event_name")
_EXACT_TIMES = frozenset({"start", "end", "time", "observed"})
_EVENT_NAMES = frozenset({"time", "name", "attributes", "dropped", "exact_name"})
_LINK_NAMES = frozenset(
    {"trace_id", "span_id", "trace_state", "attributes", "dropped", "flags", "exact_trace_state"}
)


def span_form(span: Span) -> Form:
    return {
        **{name: getattr(span, name) for name in (*_SPAN_NUMBERS, *_SPAN_TEXTS)},
        "parent_span_id": span.parent_span_id.hex(),
        "exact": span.exact or {},
        "attributes": span.attributes,
        "events": orjson.loads(span.events_json) if span.events_json else [],
        "links": orjson.loads(span.links_json) if span.links_json else [],
    }


def log_form(log: Log) -> Form:
    return {
        **{name: getattr(log, name) for name in (*_LOG_NUMBERS, *_LOG_TEXTS)},
        "trace_id": log.trace_id.hex(),
        "span_id": log.span_id.hex(),
        "exact": log.exact or {},
        "attributes": log.attributes,
        "body": log.body,
    }


def difference(read: Form, stored: Form) -> Form:
    """What of a stored record a file tells otherwise; applied to what was read it gives what is stored."""
    found: Form = {}
    for name, value in stored.items():
        if name == "attributes":
            found |= _of_attributes(read[name], value)
        elif identity.canonical(read[name]) == identity.canonical(value):
            continue
        elif name == "events" and len(read[name]) == len(value):
            pairs = enumerate(zip(read[name], value, strict=True))
            found[SOME_EVENTS] = {
                str(place): row
                for place, (one, row) in pairs
                if identity.canonical(one) != identity.canonical(row)
            }
        else:
            found[name] = value
    return found


def _of_attributes(read: Form, stored: Form) -> Form:
    if "$map" in read or "$map" in stored or read.keys() - stored.keys():
        same = identity.canonical(read) == identity.canonical(stored)
        return {} if same else {"attributes": stored}
    other = {
        name: value
        for name, value in stored.items()
        if name not in read or identity.canonical(read[name]) != identity.canonical(value)
    }
    return {SOME_ATTRIBUTES: other} if other else {}


def restore_span(span: Span, columns: Form, redaction: Redaction) -> None:
    """Make a span what it was stored as."""
    form = patched(span_form(span), columns)
    _set(span, form, _SPAN_NUMBERS, _SPAN_TEXTS, redaction)
    span.parent_span_id = _id(form["parent_span_id"], (0, 8))
    events = [_cleaned(row, _EVENT_NAMES, redaction) for row in _rows(form["events"])]
    links = [_cleaned(row, _LINK_NAMES, redaction) for row in _rows(form["links"])]
    span.events = [_event(row) for row in events]
    span.links = [_link(row) for row in links]
    span.events_json = identity.canonical(events) if events else None
    span.links_json = identity.canonical(links) if links else None
    span.facts = facts_of(span)


def restore_log(log: Log, columns: Form, redaction: Redaction) -> None:
    form = patched(log_form(log), columns)
    _set(log, form, _LOG_NUMBERS, _LOG_TEXTS, redaction)
    log.trace_id, log.span_id = _id(form["trace_id"], (0, 16)), _id(form["span_id"], (0, 8))
    log.body = redaction.without_secrets(_tagged(form["body"]))[0]
    log.body_json = identity.canonical(log.body)


def restored_holder(form: Form, columns: Form) -> Form:
    """A resource or scope as it was stored, but for what is redacted."""
    form = patched(form, columns)
    _tagged(_object(form["attributes"]))
    _number(form["dropped"], _UINT32, "dropped")
    for name in columns.keys() & {"name", "version", "schema_url"}:
        _text(columns[name], name)
    return form


def patched(form: Form, columns: Form) -> Form:
    """A form with the columns that are carried, which are checked where a record is restored."""
    found = form | {name: value for name, value in columns.items() if name in form}
    for name, value in _object(columns.get(SOME_ATTRIBUTES, {})).items():
        found["attributes"] = {**_object(found["attributes"]), name: value}
    for place, row in _object(columns.get(SOME_EVENTS, {})).items():
        events = list(_rows(found["events"]))
        if not place.isdecimal() or int(place) >= len(events):
            raise BadField("an event is carried that is not there")
        events[int(place)] = row
        found["events"] = events
    return found


def _set(
    record: Span | Log,
    form: Form,
    numbers: dict[str, tuple[int, int]],
    texts: tuple[str, ...],
    redaction: Redaction,
) -> None:
    for name, limits in numbers.items():
        setattr(record, name, _number(form[name], limits, name))
    for name in texts:
        setattr(record, name, _text(form[name], name))
    record.attributes = _attributes(form["attributes"], redaction)
    record.attributes_json = identity.canonical(record.attributes)
    exact = {name: _text(value, name) for name, value in _object(form["exact"]).items()}
    if ORIGIN in exact:
        raise BadField("an identity is carried among the columns")
    for name in exact.keys() & _EXACT_TIMES:
        _time(exact[name])
    record.exact = exact or None


def _attributes(value: Any, redaction: Redaction) -> Form:
    return _object(redaction.without_secrets(_tagged(_object(value)))[0])


def _cleaned(row: Form, names: frozenset[str], redaction: Redaction) -> Form:
    if not row.keys() <= names:
        raise BadField("an event or link holds something that is none of it")
    return row | {"attributes": _attributes(row.get("attributes", {}), redaction)}


def _event(row: Form) -> Event:
    time = _time(_text(row.get("time"), "time"))
    name, dropped = _text(row.get("name"), "name"), _number(row.get("dropped", 0), _UINT32, "dropped")
    _text(row.get("exact_name", ""), "exact_name")
    return Event(min(time, MAX_NS), name, row["attributes"], dropped)


def _link(row: Form) -> Link:
    for name in ("trace_state", "exact_trace_state"):
        _text(row.get(name, ""), name)
    for name in ("dropped", "flags"):
        _number(row.get(name, 0), _UINT32, name)
    return Link(_id(row.get("trace_id"), ()), _id(row.get("span_id"), ()))


def _time(value: str) -> int:
    if not value.isdecimal() or len(value) > 20 or int(value) > MAX_UINT64:
        raise BadField("a time is carried that is none")
    return int(value)


def _id(value: Any, lengths: tuple[int, ...]) -> bytes:
    try:
        found = bytes.fromhex(_text(value, "an id"))
    except ValueError:
        raise BadField("an id is not hexadecimal") from None
    if lengths and len(found) not in lengths:
        raise BadField("an id is of the wrong length")
    return found


def _number(value: Any, limits: tuple[int, int], name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not limits[0] <= value <= limits[1]:
        raise BadField(f"{name} is not a whole number between {limits[0]} and {limits[1]}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise BadField(f"{name} is not a text")
    return value


def _tagged(value: Any) -> Any:
    if not is_tagged(value):
        raise BadField("a value is carried that is none")
    return value


def _object(value: Any) -> Form:
    if not isinstance(value, dict):
        raise BadField("what is carried is not an object")
    return value


def _rows(value: Any) -> list[Form]:
    if not isinstance(value, list):
        raise BadField("what is carried is not a list")
    return [_object(row) for row in value]
