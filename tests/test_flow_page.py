"""`/flow/…` through the real store: the JSON to the contract's letter, windows, folds, filters, and how it says no."""

import json
from typing import Any
from urllib.parse import quote

import html5lib
import pytest
from django.test import Client

from tests.asking import as_json, ask
from tests.builders import BASE_NS, MS, T1, T2, T3, Service, batch, event, span_id, trace_id
from tracing.records import DAY_NS, Log, Span
from tracing.storing import Store
from tracing.values import tag_map, tag_text

Json = dict[str, Any]
HOUR = 3_600_000
ORDER = {"order.id": "4711"}
LONE = tag_text("x\ud800")
FLOW_KEYS = set(
    "kind type key environment title url status state state_since step step_at verdict waiting_for first last spans events logs"
    " errors related retries chapters retained services systems problems".split()
)
ROW_KEYS = set(
    "row id parent depth trace_id span_id service name start duration status context attempt count text".split()
)
shop, billing, wms, audit = Service("shop"), Service("billing"), Service("wms"), Service("audit")


def order_4711() -> list[Span | Log]:
    """Placed in one trace, reserved in a second that links back, a lost mail in a third, two logs without any."""
    place = shop.span("POST /orders", 0, 1240, kind=2, attributes={**ORDER, "order.state": "created"})
    charge = billing.span(
        "charge card", 100, 200, parent=place, kind=3, status=2, message="declined",
        attributes={**ORDER, "http.request.resend_count": 1, "payment.id": "p-9"},
        events=[event("exception", 290, exception__type="CardDeclined", exception__message="issuer said no")],
    )  # fmt: skip
    check = shop.span("validate", 20, 50, parent=place)
    consume = wms.span(
        "consume order.paid",
        0.5 * HOUR,
        500,
        trace=T2,
        kind=5,
        links=[place],
        attributes={**ORDER, "order.state": "reserved"},
    )
    mail = shop.span("send mail", HOUR, 5, trace=T3, parent=span_id("lost"), attributes=ORDER)
    return [
        place, charge, check, consume, mail,
        billing.log("card declined", 298, span=charge, severity=17),
        billing.log("captured", 1200, span=place, event_name="payment.captured", attributes={**ORDER, "order.state": "paid"}),
        wms.log("still waiting", 2 * HOUR, severity=13, attributes=ORDER),
        audit.log({"order": {"id": "4711"}}, 2.5 * HOUR),
    ]  # fmt: skip


@pytest.fixture
def order(store: Store) -> None:
    store.put(batch(*order_4711()))


def get(client: Client, address: str, **query: str | int) -> Json:
    response = client.get(address, {"format": "json", **query})
    assert response.status_code == 200, response.content[:500]
    answer: Json = json.loads(response.content)
    return answer


def every_row(client: Client, address: str, limit: int, **query: str) -> list[Json]:
    rows: list[Json] = []
    page = get(client, address, limit=limit, **query)
    while True:
        assert len(page["rows"]) <= limit
        rows += page["rows"]
        if page["next"] is None:
            assert len(rows) == page["total_rows"]
            return rows
        page = get(client, address, limit=limit, cursor=page["next"], **query)


def outline(rows: list[Json]) -> list[str]:
    return [f"{'  ' * row['depth']}{row['row']} {row['name']}" for row in rows]


