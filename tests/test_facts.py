"""The bits of a span: one case a bit, and what sets none."""

from typing import Any

import pytest

from tests.builders import Service, event
from tracing import facts
from tracing.attempts import DECLARED
from tracing.values import tag_map

SHOP = Service("shop")


@pytest.mark.parametrize(
    ("attributes", "bits"),
    [
        ({}, 0),
        ({"order.id": 1, "http.response.status_code": 200}, 0),
        *(({name: 1}, facts.ATTEMPT) for name in DECLARED),
        ({"celery.eta": "soon"}, facts.WAIT | facts.SAYS),
        ({"messaging.message.id": "m"}, facts.DELIVERY),
        ({"temporalActivityID": "5"}, facts.DELIVERY),
        ({"http.response.status_code": 302}, facts.NO_RETRY),
        ({"http.status_code": "401"}, facts.NO_RETRY),
        ({"http.request.resend_count": 1, "http.status_code": 401}, facts.ATTEMPT | facts.NO_RETRY),
        ({"logfire.span_type": "pending_span"}, facts.PENDING),
        ({"logfire.span_type": "log"}, 0),
        ({"celery.state": "RETRY", "celery.retries": 1}, facts.OUTCOME | facts.ATTEMPT),
        (tag_map({"$odd": 1, "celery.retries": 1}), facts.ATTEMPT),
    ],
)
def test_bits_of_attributes(attributes: dict[str, Any], bits: int) -> None:
    assert facts.facts_of(SHOP.span("s", 0, 1, attributes=attributes)) == bits


def test_bits_of_events_and_links() -> None:
    told = [event("exception", 0), event("enqueued_at", 0), event("note", 0)]
    span = SHOP.span("s", 0, 1, events=told, links=[SHOP.span("x", 0, 1)])
    assert facts.facts_of(span) == facts.EXCEPTION | facts.WAIT | facts.LINKS


def test_what_is_not_known_may_be_anything() -> None:
    bits = (facts.ATTEMPT, facts.LINKS, facts.WAIT, facts.EXCEPTION, facts.PENDING, facts.DELIVERY)
    assert all(facts.UNKNOWN & bit for bit in (*bits, facts.NO_RETRY, facts.OUTCOME))
