"""What attributes and events of a span say, as the instrumentations that are known write it."""

from typing import Any

import pytest

from timeline.layout.hints import NOTHING, Hint, hint_of

NOW = 1_795_000_000_000_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("attributes", "hint"),
    [
        ({}, NOTHING),
        ({"http.request.resend_count": 2}, Hint(3)),
        ({"messaging.message.id": "m1"}, Hint(delivery="message id\nm1")),
        ({"messaging.message_id": 7}, Hint(delivery="message id\n7")),
        ({"messaging.message.id": ""}, NOTHING),
        (
            {
                "messaging.kafka.offset": 7,
                "messaging.destination.name": "orders",
                "messaging.destination.partition.id": "3",
                "messaging.consumer.group.name": "wms",
                "messaging.message.id": "other",
            },
            Hint(delivery="Kafka offset\norders/3/7/wms"),
        ),
        (
            {"temporalActivityID": "5", "temporalWorkflowID": "w", "temporalRunID": "r"},
            Hint(delivery="Temporal activity\nw/r/5"),
        ),
        ({"celery.state": "RETRY", "celery.retries": 1}, Hint(2, outcome="RETRY")),
        (
            {"logfire.span_type": "pending_span", "logfire.pending_parent_id": "00000000000000ff"},
            Hint(pending_under=255),
        ),
        ({"logfire.span_type": "pending_span"}, Hint(pending_under=-1)),
        ({"logfire.span_type": "pending_span", "logfire.pending_parent_id": "odd"}, Hint(pending_under=-1)),
        ({"enqueued_at": (NOW - 5 * S) / 1e9}, Hint(waiting_ns=NOW - 5 * S)),
        ({"enqueued_at": (NOW - 5 * S) // 1_000_000}, Hint(waiting_ns=NOW - 5 * S)),
        ({"enqueued_at": str((NOW - 5 * S) // S)}, Hint(waiting_ns=NOW - 5 * S)),
        (
            {"created_at": "2026-11-18T11:06:35Z", "enqueued_at": "2026-11-18T11:06:39"},
            Hint(waiting_ns=NOW - 5 * S),
        ),
        (
            {"queue.time_ms": "NaN", "queue.time": "inf", "queue.wait_ms": 1e308, "created_at": float("nan")},
            NOTHING,
        ),
        ({"queue.time_ms": 1_500}, Hint(waiting_ns=NOW - 1_500_000_000)),
        ({"enqueued_at": (NOW + 5 * S) / 1e9}, NOTHING),
        ({"created_at": "yesterday", "enqueued_at": True, "queue.time_ms": None}, NOTHING),
        ({"created_at": 3}, NOTHING),
    ],
)
def test_hints(attributes: dict[str, Any], hint: Hint) -> None:
    assert hint_of(attributes, [], NOW) == hint


def test_events_tell_since_when_it_waited() -> None:
    """As Sidekiq's instrumentation does."""
    told = [("enqueued_at", NOW - 2 * S), ("created_at", NOW - 9 * S), ("exception", NOW - 20 * S)]
    assert hint_of({}, told, NOW) == Hint(waiting_ns=NOW - 9 * S)


@pytest.mark.parametrize(
    ("outcome", "failed"), [("RETRY", True), ("failed", True), ("SUCCESS", False), ("", False)]
)
def test_outcomes(outcome: str, failed: bool) -> None:
    assert Hint(outcome=outcome).failed is failed