@pytest.mark.usefixtures("order")
def test_an_order_reads_as_a_story(client: Client) -> None:
    answer = get(client, "/flow/entity/order/4711")
    assert outline(answer["rows"]) == [
        "chapter POST /orders",
        "  span POST /orders",
        "    span validate",
        "    span charge card",
        "      event exception",
        "      log card declined",
        "    log payment.captured",
        "    transition paid",
        "    transition created",
        "chapter consume order.paid",
        "  span consume order.paid",
        "    transition reserved",
        "chapter send mail",
        "  span send mail",
        "chapter logs without a trace",
        "  log still waiting",
        "chapter logs without a trace",
        '  log {"order":{"id":"4711"}}',
    ]
    flow, trust, rows = answer["flow"], answer["trust"], answer["rows"]
    assert set(flow) == FLOW_KEYS
    assert all(set(row) >= ROW_KEYS for row in rows)
    counts = {
        name: flow[name] for name in ("spans", "events", "logs", "errors", "related", "chapters", "retries")
    }
    assert counts == {
        "spans": 4,
        "events": 1,
        "logs": 3,
        "errors": 2,
        "related": 2,
        "chapters": 5,
        "retries": 1,
    }
    assert (flow["state"], flow["status"], flow["verdict"], flow["environment"]) == (
        "reserved",
        "error",
        None,
        "production",
    )
    assert (trust["orphans"], trust["unattached_logs"], trust["skew"], trust["truncated"]) == (
        1,
        2,
        [],
        False,
    )
    charge = rows[3]
    assert charge["start"] == str(BASE_NS + 100 * MS)
    assert (charge["duration"], charge["status"], charge["attempt"]) == (str(200 * MS), "error", 2)
    assert (charge["text"], charge["parent"]) == ("declined", rows[1]["id"])
    assert rows[4]["text"] == "CardDeclined: issuer said no"
    assert rows[9]["text"] == "← linked from POST /orders"
    assert rows[0]["parent"] is None
    assert rows[1]["parent"] == rows[0]["id"]
    assert rows[13]["marks"] == ["its parent never came"]


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("limit", [1, 3, 500])
def test_paging_shows_each_row_once_in_one_order(client: Client, limit: int) -> None:
    rows = every_row(client, "/flow/entity/order/4711", limit, expand="all")
    assert len({row["id"] for row in rows}) == len(rows) == 18
    assert rows == get(client, "/flow/entity/order/4711", expand="all")["rows"]


@pytest.mark.usefixtures("order")
def test_what_commits_between_two_pages_waits_for_the_next_reading(client: Client, store: Store) -> None:
    first = get(client, "/flow/entity/order/4711", limit=5)
    late = shop.span("pick", 40, 10, parent=None, attributes=ORDER, id="late")
    elsewhere = wms.span("ship", 3 * HOUR, 10, trace=trace_id("new"), attributes=ORDER)
    store.put(batch(late, elsewhere, audit.log("more", 2.6 * HOUR, attributes=ORDER)))
    second = get(client, "/flow/entity/order/4711", limit=500, cursor=first["next"])
    names = [row["name"] for row in first["rows"] + second["rows"]]
    assert len(names) == 18
    assert not {"pick", "ship", "more"} & set(names)
    assert {"pick", "ship", "more"} <= {row["name"] for row in get(client, "/flow/entity/order/4711")["rows"]}


@pytest.mark.usefixtures("order")
def test_folds_and_filters_are_in_the_address(client: Client) -> None:
    rows = get(client, "/flow/entity/order/4711")["rows"]
    folded = get(client, "/flow/entity/order/4711", fold=f"{rows[0]['id']},{rows[9]['id']}")
    assert outline(folded["rows"])[:3] == [
        "chapter POST /orders",
        "chapter consume order.paid",
        "chapter send mail",
    ]
    assert folded["total_rows"] == 8
    errors = outline(get(client, "/flow/entity/order/4711", only="errors")["rows"])
    assert errors == [
        "chapter POST /orders", "  span POST /orders", "    span charge card", "      event exception", "      log card declined",
    ]  # fmt: skip
    of_wms = outline(get(client, "/flow/entity/order/4711", service="wms")["rows"])
    assert of_wms == [
        "chapter consume order.paid", "  span consume order.paid", "    transition reserved",
        "chapter logs without a trace", "  log still waiting",
    ]  # fmt: skip
    window = get(
        client, "/flow/entity/order/4711", **{"from": BASE_NS + HOUR * MS, "to": BASE_NS + 2 * HOUR * MS}
    )
    assert outline(window["rows"])[0] == "chapter send mail"
    assert window["total_rows"] == 4


