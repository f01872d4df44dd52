"""What few spans say and a timeline wants to know of all, as bits of one number stored beside each span (pure).

A page lays out a hundred thousand spans from numbers; the attributes behind a bit are read only for the spans that have
it. `copying` stores the number, `timeline.queries.skeleton` reads it.
"""

from typing import Any

from tracing.attempts import DECLARED, is_no_retry
from tracing.records import Span
from tracing.stating import NAMES as SAYING
from tracing.stating import promises
from tracing.values import opened

ATTEMPT = 1  # declares which try it is
LINKS = 2  # has span links
WAIT = 4  # says since when it waited
EXCEPTION = 8  # has an event that tells an exception
PENDING = 16  # says that something has begun, not that it ended
DELIVERY = 32  # names the message, offset or activity it works on
NO_RETRY = 64  # was answered by a redirect or a challenge: the next one is no retry
OUTCOME = 128  # says how it ended in an attribute
SAYS = 256  # says something of the future (`tracing.stating`)
# Of spans stored before there was such a number nothing is known: every bit is set, so everything is looked up.
UNKNOWN = -1

# Attributes and events that say since when something waited before it was worked on.
WAITING = (
    "created_at",
    "enqueued_at",
    "messaging.enqueued_at",
    "messaging.message.enqueued_at",
    "celery.eta",
    "queue.time",
    "queue.time_ms",
    "queue.wait_ms",
)
DELIVERIES = (
    "messaging.message.id",
    "messaging.message_id",
    "messaging.kafka.offset",
    "messaging.kafka.message.offset",
    "temporalActivityID",
)
OUTCOMES = ("celery.state", "airflow.task_instance.state")
_STATUS_CODES = ("http.response.status_code", "http.status_code")
_BITS = {
    **dict.fromkeys(DECLARED, ATTEMPT),
    **dict.fromkeys(WAITING, WAIT),
    **dict.fromkeys(DELIVERIES, DELIVERY),
    **dict.fromkeys(OUTCOMES, OUTCOME),
    "logfire.span_type": 0,
}
for _name in SAYING:
    _BITS[_name] = _BITS.get(_name, 0) | SAYS
_NAMES = frozenset(_BITS)
_WAITING = frozenset(WAITING)


def facts_of(span: Span) -> int:
    """The bits of one span, from its attributes, events and links."""
    attributes = opened(span.attributes)
    found = LINKS if span.links else 0
    if not attributes.keys().isdisjoint(_NAMES):
        found |= _of_attributes(attributes)
    for name in _STATUS_CODES:
        if name in attributes and is_no_retry(attributes):
            found |= NO_RETRY
    for event in span.events:
        if event.name == "exception":
            found |= EXCEPTION
        elif event.name in _WAITING:
            found |= WAIT
    if (span.status_message or span.events) and promises(span):
        found |= SAYS
    return found


def _of_attributes(attributes: dict[str, Any]) -> int:
    found = 0
    for name in attributes.keys() & _NAMES:
        found |= _BITS[name]
    return found | PENDING if attributes.get("logfire.span_type") == "pending_span" else found
