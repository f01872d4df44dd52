"""`/record/…`: one span or log with everything it carries, its versions, its links both ways, beside the rows or alone."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from tests.builders import BASE_NS, MS, T1, T2, Service, batch, event, span_id
from timeline import grouping
from tracing.records import Log, Scope, Span
from tracing.storing import Store

Json = dict[str, Any]
shop, wms = Service("shop", region="eu"), Service("wms")
STACK = (
    'Traceback\n  File "shop/pay.py", line 8, in pay\n    go()\n'
    '  File "/x/site-packages/gate.py", line 1, in go\nDeclined: no'
)


def path_of(span: Span) -> str:
    return f"/record/{span.trace_id.hex()}/{span.span_id.hex()}"


def get(client: Client, path: str) -> Json:
    response = client.get(path, {"format": "json"})
    assert response.status_code == 200, response.content[:300]
    answer: Json = json.loads(response.content)
    return answer


@pytest.fixture
def pay(store: Store) -> Span:
    made = shop.span(
        "pay", 0, 20, kind=3, status=2, message="declined", id="pay", dropped=2,
        attributes={
            "order.id": "1", "http.request.method": "POST", "big": 2**60, "nan": {"$double": "NaN"}, "empty": None,
            "bytes": {"$bytes": "AAEC"}, "card.number": {"$redacted": True}, "list": [1, "a"], "text": "<b>&",
        },
        events=[event("exception", 5, exception__type="Declined", exception__message="no", exception__stacktrace=STACK),
                event("note", 7, step=3)],
    )  # fmt: skip
    consume = wms.span("consume", 30, 5, trace=T2, kind=5, links=[made])
    store.put(batch(made, consume))
    return made


def test_values_are_exactly_as_sent(client: Client, pay: Span) -> None:
    told = get(client, path_of(pay))
    assert told["attributes"] == {
        "order.id": "1", "http.request.method": "POST", "big": str(2**60), "nan": "NaN", "empty": None, "bytes": "AAEC",
        "card.number": "[redacted]", "list": [1, "a"], "text": "<b>&",
    }  # fmt: skip
    assert (told["name"], told["service"], told["status"], told["status_message"]) == (
        "pay",
        "shop",
        "error",
        "declined",
    )
    assert (told["start"], told["end"], told["flags"]) == (str(BASE_NS), str(BASE_NS + 20 * MS), 0x101)
    assert told["resource"] == {"service.name": "shop", "region": "eu"}
    assert told["scope"]["name"] == "tests.builders"
    assert told["dropped"] == {"attributes": 2, "events": 0, "links": 0}
    assert [(one["name"], one["time"]) for one in told["events"]] == [
        ("exception", str(BASE_NS + 5 * MS)), ("note", str(BASE_NS + 7 * MS)),
    ]  # fmt: skip
    assert told["versions"] == []


def test_the_latest_end_is_shown_and_the_others_are_versions(client: Client, store: Store) -> None:
    tries = [shop.span("task", n * 10, 5, id="task", status=2 if n < 2 else 1) for n in range(3)]
    store.put(batch(*tries))
    told = get(client, path_of(tries[0]))
    assert told["start"] == str(BASE_NS + 20 * MS)
    assert [version["start"] for version in told["versions"]] == [str(BASE_NS + 10 * MS), str(BASE_NS)]
    page = client.get(path_of(tries[0]) + "?version=3").content.decode()
    assert "3 different records came under these ids" in page
    assert "■ error" in page


def test_the_page_shows_the_exception_groups_and_links_both_ways(client: Client, pay: Span) -> None:
    page = client.get(path_of(pay)).content.decode()
    assert '<span class="own">  File &quot;shop/pay.py&quot;, line 8, in pay</span>' in page
    assert "&lt;b&gt;&amp;" in page
    assert "<h3>HTTP</h3>" in page
    assert "wms, links here" in page
    consume = client.get(f"/record/{T2.hex()}/{_consume_id(client)}").content.decode()
    assert f'← <a href="{path_of(pay)}"' in consume


def _consume_id(client: Client) -> str:
    rows = json.loads(client.get(f"/flow/request/trace/{T2.hex()}?format=json").content)["rows"]
    told: str = rows[0]["span_id"]
    return told


def test_a_log_has_a_page_too(client: Client, store: Store) -> None:
    said = shop.log("paid\nsecond line", 3, event_name="payment.captured", attributes={"order.id": "1"})
    store.put(batch(said))
    told = get(client, f"/record/log/{said.log_id.hex()}")
    assert (told["body"], told["event_name"], told["trace_id"]) == (
        "paid\nsecond line",
        "payment.captured",
        None,
    )
    assert "second line" in client.get(f"/record/log/{said.log_id.hex()}").content.decode()


def test_a_time_that_cannot_be_read_is_said_where_it_stands(client: Client, store: Store) -> None:
    attributes = {"order.id": "1", "flow.deadline": "next Tuesday", "flow.expect.within": "2h"}
    store.put(batch(shop.span("pay", 0, 5, trace=T1, attributes=attributes)))
    page = client.get("/flow/entity/order/1").content.decode()
    row = re.search(r"s-[0-9a-f]{32}-[0-9a-f]{16}", page)
    assert row is not None
    page = client.get("/flow/entity/order/1", {"record": row[0]}).content.decode()
    assert page.count("can be read here, so nobody is held to it") == 1


@pytest.mark.usefixtures("clean_store")
@pytest.mark.parametrize(
    "path", [f"{T1.hex()}/{span_id('x').hex()}", "zz/yy", f"{T1.hex()}/12", "log/12", "log/" + "0" * 32]
)
@pytest.mark.parametrize("form", ["html", "json", "txt"])
def test_an_unknown_record_is_a_404(client: Client, path: str, form: str) -> None:
    assert client.get(f"/record/{path}", {"format": form}).status_code == 404


def test_the_drawer_is_part_of_the_page_or_comes_alone(client: Client, pay: Span) -> None:
    flow = "/flow/entity/order/1"
    row = f"s-{T1.hex()}-{pay.span_id.hex()}"
    whole = client.get(flow, {"record": row}).content.decode()
    assert "<!doctype html>" in whole
    assert 'class="rec"' in whole
    assert " open" in whole.split(f'id="{row}"')[0].rsplit("<div", 1)[1]
    alone = client.get(
        flow, {"record": row}, headers={"HX-Request": "true", "HX-Target": "record"}
    ).content.decode()
    assert "<!doctype html>" not in alone
    assert "Declined" in alone
    assert client.get(flow, headers={"HX-Request": "true", "HX-Target": "record"}).content == b""
    timeline = client.get(flow, headers={"HX-Request": "true", "HX-Target": "timeline"}).content.decode()
    assert timeline.startswith('<div id="timeline"')
    for gone in (f"e-{T1.hex()}-{pay.span_id.hex()}-0", "l-" + "0" * 32, "t-shop-1", f"c-{T1.hex()}"):
        assert client.get(flow, {"record": gone}).status_code == 200


@pytest.mark.parametrize(
    "name, group",
    [("order.id", "Attributes"), ("http.route", "HTTP"), ("url.full", "HTTP"), ("db.system", "Database"),
     ("messaging.system", "Messaging"), ("exception.type", "Error"), ("gen_ai.system", "Models"), ("flow.attempt", "Workflow")],
)  # fmt: skip
def test_attributes_are_grouped_by_convention(name: str, group: str) -> None:
    assert grouping.groups({name: 1})[0][0] == group


def test_the_senders_own_attributes_come_first() -> None:
    assert [name for name, _ in grouping.groups({"http.route": "/", "a": 1, "db.system": "x"})] == [
        "Attributes", "HTTP", "Database",
    ]  # fmt: skip


def test_very_large_records_are_cut_on_the_page_only(client: Client, store: Store) -> None:
    big = shop.span(
        "big", 0, 1, attributes={"text": "x" * 50_000}, events=[event(f"e{n}", 0) for n in range(300)]
    )
    store.put(batch(big))
    assert len(get(client, path_of(big))["attributes"]["text"]) == 50_000
    page = client.get(path_of(big)).content.decode()
    assert "30,000 more characters in the JSON form" in page
    assert "100 more events in the JSON form" in page


SCHEMA = "https://opentelemetry.io/schemas/1.21.0"
ATTRIBUTES = b'{"lib.mode":"auto"}'
RAW_NAME = b64encode(b"pa\xffy").decode()


def full(made: Any, **exact: str) -> Any:
    """The record as a sender tells it that fills in every field, and as reading keeps what no column holds."""
    resource = replace(made.resource, resource_id=b"r" * 16, dropped=3, schema_url=SCHEMA + "/r")
    scope = Scope(b"s" * 16, "lib", "2", ATTRIBUTES, 4, SCHEMA + "/s")
    return replace(made, resource=resource, scope=scope, exact=exact)


@pytest.fixture
def odd_span(store: Store) -> Span:
    made: Span = full(
        shop.span("pa\ufffdy", 0, 5),
        name=RAW_NAME,
        parent_span_id="0102",
        end=str(2**64 - 1),
        trace_state=RAW_NAME,
    )
    noted = {"time": "5", "name": "\ufffd", "attributes": {}, "dropped": 0, "exact_name": RAW_NAME}
    made.events_json = json.dumps([noted]).encode()
    store.put(batch(made))
    return made


@pytest.fixture
def odd_log(store: Store) -> Log:
    made: Log = full(shop.log("paid", 3), trace_id="0a0b", span_id="0c", severity_text=RAW_NAME)
    store.put(batch(made))
    return made


@pytest.mark.parametrize("kind", ["span", "log"])
def test_the_json_holds_all_that_is_stored(client: Client, odd_span: Span, odd_log: Log, kind: str) -> None:
    record: Span | Log = odd_span if kind == "span" else odd_log
    told = get(client, path_of(odd_span) if kind == "span" else f"/record/log/{odd_log.log_id.hex()}")
    assert told["exact"] == record.exact
    assert (told["resource_dropped"], told["resource_schema_url"]) == (3, SCHEMA + "/r")
    assert told["scope"] == {
        "name": "lib", "version": "2", "attributes": {"lib.mode": "auto"}, "schema_url": SCHEMA + "/s", "dropped": 4,
    }  # fmt: skip


def test_a_record_without_anything_odd_says_so(client: Client, pay: Span) -> None:
    assert get(client, path_of(pay))["exact"] == {}
    page = client.get(path_of(pay)).content.decode()
    assert "<h3>As sent</h3>" not in page
    assert "none, a root" in page


@pytest.mark.parametrize("kind", ["span", "log"])
def test_the_drawer_shows_all_that_is_stored(client: Client, odd_span: Span, odd_log: Log, kind: str) -> None:
    path = path_of(odd_span) if kind == "span" else f"/record/log/{odd_log.log_id.hex()}"
    page, raw, _ = client.get(path).content.decode().partition("<summary>Raw JSON</summary>")
    assert raw
    for told in (f"<dt>schema</dt><dd>{SCHEMA}/r</dd>", f"<dt>schema</dt><dd>{SCHEMA}/s</dd>",
                 "<dt>lib.mode</dt><dd>auto</dd>", "3 attributes of its resource, 4 attributes of its scope"):  # fmt: skip
        assert told in page
    odd = {
        "span": [("name, bytes in base64", RAW_NAME), ("parent span id", "0102"), ("end", f"{2**64 - 1} ns"),
                 ("trace state, bytes in base64", RAW_NAME)],
        "log": [("trace id", "0a0b"), ("span id", "0c"), ("severity text, bytes in base64", RAW_NAME)],
    }[kind]  # fmt: skip
    for name, text in odd:
        assert f"<dt>{name}</dt><dd>{text}</dd>" in page
    assert ("none that can be read" in page) == (kind == "span")
    assert (f"its name as sent, bytes in base64: {RAW_NAME}" in page) == (kind == "span")


def test_versions_are_compared(client: Client, store: Store) -> None:
    shop = Service("shop")
    first = shop.span("pay", 0, 10, id="v", status=2, attributes={"amount": 3, "try": 1})
    last = shop.span("pay", 0, 20, id="v", attributes={"amount": 3, "card": "visa"})
    store.put(batch(first, last))
    text = client.get(f"/record/{last.trace_id.hex()}/{last.span_id.hex()}").content.decode()
    said = " ".join(re.sub(r"<[^>]+>", " ", text).split())
    assert "differs in 4" in said
    assert re.search(r"status unset error end \d+ \d+ card visa – try – 1", said)


def test_frames_of_ones_own_come_before_a_long_stack(client: Client, store: Store) -> None:
    library = [f'  File "/x/site-packages/gate{n}.py", line 1, in go' for n in range(9)]
    own = ['  File "shop/pay.py", line 8, in pay', '  File "shop/card.py", line 3, in charge']
    stack = "\n".join(["Traceback", own[0], *library, own[1], "Declined: no"])
    told = event(
        "exception", 5, exception__type="Declined", exception__message="no", exception__stacktrace=stack
    )
    span = shop.span("pay", 0, 10, events=[told])
    store.put(batch(span))
    text = client.get(path_of(span)).content.decode()
    first, _, rest = text.split("Raw JSON")[0].partition("whole stack, 13 lines")
    assert first.count('class="own"') == 2 and "gate0" not in first
    assert rest.count("gate") == 9 and rest.count('class="own"') == 2
