"""What the attributes of few spans say that a layout needs: which try, of which delivery, how it ended, since when it waited.

Pure. `tracing.facts` has marked the spans that say such things, `timeline.queries.hints` reads their attributes and
events; `groups` and `waits` draw conclusions. Sources: semantic conventions and the instrumentations named.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tracing.attempts import declared_attempt
from tracing.facts import WAITING
from tracing.records import is_plausible

S = 1_000_000_000
MOST = 1e30  # beyond it nothing is a moment or a wait; NaN is not within it either
# How an engine says that a try failed, where the span's status does not (Celery leaves it unset).
FAILED_OUTCOMES = frozenset(
    ("RETRY", "FAILURE", "REJECTED", "REVOKED", "FAILED", "UP_FOR_RETRY", "UPSTREAM_FAILED")
)


class Hint(NamedTuple):
    """What one span says. Nothing said is None, "" or 0."""

    attempt: int | None = None
    delivery: str = ""  # "a message id", "a Kafka offset" …, then a line break and what names it
    outcome: str = ""
    waiting_ns: int | None = None  # since when it waited for its start, Unix nanoseconds
    # It only says that its parent has begun; that one's own parent has this id, -1 where it is a root. 0 for ordinary spans.
    pending_under: int = 0

    @property
    def failed(self) -> bool:
        return self.outcome.upper() in FAILED_OUTCOMES


NOTHING = Hint()


def hint_of(attributes: Mapping[str, Any], events: Sequence[tuple[str, int]], start_ns: int) -> Hint:
    """From plain attributes, and names and times of events."""
    return Hint(
        declared_attempt(dict(attributes)),
        _delivery(attributes),
        str(attributes.get("celery.state") or attributes.get("airflow.task_instance.state") or ""),
        _waiting(attributes, events, start_ns),
        _pending(attributes),
    )


def _delivery(attributes: Mapping[str, Any]) -> str:
    get = attributes.get
    offset = get("messaging.kafka.offset", get("messaging.kafka.message.offset"))
    if offset is not None:
        topic = get("messaging.destination.name", get("messaging.kafka.topic", ""))
        partition = get("messaging.destination.partition.id", get("messaging.kafka.partition", ""))
        group = get("messaging.consumer.group.name", get("messaging.kafka.consumer.group", ""))
        return f"Kafka offset\n{topic}/{partition}/{offset}/{group}"
    activity = get("temporalActivityID")
    if activity is not None:
        return f"Temporal activity\n{get('temporalWorkflowID', '')}/{get('temporalRunID', '')}/{activity}"
    message = get("messaging.message.id", get("messaging.message_id"))
    return f"message id\n{message}" if message not in (None, "") else ""


def _waiting(attributes: Mapping[str, Any], events: Sequence[tuple[str, int]], start_ns: int) -> int | None:
    """The earliest moment from which it waited, if that lies before its start."""
    found = [time_ns for name, time_ns in events if name in WAITING]
    found += [time_ns for name in WAITING if (time_ns := _moment(name, attributes.get(name), start_ns))]
    found = [time_ns for time_ns in found if is_plausible(time_ns) and time_ns < start_ns]
    return min(found, default=None)


def _moment(name: str, value: Any, start_ns: int) -> int | None:
    """When an attribute says the waiting began: a moment in whatever unit it is plausible in, or milliseconds of waiting."""
    if isinstance(value, str):
        value = _number(value) if _number(value) is not None else _iso(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -MOST < value < MOST:
        return None
    if name.endswith("_ms"):
        return start_ns - int(value * 1_000_000)
    for unit in (S, 1_000_000, 1_000, 1):
        time_ns = int(value * unit)
        if is_plausible(time_ns):
            return time_ns
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _iso(text: str) -> float | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _pending(attributes: Mapping[str, Any]) -> int:
    if attributes.get("logfire.span_type") != "pending_span":
        return 0
    try:
        told = int(str(attributes.get("logfire.pending_parent_id") or "0"), 16)
    except ValueError:
        return -1
    return told if 0 < told < 2**64 else -1
