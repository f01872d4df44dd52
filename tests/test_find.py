"""`/find`: from whatever a person has at hand to its flow; several are a list, none says where it looked."""

import json
from urllib.parse import quote, unquote

import pytest
from django.conf import settings
from django.test import Client

from tests.builders import Service, batch, span_id, trace_id
from tests.shop import OTHER, PAID, PLACED, SHOP, fill
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
        ("<http://127.0.0.1:8000/flow/entity/order/4711>", ORDER),
        ("see http://127.0.0.1:8000/flow/entity/order/4711?only=errors please", f"{ORDER}?only=errors"),
        ("http://127.0.0.1:8000/flow/entity/order/4711.", ORDER),
        (
            "[it](http://127.0.0.1:8000/flow/entity/order/4712?env=staging)",
            "/flow/entity/order/4712?env=staging",
        ),
        ("http://127.0.0.1:8000/flow/entity/order/none was order 4711", ORDER),
        ("http://127.0.0.1:8000/flow/entity/order/4711 of http://127.0.0.1:8000/problems/12", ORDER),
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
    sought = span_id("sought").hex()
    answer = client.get("/find", {"q": sought})
    opened = f"/flow/request/trace/{PAID.hex()}?record=s-{PAID.hex()}-{sought}"
    assert answer.headers["Location"] == opened
    assert client.get(opened).status_code == 200
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


def test_several_say_as_what_they_were_found(client: Client, store: Store) -> None:
    store.put(
        batch(
            *(
                Service("shop").log(f"box {n} of pallet 8899", n, attributes={"order.id": f"o{n}"})
                for n in (1, 2)
            )
        )
    )
    how = "Found as “8899” in what logs and spans say; not as keys equal to “8899”, keys that begin with “8899”."
    assert how in client.get("/find", {"q": "8899"}).content.decode()
    assert client.get("/find", {"q": "8899", "format": "txt"}).content.decode().startswith(f"{how}\n\n")
    store.put(batch(Service("shop").span("x", 0, 1, attributes={"order.id": "77", "invoice.id": "77"})))
    assert "Found as" not in client.get("/find", {"q": "77"}).content.decode()


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


CHARGE = span_id("sought").hex()
QUERY = {"queryType": "traceql", "query": PAID.hex()}
PANES = json.dumps({"a": {"queries": [QUERY], "panelsState": {"trace": {"spanId": CHARGE}}}})


@pytest.mark.parametrize(
    "text",
    [
        f"https://jaeger.example/trace/{PAID.hex()}?uiFind={CHARGE}",
        f"https://jaeger.example/jaeger/ui/trace/{PAID.hex()}/{CHARGE}?uiFind={CHARGE}",
        f"https://signoz.example/trace/{PAID.hex()}?spanId={CHARGE}&levelUp=0",
        f"https://zipkin.example/zipkin/traces/{PAID.hex()}?spanId={CHARGE}",
        f"https://ui.honeycomb.io/team/environments/prod/trace?trace_id={PAID.hex()}&span={CHARGE}",
        f"https://grafana.example/explore?schemaVersion=1&panes={quote(PANES)}&orgId=1",
        f"see https://grafana.example/explore?panes={quote(PANES)}, please",
        f"00-{PAID.hex()}-{CHARGE}-01",
        f"curl -H 'traceparent: 00-{PAID.hex()}-{CHARGE}-01' https://shop.example/x",
        f"b3: {PAID.hex()}-{CHARGE}-1",
        f"X-B3-TraceId: {PAID.hex()}\nX-B3-SpanId: {CHARGE}\nX-B3-Sampled: 1",
        f"X-Amzn-Trace-Id: Root=1-{PAID.hex()[:8]}-{PAID.hex()[8:]};Parent={CHARGE};Sampled=1",
        f"http://elsewhere.example/record/{PAID.hex()}/{CHARGE}",
        f"dd.trace_id={int(PAID.hex()[16:], 16)} dd.span_id={int(CHARGE, 16)}",
        str(int(CHARGE, 16)),
    ],
)
def test_what_other_tools_write_opens_the_record(client: Client, store: Store, text: str) -> None:
    store.put(
        batch(SHOP.span("POST /x", 0, 1, trace=PAID, id="sought"), SHOP.span("other", 2, 1, trace=OTHER))
    )
    answer = client.get("/find", {"q": text})
    there = f"/flow/request/trace/{PAID.hex()}?record=s-{PAID.hex()}-{CHARGE}"
    assert answer.headers.get("Location") == there, answer.content.decode()


