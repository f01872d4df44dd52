"""`/find`: from whatever a person has at hand to its flow; several are a list, none says where it looked."""

from urllib.parse import unquote

import pytest
from django.test import Client

from tests.builders import Service, batch, span_id, trace_id
from tests.shop import PAID, PLACED, SHOP, fill
from timeline.queries import find as finding
from tracing.storing import Store

ORDER, PAYMENT = "/flow/entity/order/4711", "/flow/entity/payment/pay%2F1%20%C3%BC"
TRACE = PLACED.hex()
REQUEST = f"/flow/request/trace/{TRACE}"
DASHED = f"{TRACE[:8]}-{TRACE[8:12]}-{TRACE[12:16]}-{TRACE[16:20]}-{TRACE[20:]}"


@pytest.fixture
def shop(store: Store) -> None:
    fill(store)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("4711", ORDER),
        (" 4711 ", ORDER),
        ("order 4711", ORDER),
        ("Order #4711", ORDER),
        ("orders/4711 order:4711", ORDER),
        ("order.id=4711", ORDER),
        ('{"order_id":"4711","level":"error"}', ORDER),
        ("2026-11-21T14:02:11Z ERROR wms - order 4711 failed with 503", ORDER),
        ("PAY/1 Ü", PAYMENT),
        ("pay/1", PAYMENT),
        ("471", "/find"),
        ("run-", "/flow/workflow/onboarding/run-1"),
        (TRACE, REQUEST),
        (TRACE.upper(), REQUEST),
        (DASHED, REQUEST),
        (f"00-{TRACE}-00f067aa0ba902b7-01", REQUEST),
        (f"ERROR card declined trace_id={TRACE} after 3 tries", REQUEST),
        (f"http://elsewhere:8000/trace/{TRACE}", REQUEST),
        ("http://127.0.0.1:8000/flow/entity/order/4711?only=errors", f"{ORDER}?only=errors"),
        ("/flow/entity/order/4712?env=staging", "/flow/entity/order/4712?env=staging"),
        ("4712", "/flow/entity/order/4712"),
        ("order 4712 staging", "/flow/entity/order/4712?env=staging"),
        ("#4711", ORDER),
        ("/flow/entity?type=order&key=4711", "/flow/entity?type=order&key=4711"),
    ],
)
def test_one_flow_is_a_redirect(client: Client, shop: None, text: str, path: str) -> None:
    answer = client.get("/find", {"q": text})
    if path == "/find":
        assert answer.status_code == 200 and "order 4711" in answer.content.decode()
        return
    assert (answer.status_code, answer.headers["Location"]) == (302, path)


def test_a_redirect_keeps_the_form_that_was_asked_for(client: Client, shop: None) -> None:
    for text, path in (
        ("4711", f"{ORDER}?format=json"),
        ("order 4712 staging", "/flow/entity/order/4712?env=staging&format=json"),
        (f"{ORDER}?only=errors&format=txt", f"{ORDER}?only=errors&format=json"),
    ):
        assert client.get("/find", {"q": text, "format": "json"}).headers["Location"] == path


def test_the_redirect_leads_to_a_page(client: Client, shop: None) -> None:
    for text in ("4711", "PAY/1 Ü", TRACE):
        path = client.get("/find", {"q": text}).headers["Location"]
        assert client.get(path).status_code == 200, unquote(path)


def test_a_span_id(client: Client, store: Store) -> None:
    one = SHOP.span("POST /x", 0, 1, trace=PAID, id="sought")
    store.put(batch(one, SHOP.log("said", 1, trace=trace_id("logged"), span_named=span_id("logs only"))))
    answer = client.get("/find", {"q": span_id("sought").hex()})
    assert answer.headers["Location"] == f"/flow/request/trace/{PAID.hex()}"
    answer = client.get("/find", {"q": f"span={span_id('logs only').hex()}"})
    assert answer.headers["Location"] == f"/flow/request/trace/{trace_id('logged').hex()}"


def test_a_short_trace_id_is_padded(client: Client, store: Store) -> None:
    store.put(batch(SHOP.span("old", 0, 1, trace=bytes(8) + b"12345678")))
    answer = client.get("/find", {"q": b"12345678".hex()})
    assert answer.headers["Location"] == f"/flow/request/trace/{'0' * 16}{b'12345678'.hex()}"


def test_several_are_a_list(client: Client, store: Store) -> None:
    store.put(batch(Service("shop").span("x", 0, 1, attributes={"order.id": "77", "invoice.id": "77"})))
    page = client.get("/find", {"q": "77"})
    assert page.status_code == 200
    for title in ("order 77", "invoice 77"):
        assert title in page.content.decode()
    assert len(client.get("/find", {"q": "77", "format": "json"}).json()["flows"]) == 2
    assert client.get("/find", {"q": "invoice 77"}).headers["Location"] == "/flow/entity/invoice/77"


def test_none_says_where_it_looked(client: Client, shop: None) -> None:
    page = client.get("/find", {"q": "nothing-like-it"}).content.decode()
    assert "keys equal to “nothing-like-it”" in page and "keys that begin with" in page
    told = client.get("/find", {"q": "00f067aa0ba902b7", "format": "json"}).json()
    assert told["flows"] == [] and "span 00f067aa0ba902b7 on all stored days" in told["looked"]
    assert "Nothing found" in client.get("/find", {"q": "nix", "format": "txt"}).content.decode()


def test_a_search_that_takes_too_long_says_how_far_it_came(
    client: Client, shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "SPAN_LIMIT_S", 0.0)
    told = client.get("/find", {"q": "00f067aa0ba902b7", "format": "json"}).json()
    assert any("take too long" in place for place in told["looked"])


@pytest.mark.parametrize(
    "text",
    ["", "   ", "%", "_", "\\", "'; DROP TABLE flow", "\x00", "<script>alert(1)</script>", "a" * 5_000],
)
def test_odd_text_gets_a_page(client: Client, shop: None, text: str) -> None:
    answer = client.get("/find", {"q": text})
    assert answer.status_code == 200 and "<script>alert" not in answer.content.decode()


def test_a_novel_is_refused(client: Client, clean_store: None) -> None:
    answer = client.get("/find", {"q": "a" * 20_001, "format": "json"})
    assert (answer.status_code, answer.json()["field"]) == (400, "q")


def test_an_unknown_flow_offers_find(client: Client, clean_store: None) -> None:
    page = client.get("/flow/entity/order/none")
    assert page.status_code == 404 and 'action="/find"' in page.content.decode()
    told = client.get("/flow/entity/order/none", {"format": "json"})
    assert told.status_code == 404 and told.json()["find"] == "/find?q=none"
    assert "/find?q=none" in client.get("/flow/entity/order/none", {"format": "txt"}).content.decode()
