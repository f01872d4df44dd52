"""What a record says of the future: a deadline, the step it expects, when it will be tried again (pure).

`facts` marks the few spans that say any of it, `flows` collects what they say, `watch.judging` holds flows to it.
The words of OpenTelemetry's users: `flow.*` are our own, the others those of HTTP, Celery and whoever writes
"Retry in 30s".
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from tracing.attempts import declared_attempt
from tracing.durations import parse_duration
from tracing.lengths import SECOND_NS
from tracing.records import ATTRIBUTES, MAX_NS, Log, Span, is_plausible
from tracing.values import is_storable, opened

LONGEST_NS = 400 * 86_400 * SECOND_NS
MAX_TEXT = 300
RETRY_AFTER = ("http.response.header.retry-after", "http.response.header.retry_after")
ETA = ("celery.eta",)
NEXT_TRY = ("flow.next_attempt_at",)
REASON = "celery.retry.reason"
# Attributes that make a record worth asking.
NAMES = frozenset(
    ("flow.deadline", "flow.expect.step", "flow.expect.within", REASON, *RETRY_AFTER, *ETA, *NEXT_TRY)
)
# Attributes whose text may promise another try, beside an exception's message and a span's status.
TEXTS = (REASON, "exception.message")
PROMISE = re.compile(
    r"\b[Rr]etry(?:ing)? in (\d{1,12}(?:\.\d+)?(?:e-\d+)?) ?(ms|s|sec|seconds?|m|min|minutes?)\b"
    # Celery, where a task names the time itself.
    r"|\bRetry at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d:\d\d)?)"
)
# A time of this century is one of these, whatever its unit: the sizes do not overlap.
_UNIX = (1, 1_000, 1_000_000, SECOND_NS)
_UNITS = {"ms": 10**6, "s": SECOND_NS, "m": 60 * SECOND_NS}


class Saying(NamedTuple):
    """One statement. `what` is deadline, step or retry; `step` is empty where any step will do."""

    what: str
    said_ns: int
    by_ns: int
    step: str
    operation: str
    attempt: int | None
    most: int | None


def promises(span: Span) -> bool:
    """Whether a span's status or its events say when it is tried again, or anything else of the future."""
    if span.status_message and PROMISE.search(span.status_message):
        return True
    return any(_event_says(opened(event.attributes)) for event in span.events)


