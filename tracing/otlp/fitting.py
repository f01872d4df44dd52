"""What a column cannot hold (times beyond 2^63-1, NUL in a name, an odd id) is cut to fit and kept in `exact`; and back.

`finishing` fits what was sent. `span_as_sent` and `log_as_sent` take a form of a stored record, unredacted, and say what
was sent that it is of: `restored` asks who that is. A form that nothing sent gives is of none.
"""

import base64
from copy import copy
from typing import Any

from tracing.otlp import identity
from tracing.otlp.forms import MAX_UINT64, Form, log_form, span_form
from tracing.records import MAX_NS, Log, Span
from tracing.values import is_storable, storable

NO_TRACE_ID, NO_SPAN_ID = bytes(16), bytes(8)
SPAN_TEXTS, LOG_TEXTS = ("name", "status_message", "trace_state"), ("severity_text", "event_name")


def fit_span(span: Span) -> None:
    if span.start_ns > MAX_NS:
        span.exact = {**(span.exact or {}), "start": str(span.start_ns)}
        span.start_ns = MAX_NS
    if span.end_ns > MAX_NS:
        span.exact = {**(span.exact or {}), "end": str(span.end_ns)}
        span.end_ns = MAX_NS
    if not is_storable(f"{span.name}{span.status_message}{span.trace_state}"):
        fit_texts(span, SPAN_TEXTS)
    parent = span.parent_span_id
    if parent and (len(parent) != 8 or parent == NO_SPAN_ID):
        span.exact = {**(span.exact or {}), "parent_span_id": parent.hex()}
        span.parent_span_id = b""


def fit_log(log: Log) -> None:
    """Until here `time_ns` is the event time as sent. Odd ids leave it unattached."""
    _fit_log_times(log, log.time_ns)
    _fit_log_ids(log)
    if not is_storable(f"{log.severity_text}{log.event_name}"):
        fit_texts(log, LOG_TEXTS)


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


def span_as_sent(like: Span, form: Form) -> Span | None:
    """A span before it was fit; ids, resource and scope are of another one."""
    sent = copy(like)
    exact = form["exact"]
    for column in ("kind", "status", "flags", "dropped_attributes", "dropped_events", "dropped_links"):
        setattr(sent, column, form[column])
    try:
        _unfit_texts(sent, form, SPAN_TEXTS)
        sent.start_ns = _time(exact.get("start", form["start_ns"]))
        sent.end_ns = _time(exact.get("end", form["end_ns"]))
        sent.parent_span_id = bytes.fromhex(exact.get("parent_span_id", form["parent_span_id"]))
    except ValueError:
        return None
    sent.attributes, sent.attributes_json = form["attributes"], identity.canonical(form["attributes"])
    sent.events_json = identity.canonical(form["events"]) if form["events"] else None
    sent.links_json = identity.canonical(form["links"]) if form["links"] else None
    fitted = copy(sent)
    fit_span(fitted)
    return sent if _is_same(span_form(fitted), form) else None


def log_as_sent(like: Log, form: Form) -> Log | None:
    """A log before it was fit, as `span_as_sent`."""
    sent = copy(like)
    exact = form["exact"]
    for column in ("severity", "flags", "dropped_attributes"):
        setattr(sent, column, form[column])
    try:
        _unfit_texts(sent, form, LOG_TEXTS)
        sent.time_ns = _time(exact.get("time", form["time_ns"])) if form["time_source"] == 0 else 0
        sent.observed_ns = _time(exact.get("observed", form["observed_ns"]))
        sent.trace_id, sent.span_id = (
            bytes.fromhex(exact.get(name, form[name])) for name in ("trace_id", "span_id")
        )
    except ValueError:
        return None
    sent.attributes, sent.attributes_json = form["attributes"], identity.canonical(form["attributes"])
    sent.body, sent.body_json = form["body"], identity.canonical(form["body"])
    fitted = copy(sent)
    fit_log(fitted)
    return sent if _is_same(log_form(fitted), form) else None


def _is_same(one: Form, other: Form) -> bool:
    """How much was redacted is of the installation."""
    return identity.canonical(one | {"redacted": 0}) == identity.canonical(other | {"redacted": 0})


def _unfit_texts(sent: Span | Log, form: Form, columns: tuple[str, ...]) -> None:
    sent.exact = None
    for column in columns:
        setattr(sent, column, _text_as_sent(form["exact"].get(column), form[column]))


def _text_as_sent(exact: str | None, stored: str) -> str:
    """Raises `ValueError` where no text is stored so."""
    if exact is None:
        return stored
    raw = base64.b64decode(exact)
    # Halves of pairs come in JSON, bytes that are no UTF-8 in protobuf.
    for errors in ("surrogatepass", "surrogateescape"):
        try:
            text = raw.decode("utf-8", errors)
        except UnicodeDecodeError:
            continue
        if (exact_text(text), storable(text)) == (exact, stored):
            return text
    raise ValueError


def _time(value: Any) -> int:
    time = int(value)
    if not 0 <= time <= MAX_UINT64:
        raise ValueError
    return time
