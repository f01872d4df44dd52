"""What a page says of a flow whose day was thinned or dropped: all of it, a part, or the summary; and since when."""

import psycopg
import pytest
from django.test import Client

from tests import tables
from tests.builders import Service, batch, trace_id
from tests.ruling import order_numbers
from tests.test_thinning import DAY, TODAY, flow_id, received, thin, told, wrong
from timeline.queries.retained import read_retained
from timeline.summaries import find_flows
from tracing import kept, rules
from tracing.clock import now_ns
from tracing.records import DAY_NS
from tracing.storing import Store

# `received_ns` and what depends on time apart, a page says the same of what is kept.
SHOP = Service("shop")


def share(kind: str, type: str, key: str) -> str:
    return find_flows(kind, type, key)[0].retained


@pytest.fixture
def thinned(store: Store, worker: psycopg.Connection, conninfo: str) -> None:
    """One order of two was late; a customer is of both, and of a day that stays."""
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    customer = {"customer.id": "both"}
    store.put(batch(*told("late"), *told("well")))
    for key in ("late", "well"):
        trace = trace_id(f"{key} {DAY}")
        store.put(batch(SHOP.span("mail", 0, 1, trace=trace, start_ns=DAY * DAY_NS, attributes=customer)))
    store.put(
        batch(SHOP.span("now", 0, 1, trace=trace_id("now"), start_ns=TODAY * DAY_NS, attributes=customer))
    )
    received(worker, DAY, 20)
    wrong(worker, flow_id(conninfo, "late"))


def test_what_is_kept_reads_as_before(thinned: None, worker: psycopg.Connection, client: Client) -> None:
    addresses = [
        "/flow/entity/order/late",
        "/flow/entity/customer/of%20late",
        f"/flow/request/trace/{trace_id(f'late {DAY}').hex()}",
    ]
    before = [client.get(f"{path}?format=json&expand=all").json() for path in addresses]
    thin(worker)
    after = [client.get(f"{path}?format=json&expand=all").json() for path in addresses]
    assert [one["flow"]["retained"] for one in after] == ["all"] * 3
    assert after == before
    assert client.get("/find?q=late").status_code == 302


def test_what_is_thinned_says_so(thinned: None, worker: psycopg.Connection, client: Client) -> None:
    assert share("entity", "order", "well") == "all"
    thin(worker)
    assert share("entity", "order", "well") == "summary"
    assert share("entity", "customer", "both") == "partly"
    assert find_flows("request", "trace", trace_id(f"well {DAY}").hex()) == []
    answer = client.get("/flow/entity/order/well?format=json").json()
    assert (answer["flow"]["spans"], answer["flow"]["logs"], answer["flow"]["state"]) == (1, 1, "new")
    assert answer["flow"]["retained"] == "summary"
    page = client.get("/flow/entity/order/well")
    assert page.status_code == 200
    assert "all of its records are past retention, gone since 20" in page.content.decode()
    assert (
        "some of its records are past retention" in client.get("/flow/entity/customer/both").content.decode()
    )
    assert client.get("/find?q=well").status_code == 302


def test_a_record_that_comes_after_makes_it_no_whole_flow(
    thinned: None, store: Store, worker: psycopg.Connection
) -> None:
    thin(worker)
    trace = trace_id(f"well {DAY}")
    late = SHOP.span("later", 0, 1, trace=trace, start_ns=DAY * DAY_NS, attributes={"order.id": "well"})
    store.put(batch(late))
    assert share("request", "trace", trace.hex()) == "partly"
    assert share("entity", "order", "well") in ("partly", "summary")


def test_what_two_rules_grouped_counts_once(thinned: None, store: Store, worker: psycopg.Connection) -> None:
    trace, about = trace_id("twice"), {"order.id": "twice", "shop.order_no": "twice"}
    early, late = (
        [
            SHOP.span(f"{when} {n}", 0, 1, trace=trace, start_ns=DAY * DAY_NS + n, attributes=about)
            for n in (1, 2)
        ]
        for when in ("early", "late")
    )
    rules.publish(order_numbers())
    store.put(batch(*early))
    received(worker, DAY, 20)
    thin(worker)
    assert share("entity", "order", "twice") == "summary"
    store.put(batch(*late))  # as many as went, each by two rules
    assert share("entity", "order", "twice") != "all"


def test_a_request_that_is_kept_in_part_says_so(
    thinned: None, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "WHOLE_RECORDS", 2)
    monkeypatch.setattr("timeline.queries.retained.WHOLE_RECORDS", 2)
    thin(worker)
    assert share("entity", "order", "late") == "all"
    assert share("request", "trace", trace_id(f"late {DAY}").hex()) == "partly"


def test_when_it_went_is_known(thinned: None, worker: psycopg.Connection, conninfo: str) -> None:
    began = now_ns()
    thin(worker)
    flow = find_flows("entity", "order", "well")[0]
    assert flow.went_ns is not None and began <= flow.went_ns <= now_ns()
    received(worker, DAY, 20)
    thin(worker, 15)
    dropped_ns = tables.one(conninfo, "SELECT dropped_ns FROM day WHERE day = %s", DAY)
    late = find_flows("entity", "order", "late")
    left = read_retained(late)[late[0].identity]
    assert (left.share, left.went_ns) == ("summary", dropped_ns)