@pytest.mark.parametrize(
    "text",
    [
        f"https://grafana.example/explore?left=%7B%22queries%22%3A%5B%7B%22query%22%3A%22{TRACE}%22%7D%5D%7D",
        f"https://tempo.example/api/traces/{TRACE}",
        f"https://app.example/#/trace/{TRACE}?tab=1",
        f"Root=1-{TRACE[:8]}-{TRACE[8:]}",
        str(int(TRACE[16:], 16)),
    ],
)
def test_what_other_tools_write_of_a_trace(client: Client, shop: None, text: str) -> None:
    assert client.get("/find", {"q": text}).headers.get("Location") == REQUEST


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/s/abcDEF-_123", "/s/abcDEF-_123"),
        ("http://testserver/s/abcDEF", "/s/abcDEF"),
        ("HTTP://TESTSERVER/s/abcDEF?format=txt", "/s/abcDEF?format=txt"),
        (f"{settings.URL}/s/abcDEF", "/s/abcDEF"),
        (f"{settings.URL}/problems/12", "/problems/12"),
        ("/problems?state=all", "/problems?state=all"),
        (f"look: {settings.URL}/s/abcDEF-_", "/s/abcDEF-_"),
        (f"{settings.URL}/flows?verdict=stuck.", "/flows?verdict=stuck"),
        (f"{settings.URL}/", "/"),
        ("/types/x.", "/types/x."),
        (f"<{settings.URL}/s/abcDEF|what happened>", "/s/abcDEF"),
        (f"[a problem]({settings.URL}/problems/12), {settings.URL}/flow/entity/order/4711", "/problems/12"),
        (f"https://other.example/s/x, {settings.URL}/s/abcDEF.", "/s/abcDEF"),
    ],
)
def test_a_page_of_ours_is_that_page(client: Client, clean_store: None, text: str, path: str) -> None:
    answer = client.get("/find", {"q": text})
    assert (answer.status_code, answer.headers.get("Location")) == (302, path)


@pytest.mark.parametrize(
    "text",
    [
        "https://evil.example/s/abcDEF",
        "//evil.example/s/abcDEF",
        "http://testserver@evil.example/s/abcDEF",
        "https://evil.example/problems/12",
        "look: https://evil.example/s/abcDEF",
        "look: http://testserver@evil.example/s/abcDEF please",
        "GET /problems 200 from evil",
        "/s//evil.example",
        "/s/..//evil.example",
        "/\\evil.example/s/a",
        "/types//evil.example",
        "https://evil.example/",
        "//evil.example/",
        "javascript:/s/abc",
        "https://evil.example/flow/entity/order/none",
        "//evil.example/flow/entity/order/4711",
        "/flow//evil.example/x/y",
    ],
)
def test_nobody_is_sent_away(client: Client, shop: None, text: str) -> None:
    answer = client.get("/find", {"q": text})
    location = answer.headers.get("Location", "/find")
    assert location.startswith("/") and not location.startswith(("//", "/\\")), location
    assert "evil" not in location


def test_a_shared_link_of_elsewhere_says_so(client: Client, clean_store: None) -> None:
    for text in ("https://other.example/s/abc", "see https://other.example/s/abc."):
        told = client.get("/find", {"q": text, "format": "json"}).json()
        assert "other.example" in told["looked"][0] and told["flows"] == []


def test_a_decimal_id_says_what_was_looked_for(client: Client, shop: None) -> None:
    told = client.get("/find", {"q": "dd.trace_id=1234567890123456789", "format": "json"}).json()
    assert any("lower half of a trace id: 112210f47de98115" in place for place in told["looked"])
