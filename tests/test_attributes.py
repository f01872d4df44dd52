"""Finding flows by their records' attributes: belonging by descent, logs without a trace, and honest limits."""

import pytest
from django.test import Client

from tests.builders import Service, batch, trace_id
from timeline.queries import attributes
from tracing.storing import Store

SHOP, WMS = Service("shop"), Service("wms", region="eu")
BATCH = trace_id("batch")


def keys(client: Client, q: str, **more: str) -> list[str]:
    answer = client.get("/flows", {"format": "json", "q": q} | more).json()
    return sorted(flow["key"] for flow in answer["flows"])


@pytest.fixture
def nightly(store: Store) -> None:
    """One trace that handles three orders, a step below each."""
    job = SHOP.span("nightly", 0, 100, trace=BATCH, attributes={"tenant": "acme"})
    records = [job]
    for number in range(3):
        order = SHOP.span(
            "handle", number, 10, trace=BATCH, parent=job, attributes={"order.id": f"o{number}"}
        )
        step = WMS.span(
            "pick", number, 5, trace=BATCH, parent=order, attributes={"shelf": f"s{number}", "weight": 1.5}
        )
        records += [order, step]
    store.put(
        batch(*records, SHOP.log({"order.id": "o9", "note": "by mail"}, 50, attributes={"channel": "mail"}))
    )


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("shelf=s1", ["o1"]),
        ("shelf=s1 weight=1.5", ["o1"]),
        ("shelf=s1 weight=2.5", []),
        ("weight=1.5", ["o0", "o1", "o2"]),
        ("region=eu", ["o0", "o1", "o2"]),
        # The job above the orders belongs to none of them.
        ("tenant=acme", []),
        ("channel=mail", ["o9"]),
        ('note="by mail"', ["o9"]),
        ("shelf=s1 o0", []),
    ],
)
def test_a_flow_is_found_by_its_own_records_and_what_descends_from_them(
    client: Client, nightly: None, q: str, found: list[str]
) -> None:
    assert keys(client, q) == found


def test_requests_are_found_by_any_of_their_records(client: Client, nightly: None) -> None:
    assert keys(client, "tenant=acme", kind="request") == [BATCH.hex()]


def test_a_cycle_of_parents_ends(client: Client, store: Store) -> None:
    one = SHOP.span("one", 0, 1, id="one", parent=b"twotwotw", attributes={"order.id": "c"})
    two = SHOP.span("two", 0, 1, parent=one, attributes={"odd": "yes"})
    two.span_id = b"twotwotw"
    store.put(batch(one, two))
    assert keys(client, "odd=yes") == ["c"]


def test_only_days_in_the_range_are_read(client: Client, nightly: None) -> None:
    assert keys(client, "shelf=s1", **{"from": "2026-01-01"}) == ["o1"]
    assert keys(client, "shelf=s1", **{"from": "2027-01-01"}) == []
    assert keys(client, "shelf=s1", to="2026-01-01") == []


def test_too_many_matches_are_said(client: Client, nightly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attributes, "MAX_RECORDS", 1)
    notes = client.get("/flows", {"format": "json", "q": "weight=1.5"}).json()["notes"]
    assert len(notes) == 1 and "More than 1 records match" in notes[0]


def test_running_out_of_time_is_said_and_no_error(
    client: Client, nightly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "TIME_LIMIT_S", 0.0)
    answer = client.get("/flows", {"format": "json", "q": "weight=1.5"})
    assert answer.status_code == 200 and "took longer" in answer.json()["notes"][0]


def test_the_flow_that_an_attribute_names_is_found_without_reading_records(
    client: Client, nightly: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attributes, "TIME_LIMIT_S", 0.0)
    assert keys(client, "order.id=o1") == ["o1"]
    assert keys(client, "app.order_id=o1") == ["o1"]
    assert keys(client, "shelf=o1") == [] and keys(client, "order.id=o1 shelf=s1") == []
