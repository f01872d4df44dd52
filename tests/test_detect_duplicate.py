"""What happens once and succeeded twice, told by real records."""

from typing import Any

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, trace_id
from tests.watching import HOUR, MINUTE
from tracing.people import TypeSettings
from tracing.records import Span
from tracing.storing import Store
from tracing.watch.detectors import duplicate

BILLING = Service("billing")
LATER = BASE_NS + 5 * MINUTE


def charge(ms: float, trace: str = "t", key: str = "1", **values: Any) -> Span:
    about = {"order.id": key, "messaging.message.id": "m-1"}
    return BILLING.span("charge card", ms, 10, trace=trace_id(trace), kind=5, attributes=about, **values)


@pytest.fixture(autouse=True)
def asked(clean_store: None) -> None:
    TypeSettings.objects.create(type="order", once=["charge card", "wms:pick"])


def test_two_successes_are_a_duplicate_effect(worker: psycopg.Connection, store: Store) -> None:
    store.put(batch(charge(0), charge(500, "redelivered"), charge(0, "other", "2")))
    (found,) = duplicate.find(worker, LATER)
    assert found.title == "charge card happened twice for 1 order"
    assert (found.system, found.step, found.severity) == ("billing", "charge card", 3)
    assert found.since_ns == BASE_NS + 510_000_000
    store.put(batch(charge(900, "third"), charge(700, "again", "2")))
    (found,) = duplicate.find(worker, LATER)
    assert found.title == "charge card happened more than once for 2 orders"
    # After a day it is history.
    assert duplicate.find(worker, LATER + 24 * HOUR) == []


@pytest.mark.parametrize(
    "second",
    [
        charge(500, status=2),
        charge(0, id="charge card 1795000000000000000 " + trace_id("t").hex(), message="a version"),
        charge(1, parent=charge(0)),
        charge(500, key="2"),
        BILLING.span("charge", 500, 1, trace=trace_id("t"), attributes={"order.id": "1"}),
        BILLING.span("pick", 500, 1, trace=trace_id("t"), attributes={"order.id": "1"}),
    ],
    ids=["failed", "version", "child", "another order", "another operation", "another service"],
)
def test_what_is_none(worker: psycopg.Connection, store: Store, second: Span) -> None:
    store.put(batch(charge(0), second))
    assert duplicate.find(worker, LATER) == []


def test_an_operation_may_be_named_with_its_service(worker: psycopg.Connection, store: Store) -> None:
    picks = [Service("wms").span("pick", ms, 1, attributes={"order.id": "1"}) for ms in (0, 9)]
    store.put(batch(*picks))
    assert [found.system for found in duplicate.find(worker, LATER)] == ["wms"]


def test_a_type_that_names_none_has_none(worker: psycopg.Connection, store: Store) -> None:
    TypeSettings.objects.update(once=[])
    store.put(batch(charge(0), charge(500)))
    assert duplicate.find(worker, LATER) == []