def of_span(span: Span) -> list[Saying]:
    """What a span and its events say. Times count from the span's end, an event's from the event.

    All of it is said when the span ends: what the span itself states then, or began before, keeps no promise of its events.
    """
    end_ns = max(span.start_ns, span.end_ns)
    found = list(_sayings(opened(span.attributes), end_ns, span.name, [span.status_message]))
    for event in span.events:
        told = _sayings(opened(event.attributes), event.time_ns, span.name, [])
        found += [one._replace(said_ns=max(one.said_ns, end_ns)) for one in told if one.by_ns > end_ns]
    # One promise told by the status and by an exception event is one.
    return list({(one.what, one.by_ns // SECOND_NS, one.step): one for one in found}.values())


def of_log(log: Log) -> list[Saying]:
    """What a log record says: its attributes, and its line."""
    line = log.body if isinstance(log.body, str) else ""
    return list(_sayings(opened(log.attributes), log.time_ns, log.event_name, [line]))


def misread(name: str, value: Any) -> str:
    """A sentence for whoever looks at the attribute, where it should say a time and none can be read; else empty."""
    if name in ("flow.deadline", *NEXT_TRY) and moment(value) is None:
        return "No time can be read here, so nobody is held to it: write ISO 8601 or Unix nanoseconds."
    if name == "flow.expect.within" and parse_duration(_text(value)) is None:
        return "No length of time can be read here, so nobody is held to it: write 15m, 2h or seconds."
    if name in RETRY_AFTER and _retry_after(value, 0) is None:
        return "Neither seconds nor a date can be read here, so no other try is awaited."
    return ""


def _event_says(attributes: ATTRIBUTES) -> bool:
    return not attributes.keys().isdisjoint(NAMES) or any(_is_promise(attributes.get(name)) for name in TEXTS)


def _is_promise(text: Any) -> bool:
    return isinstance(text, str) and PROMISE.search(text) is not None


def _sayings(attributes: ATTRIBUTES, said_ns: int, operation: str, texts: list[str]) -> Iterator[Saying]:
    if not is_plausible(said_ns):
        return
    deadline_ns = moment(attributes.get("flow.deadline"))
    if deadline_ns is not None:
        yield Saying("deadline", said_ns, deadline_ns, "", "", None, None)
    within_ns = parse_duration(_text(attributes.get("flow.expect.within")))
    if within_ns is not None:
        step = _text(attributes.get("flow.expect.step"))
        yield Saying("step", said_ns, _capped(said_ns + within_ns), step, "", None, None)
    # Celery's `eta` on a try is when that one was due; its reason says when the next one is.
    again_ns = next(
        (time_ns for time_ns in _next_tries(attributes, said_ns, texts) if time_ns > said_ns), None
    )
    if again_ns is not None:
        attempt, most = _attempt(attributes), _whole(attributes.get("flow.attempt.max"))
        if attempt is None or most is None or attempt < most:
            yield Saying("retry", said_ns, again_ns, "", operation[:MAX_TEXT], attempt, most)


def _next_tries(attributes: ATTRIBUTES, said_ns: int, texts: list[str]) -> Iterator[int]:
    """When it will be tried again, as each name tells it."""
    times = [moment(attributes.get(name)) for name in (*NEXT_TRY, *ETA)]
    times += [_retry_after(attributes[name], said_ns) for name in RETRY_AFTER if name in attributes]
    times += [_promised(text, said_ns) for text in (*texts, *(attributes.get(name) for name in TEXTS))]
    return (time_ns for time_ns in times if time_ns is not None)


def _attempt(attributes: ATTRIBUTES) -> int | None:
    """Which try it is that says so. Celery's first one is counted by no attribute."""
    if REASON in attributes:
        return declared_attempt(attributes) or 1
    return _whole(attributes.get("flow.attempt"))


def _promised(text: Any, said_ns: int) -> int | None:
    """The time in a sentence such as "Retry in 30s"."""
    match = PROMISE.search(text) if isinstance(text, str) else None
    if match is None:
        return None
    if match[3]:
        return moment(match[3])
    unit = "ms" if match[2] == "ms" else match[2][0]
    # "In 0s" is a promise too.
    return _capped(said_ns + min(max(int(float(match[1]) * _UNITS[unit]), 1), LONGEST_NS))


def _retry_after(value: Any, said_ns: int) -> int | None:
    """RFC 9110 10.2.3: seconds or a date; instrumentations give a header's values as a list."""
    if isinstance(value, list):
        value = value[0] if value else None
    text = _text(value)
    if text.isdecimal() and len(text) < 9:
        return _capped(said_ns + int(text) * SECOND_NS)
    try:
        return _ns(parsedate_to_datetime(text))
    except (ValueError, OverflowError, TypeError):
        return None


def moment(value: Any) -> int | None:
    """ISO 8601, or Unix time as a number or digits, in ns, µs, ms or s as its size says; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        return next((value * unit for unit in _UNIX if is_plausible(value * unit)), None)
    text = _text(value)
    if text.isdecimal():
        return moment(int(text)) if len(text) < 20 else None
    try:
        return _ns(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _ns(told: datetime) -> int | None:
    told = told if told.tzinfo else told.replace(tzinfo=UTC)
    since = told - datetime(1970, 1, 1, tzinfo=UTC)
    found = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    return found if is_plausible(found) else None


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = str(value).strip()[:MAX_TEXT]
    return text if is_storable(text) else ""


def _whole(value: Any) -> int | None:
    text = _text(value)
    return int(text) if text.isdecimal() and len(text) < 9 else None


def _capped(time_ns: int) -> int:
    return min(time_ns, MAX_NS)