def test_a_batch_shows_an_order_its_own_part_only(client: Client, store: Store) -> None:
    root = wms.span("nightly batch", 0, 60_000, links=())
    records: list[Span | Log] = [root]
    for number in range(30):
        handle = wms.span(
            "handle", number * 50, 40, parent=root, id=f"h{number}", attributes={"order.id": f"b{number}"}
        )
        step = billing.span("step", number * 50 + 5, 10, parent=handle, id=f"s{number}")
        records += [handle, step, billing.log(f"stepped {number}", number * 50 + 7, span=step)]
    aside = wms.span("report", 2_000, 5, parent=root)
    carrier = wms.log("order b7 seen", 2_001, span=aside, attributes={"order.id": "b7"})
    store.put(batch(*records, aside, carrier))
    answer = get(client, "/flow/entity/order/b7")
    assert outline(answer["rows"]) == [
        "chapter nightly batch",
        "  span nightly batch",
        "    span handle",
        "      span step",
        "        log stepped 7",
        "    span report",
        "      log order b7 seen",
    ]
    assert [row["context"] for row in answer["rows"]] == [False, True, False, False, False, True, False]
    assert (answer["flow"]["spans"], answer["flow"]["logs"], answer["flow"]["related"]) == (1, 1, 2)
    page = client.get("/flow/entity/order/b7").content.decode()
    assert "and 24 other orders" in page


def test_a_request_with_everything_wrong_still_draws(client: Client, store: Store) -> None:
    trace = trace_id("odd")
    root = shop.span("root", 0, 100, trace=trace)
    store.put(
        batch(
            root,
            shop.span("second root", 20, 50, trace=trace),
            shop.span("circle a", 30, 10, trace=trace, id="ca", parent=span_id("cb")),
            shop.span("circle b", 31, 10, trace=trace, id="cb", parent=span_id("ca")),
            shop.span("own parent", 40, 5, trace=trace, id="op", parent=span_id("op")),
            shop.span("negative", 60, -5, trace=trace, parent=root),
            shop.span("endless", 62, 0, trace=trace, parent=root, end_ns=2**63 - 1),
            shop.span("orphan", 70, 5, trace=trace, parent=span_id("gone"), dropped=3, redacted=2),
            *(
                shop.span("task", n * 10, 5, trace=trace, id="task", parent=root, status=n % 2 * 2)
                for n in (1, 2, 3)
            ),
            shop.log("names no span", 33, trace=trace),
            shop.log("no time", 0, trace=trace, time_ns=0),
        )
    )
    address = f"/flow/request/trace/{trace.hex()}"
    answer = get(client, address)
    assert outline(answer["rows"]) == [
        "log no time", "span root", "  span task", "  span negative", "  span endless", "span second root",
        "span circle a", "  span circle b", "log names no span", "span own parent", "span orphan",
    ]  # fmt: skip
    trust = answer["trust"]
    assert {name: trust[name] for name in ("orphans", "cycles", "versions", "unattached_logs", "dropped", "redacted")} == {
        "orphans": 1, "cycles": 2, "versions": 2, "unattached_logs": 2, "dropped": 3, "redacted": 2,
    }  # fmt: skip
    assert [row["duration"] for row in answer["rows"] if row["name"] == "negative"] == [str(-5 * MS)]
    everything = every_row(client, address, 4, expand="all")
    assert len(everything) == 13 == len({row["id"] for row in everything})
    page = client.get(address).content.decode()
    assert "its parents go in a circle, cut here" in page
    assert "1 span whose parent never came" in page


@pytest.mark.usefixtures("clean_store")
def test_without_a_root_it_says_so(client: Client, store: Store) -> None:
    store.put(batch(shop.span("child", 0, 10, parent=span_id("root"))))
    assert get(client, f"/flow/request/trace/{T1.hex()}")["flow"]["status"] == "open"
    assert "no root span has come" in client.get(f"/flow/request/trace/{T1.hex()}").content.decode()


@pytest.mark.parametrize(
    "key", ["a/b", "a.b", "..", "a/../b", "ü 10%", "x?y#z", "a//b/", '"><script>', "4711+1"]
)
def test_keys_of_any_kind(client: Client, store: Store, key: str) -> None:
    store.put(batch(shop.span("work", 0, 1, attributes={"order.id": key})))
    flow = get(client, f"/flow/entity/order/{quote(key, safe='')}")["flow"]
    assert flow["key"] == key
    path = flow["url"].removeprefix("http://127.0.0.1:8000")
    assert get(client, path.split("?")[0], **_query(path))["flow"]["key"] == key
    assert (
        "<script>"
        not in client.get(f"/flow/entity/order/{quote(key, safe='')}").content.decode().split("</head>")[1]
    )


