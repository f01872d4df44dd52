"""`/`: what needs a person as far as it is known, in every form, and each number a link to what it counts."""

import re
import subprocess
from html import unescape

import pytest
from django.template.loader import render_to_string
from django.test import Client

from tests.asking import as_json, found
from tests.builders import Service, batch, trace_id
from tests.product import Running
from timeline.queries import motion
from tracing.clock import now_ns
from tracing.records import Span
from tracing.storing import Store

SHOP = Service("shop")


def order(number: int, state: str, status: int = 0, ago_s: int = 60) -> Span:
    start = now_ns() - ago_s * 1_000_000_000
    told = {"order.id": f"o{number}", "order.state": state}
    return SHOP.span(
        "step", 0, 1, trace=trace_id(f"m{number}"), status=status, attributes=told, start_ns=start
    )


@pytest.fixture
def moving(store: Store) -> None:
    store.put(
        batch(
            order(1, "paid"), order(2, "paid", status=2), order(3, "created", ago_s=7_200),
            order(4, "created", ago_s=30 * 86_400),
        )
    )  # fmt: skip


def test_flows_by_state(client: Client, moving: None) -> None:
    told = client.get("/", {"format": "json"}).json()
    states = {(one["type"], one["state"]): (one["flows"], one["failing"]) for one in told["motion"]}
    # The fourth was last active before the days that are looked at.
    assert states == {("order", "paid"): (2, 1), ("order", "created"): (1, 0)}
    assert [flow["key"] for flow in told["failing"]] == ["o2"] and told["complete"] is True
    assert len(told["failing_requests"]) == 1


def test_the_longest_in_a_state_is_told_since_it_began(client: Client, store: Store) -> None:
    """However often a heartbeat repeats it, and whatever a wrong clock says of it."""
    beats = [order(1, "running", ago_s=ago) for ago in (7_200, 3_600, 60)]
    odd = SHOP.span("odd", 0, 0, attributes={"order.id": "o1", "order.state": "running"}, start_ns=2**63 - 1)
    young, other = order(2, "running", ago_s=30), order(3, "paid", ago_s=9_000)
    store.put(batch(*beats, odd, young, other, received_ns=now_ns()))
    told = client.get("/", {"format": "json"}).json()["motion"]
    assert {one["state"]: one["oldest"] for one in told} == {
        "running": str(beats[0].end_ns),
        "paid": str(other.end_ns),
    }
    assert (
        told[0]["oldest"]
        == client.get("/flows", {"format": "json", "q": "o1"}).json()["flows"][0]["state_since"]
    )


def test_numbers_lead_to_what_they_count(client: Client, moving: None) -> None:
    page = client.get("/").content.decode()
    links = re.findall(r'<td class="n"><a href="([^"]+)">([\d,]+)</a>', page)
    assert len(links) == 3
    for link, number in links:
        listed = client.get(link.replace("&amp;", "&") + "&format=json").json()["flows"]
        assert len(listed) == int(number), link


def test_the_headline_counts_and_leads(client: Client, moving: None) -> None:
    page = client.get("/").content.decode()
    heading = re.search(r"<h1><a[^>]* href=\"([^\"]+)\">1 flow</a> carries errors</h1>", page)
    assert heading is not None
    listed = client.get(heading[1].replace("&amp;", "&") + "&format=json").json()["flows"]
    assert [flow["key"] for flow in listed] == ["o2"]


@pytest.mark.parametrize("form", ["txt", "md"])
def test_text(client: Client, moving: None, form: str) -> None:
    text = client.get("/", {"format": form}).content.decode()
    assert text.startswith("1 flow carries errors")
    assert "order o2" in text and "order paid: 2 (1 with errors" in text


def test_a_type_with_very_many_flows_is_cut_and_said(
    client: Client, moving: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(motion, "FLOWS_A_TYPE", 2)
    assert client.get("/", {"format": "json"}).json()["complete"] is False
    assert "of each type active last" in client.get("/").content.decode()


def test_the_empty_page_names_the_readers_own_address(client: Client, clean_store: None) -> None:
    page = client.get("/").content.decode()
    assert "http://testserver:4318/v1/traces" in page
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver:4318" in page


def test_the_first_span_by_hand_makes_the_order_it_promises(running: Running) -> None:
    page = render_to_string("now/first.html", {"otlp": running.otlp})
    shell = re.search(r"<pre[^>]*>(trace=.*?)</pre>", page, re.DOTALL)
    assert shell is not None
    subprocess.run(["bash", "-euc", unescape(shell[1])], check=True, timeout=30)
    path = found(running.url, "order+4711")
    assert path == "/flow/entity/order/4711"
    assert as_json(running.url, path)["flow"]["state"] == "created"