def _query(path: str) -> dict[str, str]:
    from urllib.parse import parse_qsl, urlsplit

    return dict(parse_qsl(urlsplit(path).query))


def test_environments_are_kept_apart_and_named(client: Client, store: Store) -> None:
    staging = Service("shop", "staging")
    store.put(
        batch(
            shop.span("live", 0, 1, attributes=ORDER), staging.span("test", 0, 1, trace=T2, attributes=ORDER)
        )
    )
    store.put(batch(staging.span("only", 0, 1, trace=T3, attributes={"order.id": "2"})))
    assert get(client, "/flow/entity/order/4711")["flow"]["environment"] == "production"
    assert get(client, "/flow/entity/order/4711", env="staging")["rows"][0]["name"] == "test"
    assert get(client, "/flow/entity/order/2")["flow"]["environment"] == "staging"
    assert "also in staging" in client.get("/flow/entity/order/4711").content.decode()
    assert client.get("/flow/entity/order/4711?env=nowhere").status_code == 404


BAD = [
    ("limit", "0"), ("limit", "501"), ("limit", "x"), ("cursor", "x"), ("cursor", "WzEsMiwzXQ"), ("from", "soon"),
    ("only", "warnings"), ("expand", "some"), ("fold", "nonsense"), ("open", "s-1-2"), ("record", "?"), ("format", "xml"),
]  # fmt: skip


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("field, value", BAD)
def test_a_bad_address_is_a_400_naming_the_field(client: Client, field: str, value: str) -> None:
    for form in {"html", "json"} if field != "format" else {value}:
        response = client.get("/flow/entity/order/4711", {"format": form, field: value})
        assert response.status_code == 400, response.content[:300]
        assert field in response.content.decode()


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("moment", ["-9223372036854775809", "9223372036854775808", "9" * 30])
def test_a_window_beyond_all_time_has_an_answer(client: Client, field: str, moment: str) -> None:
    assert client.get("/flow/entity/order/4711", {field: moment}).status_code in (200, 400)


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize("snapshot", ["1:0:", "5:9:3", "5:9:7,6", "9" * 30 + ":1:", "1:2:x", ""])
def test_a_forged_cursor_is_a_400(client: Client, snapshot: str) -> None:
    from timeline.asked import Cursor

    forged = Cursor(snapshot, "c-" + T1.hex()).text()
    assert client.get("/flow/entity/order/4711", {"cursor": forged}).status_code == 400
    unknown = Cursor("1:9:", "l-" + "0" * 32).text()
    assert client.get("/flow/entity/order/4711", {"cursor": unknown}).status_code == 400


@pytest.mark.usefixtures("clean_store")
@pytest.mark.parametrize(
    "path",
    ["entity/order/none", "workflow/checkout/1", "request/trace/" + "0" * 32, "request/trace/x", "kin/a/b"],
)
def test_an_unknown_flow_is_a_404_that_offers_to_look(client: Client, path: str) -> None:
    for form in ("html", "json", "txt", "md"):
        response = client.get(f"/flow/{path}", {"format": form})
        assert response.status_code == 404
        assert "/find" in response.content.decode()


@pytest.mark.usefixtures("clean_store")
@pytest.mark.parametrize("given, led_to", [
    ("ABCDEF0123456789abcdef0123456789", "/flow/request/trace/abcdef0123456789abcdef0123456789"),
    ("abcdef0123456789", "/flow/request/trace/0000000000000000abcdef0123456789"),
])  # fmt: skip
def test_a_trace_leads_to_its_request(client: Client, given: str, led_to: str) -> None:
    assert client.get(f"/trace/{given}").headers["Location"] == led_to
    assert client.get("/trace/xyz").status_code == 404


@pytest.mark.usefixtures("order")
def test_the_text_forms_fit_and_say_the_same(client: Client) -> None:
    text = client.get("/flow/entity/order/4711?format=txt").content.decode()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "First error: billing, card declined at 2026-11-18 11:06:40." in " ".join(text.split())
    assert text.count("§") == 5
    markdown = client.get("/flow/entity/order/4711?format=md").content.decode()
    assert markdown.startswith("### [order 4711")
    assert "```" in markdown


def test_records_of_several_days_and_services_without_traces(client: Client, store: Store) -> None:
    days = [0, DAY_NS // MS, 2 * DAY_NS // MS]
    store.put(
        batch(
            *(
                service.log(f"day {n}", ms, attributes=ORDER)
                for service in (shop, wms)
                for n, ms in enumerate(days)
            )
        )
    )
    answer = get(client, "/flow/entity/order/4711")
    assert answer["flow"]["chapters"] == 6 == len([row for row in answer["rows"] if row["row"] == "chapter"])
    assert all(row["trace_id"] is None and row["span_id"] is None for row in answer["rows"])


@pytest.mark.usefixtures("order")
@pytest.mark.parametrize(
    "query",
    [
        {},
        {"record": f"e-{T1.hex()}-{order_4711()[1].span_id.hex()}-0"},
        {"only": "errors", "from": str(BASE_NS)},
    ],
)
def test_the_page_is_strict_html_without_style_or_script_in_it(client: Client, query: dict[str, str]) -> None:
    for address in ("/flow/entity/order/4711", f"/flow/request/trace/{T1.hex()}"):
        page = client.get(address, query).content.decode()
        html5lib.HTMLParser(strict=True).parse(page)
        assert " style=" not in page
        assert "<script>" not in page
        assert " onclick" not in page


@pytest.mark.usefixtures("order")
def test_a_page_asks_the_database_a_fixed_number_of_times(
    client: Client, store: Store, django_assert_max_num_queries: Any
) -> None:
    store.put(
        batch(*(shop.span("poll", n * 1000, 5, trace=trace_id(f"p{n}"), attributes=ORDER) for n in range(60)))
    )
    client.get("/flow/entity/order/4711")  # What is kept for all pages is asked for once.
    with django_assert_max_num_queries(27):
        client.get("/flow/entity/order/4711")


def test_a_very_large_flow_is_read_chapter_by_chapter(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(batch(*order_4711()))
    monkeypatch.setattr("timeline.queries.story.HEAVY", 3)
    folded = get(client, "/flow/entity/order/4711")
    assert [row["row"] for row in folded["rows"]] == ["chapter"] * 5
    assert folded["flow"]["related"] is None
    chapter = folded["rows"][0]["id"]
    opened = get(client, "/flow/entity/order/4711", open=chapter)
    assert outline(opened["rows"])[:3] == ["chapter POST /orders", "  span POST /orders", "    span validate"]
    assert opened["total_rows"] == 5 + 8
    assert len(every_row(client, "/flow/entity/order/4711", 4, expand="all")) == 18
    monkeypatch.setattr("timeline.queries.story.MOST", 3)
    cut = get(client, "/flow/entity/order/4711", expand="all")
    assert cut["trust"]["truncated"]
    assert "too large to show whole" in client.get("/flow/entity/order/4711?expand=all").content.decode()
    assert client.get("/flow/entity/order/4711").status_code == 200


def test_a_version_without_the_key_is_related(client: Client, store: Store) -> None:
    first = shop.span("task", 0, 5, id="task", attributes=ORDER)
    store.put(
        batch(
            first, shop.span("task", 10, 5, id="task"), shop.span("task", 20, 5, id="task", attributes=ORDER)
        )
    )
    flow = get(client, "/flow/entity/order/4711")["flow"]
    assert (flow["spans"], flow["related"]) == (2, 1)


def test_a_summary_outlives_its_records(client: Client, store: Store) -> None:
    from django.db import connection

    store.put(batch(*order_4711()))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE span, log, member, request, link")
    rows = get(client, "/flow/entity/order/4711")["rows"]
    assert outline(rows)[:3] == ["chapter trace " + T1.hex()[:8], "  transition paid", "  transition created"]
    assert len(rows) == 5 + 3
    assert rows[0]["marks"] == ["its records are no longer kept"]
    assert rows[0]["duration"] == str(1240 * MS)
    assert client.get("/flow/entity/order/4711").status_code == 200


@pytest.mark.parametrize(
    "path, key",
    [
        ("order/a/b", "a/b"), ("order/a%2Fb", "a/b"), ("order/a%252Fb", "a%2Fb"), ("order/a.b/", "a.b/"),
        ("order/%C3%BC+1", "ü+1"), ("order//x", "/x"), ("order/x//y", "x//y"),
    ],
)  # fmt: skip
def test_the_real_server_reads_the_address_as_it_was_sent(
    served: str, store: Store, path: str, key: str
) -> None:
    store.put(batch(shop.span("work", 0, 1, attributes={"order.id": key})))
    assert as_json(served, f"/flow/entity/{path}")["flow"]["key"] == key
    page = ask(served, f"/flow/entity/{path}?only=logs")[2].decode()
    assert f'href="/flow/entity/{path}?only=errors' in page or f'href="/flow/entity/{path}"' in page


def test_a_type_may_hold_a_slash(served: str, store: Store) -> None:
    told = {"workflow.id": "1", "workflow.type": "import/orders"}
    store.put(batch(shop.span("work", 0, 1, attributes=told)))
    assert as_json(served, "/flow/workflow/import%2Forders/1")["flow"]["type"] == "import/orders"


@pytest.mark.usefixtures("order")
def test_requests_lead_to_the_requests_they_link_with(client: Client) -> None:
    producer = client.get(f"/flow/request/trace/{T1.hex()}").content.decode()
    assert f'<a href="/flow/request/trace/{T2.hex()}" hx-boost="false">→ consume order.paid</a>' in producer
    consumer = client.get(f"/flow/request/trace/{T2.hex()}").content.decode()
    assert f'<a href="/flow/request/trace/{T1.hex()}" hx-boost="false">← POST /orders</a>' in consumer


def test_a_failure_below_what_carries_the_key_is_shown(client: Client, store: Store) -> None:
    handle = shop.span("handle", 0, 9, attributes=ORDER)
    store.put(batch(handle, billing.span("charge", 1, 5, parent=handle, status=2, message="declined")))
    answer = get(client, "/flow/entity/order/4711")
    assert (answer["flow"]["errors"], answer["rows"][0]["status"]) == (0, "error")
    page = client.get("/flow/entity/order/4711").content.decode()
    assert "First error: billing, charge: declined" in page
    assert "errors with their path" in page


def test_an_exception_told_twice_is_one_row_until_opened(client: Client, store: Store) -> None:
    told = {"exception.type": "Declined", "exception.message": "no"}
    pay = shop.span(
        "pay",
        0,
        9,
        status=2,
        attributes=ORDER,
        events=[event("exception", 5, **{k.replace(".", "__"): v for k, v in told.items()})],
    )
    store.put(
        batch(
            pay,
            shop.log("declined", 6, span=pay, severity=17, attributes=told),
            shop.log("other", 7, span=pay, severity=17),
        )
    )
    answer = get(client, "/flow/entity/order/4711")
    assert outline(answer["rows"]) == ["chapter pay", "  span pay", "    event exception", "    log other"]
    assert answer["rows"][2]["marks"] == ["told again by a log"]
    whole = get(client, "/flow/entity/order/4711", expand="all")["rows"]
    assert outline(whole)[2:] == ["    event exception", "      log declined", "    log other"]
    assert len(get(client, "/flow/entity/order/4711", open=whole[2]["id"])["rows"]) == 5
    assert "log declined" in "".join(outline(get(client, "/flow/entity/order/4711", only="logs")["rows"]))
    assert len(every_row(client, f"/flow/request/trace/{T1.hex()}", 2, expand="all")) == 4


def test_a_state_said_again_holds_since_it_was_first_said(client: Client, store: Store) -> None:
    paid = {**ORDER, "order.state": "paid"}
    store.put(batch(shop.span("pay", 0, 1, attributes=paid), shop.span("ask", HOUR, 1, attributes=paid)))
    assert (
        "Paid since 2026-11-18 11:06:40, says shop."
        in client.get("/flow/entity/order/4711?format=txt").content.decode()
    )


@pytest.mark.parametrize(
    "odd",
    [
        shop.log(tag_text("bad \ud800 body"), 0, attributes=ORDER),
        shop.log(tag_map({"k\ud800": "v"}), 0, attributes=ORDER),
        shop.span("s", 0, 1, attributes={**ORDER, "note": LONE}),
        shop.span("s", 0, 1, attributes=ORDER, events=[event("exception", 0, exception__message=LONE)]),
    ],
    ids=["body", "key", "attribute", "exception"],
)
def test_a_lone_surrogate_costs_only_its_own_letter(client: Client, store: Store, odd: Span | Log) -> None:
    """JSON from a sender can hold one; in JSON it comes back, and elsewhere it is written out."""
    store.put(batch(odd))
    own = (
        f"/record/{odd.trace_id.hex()}/{odd.span_id.hex()}"
        if isinstance(odd, Span)
        else f"/record/log/{odd.log_id.hex()}"
    )
    for path in ("/flow/entity/order/4711", own):
        for form in ("", "json", "txt", "md"):
            answer = client.get(path, {"format": form, "expand": "all"})
            assert answer.status_code == 200, (path, form)
    assert r"\ud800" in json.dumps(client.get(own, {"format": "json"}).json())


@pytest.mark.parametrize(("low", "high"), [("0", ""), ("1", ""), ("", "18446744073709551615"), ("-5", "")])
def test_a_window_takes_any_nanoseconds(client: Client, store: Store, low: str, high: str) -> None:
    store.put(batch(shop.span("s", 0, 1, attributes=ORDER)))
    answer = client.get("/flow/entity/order/4711", {"from": low, "to": high, "format": "json"})
    assert (answer.status_code, answer.json()["total_rows"]) == (200, 2)


def test_a_key_of_several_lines_has_an_address(client: Client, store: Store) -> None:
    store.put(batch(shop.span("s", 0, 1, attributes={"order.id": "a\nb"})))
    target = client.get("/find", {"q": "a\nb"}).headers["Location"]
    assert client.get(target).status_code == 200


def test_paging_goes_on_after_a_service_with_a_long_name(client: Client, store: Store) -> None:
    long = Service("語" * 255)
    store.put(batch(*(long.log(f"l{n}", n, attributes=ORDER) for n in range(3))))
    seen, cursor = [], ""
    while cursor is not None:
        query = {"format": "json", "limit": "1", "cursor": cursor}
        answer = client.get("/flow/entity/order/4711", query)
        assert answer.status_code == 200
        seen += [row["id"] for row in answer.json()["rows"]]
        cursor = answer.json()["next"]
    assert len(set(seen)) == len(seen) == 4


@pytest.mark.parametrize("length", [100, 30_000])
def test_a_long_body_reads_as_text(client: Client, store: Store, length: int) -> None:
    store.put(batch(shop.log('first "line"\n' + "y" * length, 0, attributes=ORDER)))
    row = client.get("/flow/entity/order/4711", {"format": "json"}).json()["rows"][-1]
    assert row["name"] == 'first "line"'
    assert row["text"].startswith('first "line"\ny')


def test_counts_of_failures_agree_with_the_rows(client: Client, store: Store) -> None:
    """An exception of a span that itself did not fail is a failure too, below the order as in it."""
    place = shop.span("place", 0, 9, attributes=ORDER)
    told = [event("exception", 2, exception__type="Jam", exception__message="tray 2")]
    below = shop.span("print", 1, 2, parent=place, events=told)
    store.put(batch(place, below, shop.span("bill", 4, 1, parent=place, status=2)))
    page = client.get("/flow/entity/order/4711").content.decode()
    assert "errors with their path · 2" in page
    assert "First error: shop, print: Jam: tray 2" in page
    rows = client.get("/flow/entity/order/4711", {"only": "errors", "format": "json"}).json()["rows"]
    assert sum(row["status"] == "error" and row["row"] != "chapter" for row in rows) == 2
