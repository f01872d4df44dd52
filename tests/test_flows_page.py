"""`/flows` as its readers use it: filters, order, pages, the chart, and the forms for programs and terminals."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from tests.builders import BASE_NS, Service, batch, trace_id
from tests.shop import fill
from timeline.columns import columns
from timeline.queries import chart as charts
from timeline.queries import windows
from timeline.question import Question
from tracing.people import TypeSettings
from tracing.storing import Store

MINUTE_NS = 60_000_000_000


@pytest.fixture
def shop(store: Store) -> None:
    fill(store)


def listed(client: Client, **query: str) -> list[str]:
    """Titles of the flows that a question lists, in order."""
    answer = client.get("/flows", {"format": "json"} | query).json()
    return [told(flow) for flow in answer["flows"]]


def told(flow: dict[str, Any]) -> str:
    where = flow["environment"]
    return str(flow["title"]) if where == "production" else f"{flow['title']} ({where})"


ALL = ["onboarding run-1", "order 4712 (staging)", "order 4712", "payment pay/1 ü", "order 4711"]


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({}, ALL),
        ({"kind": "workflow"}, ALL[:1]),
        ({"kind": "entity"}, ALL[1:]),
        ({"type": "order"}, ["order 4712 (staging)", "order 4712", "order 4711"]),
        ({"type": "nothing"}, []),
        ({"env": "staging"}, ["order 4712 (staging)"]),
        ({"service": "billing"}, ["payment pay/1 ü", "order 4711"]),
        ({"status": "error"}, ["order 4711"]),
        ({"status": "open"}, []),
        ({"state": "paid"}, ["order 4711"]),
        ({"q": "4711"}, ["order 4711"]),
        ({"q": "ORDER 47"}, ["order 4712 (staging)", "order 4712", "order 4711"]),
        ({"q": "ü"}, ["payment pay/1 ü"]),
        ({"q": "100%"}, []),
        ({"q": "_"}, []),
        ({"q": "order.state=paid"}, ["payment pay/1 ü", "order 4711"]),
        ({"q": "order.state=paid", "type": "payment"}, ["payment pay/1 ü"]),
        ({"q": "order.state=created order"}, ["order 4711"]),
        ({"q": 'http.route="/x y"'}, ["order 4711"]),
        ({"q": "amount=42"}, ["order 4711"]),
        ({"q": "exception.type=Declined"}, ["order 4711"]),
        ({"q": "service.name=billing"}, ["payment pay/1 ü", "order 4711"]),
        ({"q": "order.state=lost"}, []),
    ],
)
def test_filters(client: Client, shop: None, query: dict[str, str], titles: list[str]) -> None:
    assert sorted(listed(client, **query)) == sorted(titles)


def test_a_state_is_the_owners_where_the_type_has_one_that_speaks(client: Client, store: Store) -> None:
    def say(key: str, seconds: int, system: str, state: str) -> None:
        said = {"order.id": key, "order.state": state}
        name = f"{key} {system}"
        store.put(batch(Service(system).span(name, seconds * 1000, 5, trace=trace_id(name), attributes=said)))

    say("both", 0, "shop", "cancelled")
    say("both", 9, "wms", "shipped")
    say("alone", 9, "wms", "shipped")
    shown = [(state, sorted(listed(client, state=state))) for state in ("cancelled", "shipped")]
    assert shown == [("cancelled", []), ("shipped", ["order alone", "order both"])]
    TypeSettings.objects.create(type="order", owner="shop")
    shown = [(state, sorted(listed(client, state=state))) for state in ("cancelled", "shipped")]
    assert shown == [("cancelled", ["order both"]), ("shipped", ["order alone"])]


def test_newest_activity_comes_first(client: Client, shop: None) -> None:
    assert listed(client) == ALL


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"kind": "request", "status": "open"}, ["trace " + trace_id("lost").hex()]),
        ({"kind": "request", "q": "payments"}, ["POST /payments"]),
        ({"kind": "request", "env": "staging"}, ["POST /orders (staging)"]),
        ({"kind": "request", "status": "error"}, []),
        ({"kind": "request", "q": trace_id("paid").hex()[:10]}, ["POST /payments"]),
        ({"kind": "request", "q": "amount=42"}, ["POST /orders"]),
        ({"kind": "request", "type": "order"}, []),
    ],
)
def test_requests(client: Client, shop: None, query: dict[str, str], titles: list[str]) -> None:
    assert listed(client, **query) == titles


def test_a_range_takes_what_was_last_active_in_it(client: Client, shop: None) -> None:
    at_ns = BASE_NS + 2 * 3_600_000_000_000
    at = datetime.fromtimestamp(at_ns / 1e9, UTC)
    berlin = at.astimezone(ZoneInfo("Europe/Berlin"))
    for written in (str(at_ns), f"{at:%Y-%m-%dT%H:%M:%SZ}", str(berlin)):
        assert listed(client, **{"from": written})[-1] == "order 4712"
    assert listed(client, **{"from": str(at_ns), "to": str(at_ns + MINUTE_NS)}) == ["order 4712"]
    client.cookies["tz"] = "Europe/Berlin"
    assert listed(client, **{"from": f"{berlin:%Y-%m-%d %H:%M}"})[-1] == "order 4712"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "thing"),
        ("status", "bad"),
        ("from", "yesterday"),
        ("to", "2026-13-01"),
        ("limit", "0"),
        ("limit", "501"),
        ("limit", "x"),
        ("cursor", "x"),
        ("cursor", "1.abc"),
        ("format", "xml"),
        ("q", "a" * 401),
        ("q", "a b c d e f g h i"),
        ("type", "t" * 201),
        ("q", "a\x00b"),
    ],
)
def test_a_bad_filter_is_named(client: Client, clean_store: None, field: str, value: str) -> None:
    page = client.get("/flows", {field: value})
    assert page.status_code == 400
    assert f"<b>{field}:</b>" in page.content.decode()
    if field != "format":
        told = client.get("/flows", {field: value, "format": "json"})
        assert (told.status_code, told.json()["field"]) == (400, field)
        assert told.json()["sentence"].endswith(".")


def test_a_range_that_ends_before_it_begins(client: Client, clean_store: None) -> None:
    answer = client.get("/flows", {"from": "2026-11-21", "to": "2026-11-20", "format": "json"})
    assert (answer.status_code, answer.json()["field"]) == (400, "to")


@pytest.mark.parametrize("kind", ["", "request"])
@pytest.mark.parametrize("q", ["", "o"])
def test_pages_hold_each_flow_once(client: Client, store: Store, kind: str, q: str) -> None:
    shop = Service("shop")
    # Several share a minute, so the order needs the ids too.
    store.put(
        batch(
            *(
                shop.span(
                    "o",
                    number * 7_000,
                    5,
                    trace=trace_id(f"p{number}"),
                    attributes={"order.id": f"k{number}"},
                )
                for number in range(53)
            )
        )
    )
    whole = client.get("/flows", {"format": "json", "kind": kind, "q": q, "limit": "500"}).json()
    assert len(whole["flows"]) == 53 and whole["next"] is None
    keys, cursor = [], ""
    for _ in range(20):
        answer = client.get(
            "/flows", {"format": "json", "kind": kind, "q": q, "limit": "10", "cursor": cursor}
        ).json()
        keys += [flow["key"] for flow in answer["flows"]]
        cursor = answer["next"]
        if cursor is None:
            break
    assert keys == [flow["key"] for flow in whole["flows"]]


def test_a_trace_over_two_days_is_listed_once(client: Client, store: Store) -> None:
    shop, day_ms = Service("shop"), 86_400_000
    long = shop.span("long", 0, 5, trace=trace_id("long"))
    store.put(batch(long, shop.span("again", day_ms, 5, trace=trace_id("long"), parent=long, status=2)))
    store.put(batch(shop.span("between", day_ms // 2, 5, trace=trace_id("between"))))
    failing = shop.span("failing", day_ms // 3, 5, trace=trace_id("failing"), status=2)
    store.put(batch(failing, shop.span("rest", day_ms // 4, 5, trace=trace_id("failing"), parent=failing)))
    for limit in ("500", "1"):
        titles, cursor = [], ""
        while cursor is not None:
            query = {"format": "json", "kind": "request", "limit": limit, "cursor": cursor}
            answer = client.get("/flows", query).json()
            titles += [(flow["title"], flow["spans"], flow["status"]) for flow in answer["flows"]]
            cursor = answer["next"]
        assert titles == [("long", 2, "ok"), ("between", 1, "ok"), ("failing", 2, "error")]


def test_a_rare_match_is_cut_and_can_be_searched_on(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOWS", (3,))
    monkeypatch.setattr(windows, "TIME_LIMIT_S", 0)
    shop = Service("shop")
    store.put(
        batch(
            *(
                shop.span(
                    "o",
                    number * 60_000,
                    5,
                    trace=trace_id(f"c{number}"),
                    attributes={"order.id": f"k{number}"},
                )
                for number in range(10)
            )
        )
    )
    page = client.get("/flows", {"q": "k0"}).content.decode()
    assert "Searched back to" in page and "Search on" in page and ">order k0<" not in page
    cursor: str | None = ""
    found, questions = [], 0
    while cursor is not None:
        answer = client.get("/flows", {"format": "json", "q": "k0", "cursor": cursor}).json()
        found += [flow["key"] for flow in answer["flows"]]
        cursor, questions = answer["next"], questions + 1
    assert found == ["k0"] and questions > 1


def test_a_whole_key_is_shown_at_once_however_old_and_only_once(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOWS", (3,))
    monkeypatch.setattr(windows, "TIME_LIMIT_S", 0)
    shop, keys = (
        Service("shop"),
        ["k100", "k1001", "xk100", *(f"new{number}" for number in range(8)), "k100new"],
    )
    store.put(
        batch(
            *(
                shop.span("o", number * 60_000, 5, trace=trace_id(key), attributes={"order.id": key})
                for number, key in enumerate(keys)
            )
        )
    )
    found: list[list[str]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = client.get("/flows", {"format": "json", "q": "k100", "cursor": cursor}).json()
        found.append([flow["key"] for flow in answer["flows"]])
        cursor = answer["next"]
    assert found[0] == ["k100new", "k1001", "k100"]
    assert [key for keys in found[1:] for key in keys] == ["xk100"]


def test_the_flow_object_holds_every_field_of_the_contract(client: Client, shop: None) -> None:
    flow = client.get("/flows", {"format": "json", "q": "4711"}).json()["flows"][0]
    assert flow == {
        "kind": "entity",
        "type": "order",
        "key": "4711",
        "environment": "production",
        "title": "order 4711",
        "url": "http://127.0.0.1:8000/flow/entity/order/4711",
        "status": "error",
        "state": "paid",
        "state_since": str(BASE_NS + 3_600_200_000_000),
        "step": "POST /payments",
        "step_at": "1795003600000000000",
        "verdict": None,
        "waiting_for": None,
        "first": str(BASE_NS),
        "last": str(BASE_NS + 3_600_200_000_000),
        "spans": 2,
        "events": 0,
        "logs": 1,
        "errors": 1,
        "related": None,
        "retries": 0,
        "chapters": 3,
        "retained": "all",
        "services": ["billing", "shop"],
        "systems": [
            {"system": "billing", "state": "paid", "since": str(BASE_NS + 3_600_200_000_000)},
            {"system": "shop", "state": "created", "since": str(BASE_NS + 900_000_000)},
        ],
        "problems": [],
    }


@pytest.mark.parametrize(("form", "start"), [("txt", "● onboarding run-1"), ("md", "| flow |")])
def test_text_forms(client: Client, shop: None, form: str, start: str) -> None:
    answer = client.get("/flows", {"format": form})
    text = answer.content.decode()
    assert text.startswith(start) and "order 4711" in text
    if form == "txt":
        assert max(map(len, text.splitlines())) <= 100


def test_a_key_of_wide_letters_stays_within_a_hundred_columns(client: Client, store: Store) -> None:
    attributes = {"order.id": "注文" * 40, "order.state": "発送" * 20}
    store.put(batch(Service("店" * 60).span("o", 0, 1, attributes=attributes)))
    lines = client.get("/flows", {"format": "txt"}).content.decode().splitlines()
    assert max(map(columns, lines)) <= 100 and "注文注文" in lines[0]


def test_markdown_cannot_be_broken_by_a_key(client: Client, store: Store) -> None:
    store.put(batch(Service("shop").span("o", 0, 1, attributes={"order.id": "a|b](http://evil)\n<script>`"})))
    row = client.get("/flows", {"format": "md"}).content.decode().splitlines()[2]
    assert "\\|b\\](" in row and r"\<script\>" in row and row.count(" | ") == 7


def test_bars_count_what_their_links_list(client: Client, shop: None) -> None:
    drawn = charts.chart(Question())
    assert drawn is not None and not drawn.estimated
    assert sum(drawn.counts) == 5 and sum(drawn.failing) == 1
    for index, count in enumerate(drawn.counts):
        begin = (drawn.first + index * drawn.width) * MINUTE_NS
        bar = {"from": str(begin), "to": str(begin + drawn.width * MINUTE_NS)}
        assert len(listed(client, **bar)) == count
    assert f"from={drawn.first * MINUTE_NS}" in client.get("/flows").content.decode()


TWO_DAYS = {
    # title: first day, second day as (is a root, status), and what the trace is
    "fine": ((True, 1), (False, 2), "ok"),  # its root decides, whatever failed below
    "failed below": ((True, 0), (False, 2), "ok"),
    "failed root": ((True, 2), (False, 0), "error"),
    "plain": ((True, 0), (False, 0), "ok"),
    "lost": ((False, 2), (False, 0), "open"),
    "rooted later": ((False, 0), (True, 0), "ok"),
    "failed at last": ((True, 0), (True, 2), "ok"),  # its first root
}


@pytest.mark.parametrize("status", ["ok", "error", "open"])
@pytest.mark.parametrize("width", [1_440, 4 * 1_440])
def test_bars_of_requests_count_what_they_list_over_all_days_of_a_trace(
    client: Client, store: Store, monkeypatch: pytest.MonkeyPatch, status: str, width: int
) -> None:
    monkeypatch.setattr(charts, "WIDTHS", (width,))
    shop, parent = Service("shop"), bytes(7) + b"\x01"
    for title, (*days, _) in TWO_DAYS.items():
        for day, (is_root, code) in enumerate(days):
            above = None if is_root else parent
            name = f"{title} {day}"
            store.put(
                batch(shop.span(name, day * 86_400_000, 5, trace=trace_id(title), parent=above, status=code))
            )
    ids = {trace_id(title).hex(): is_status for title, (*_, is_status) in TWO_DAYS.items()}
    query = {"kind": "request", "status": status, "format": "json"}
    flows = client.get("/flows", query).json()["flows"]
    assert sorted(flow["key"] for flow in flows) == sorted(key for key, told in ids.items() if told == status)
    drawn = charts.chart(Question(kind="request", status=status))
    assert drawn is not None and sum(drawn.counts) > 0
    for index, count in enumerate(drawn.counts):
        begin = (drawn.first + index * drawn.width) * MINUTE_NS
        bar = {"from": str(begin), "to": str(begin + drawn.width * MINUTE_NS)}
        assert len(client.get("/flows", query | bar).json()["flows"]) == count


def test_a_large_range_is_estimated_and_says_so(
    client: Client, shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(charts, "EXACT_ROWS", 2)
    monkeypatch.setattr(charts, "_share", lambda table, pages: 0.9999)
    drawn = charts.chart(Question())
    assert drawn is not None and drawn.estimated
    assert "estimated from a sample" in client.get("/flows").content.decode()


def test_the_part_for_htmx_is_the_list_alone(client: Client, shop: None) -> None:
    part = client.get("/flows", headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode() and "order 4711" in part.content.decode()
    assert "HX-Request" in part.headers["Vary"]
    back = client.get("/flows", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in back.content.decode()


@pytest.mark.parametrize("path", ["/flows", "/flows?kind=request", "/flows?status=error", "/", "/find?q=47"])
def test_queries_do_not_grow_with_the_list(
    client: Client, store: Store, path: str, django_assert_max_num_queries: Any
) -> None:
    fill(store)
    with django_assert_max_num_queries(16) as few:
        client.get(path)
    shop = Service("shop")
    store.put(
        batch(
            *(
                shop.span(
                    "o",
                    number,
                    5,
                    status=2,
                    trace=trace_id(f"q{number}"),
                    attributes={"order.id": f"o{number}"},
                )
                for number in range(60)
            )
        )
    )
    with django_assert_max_num_queries(len(few)):
        client.get(path)


def test_empty_pages_teach(client: Client, clean_store: None) -> None:
    assert "how to send" in client.get("/flows").content.decode().lower()
    assert "/v1/traces" in client.get("/").content.decode()
    assert "No flow matches" in client.get("/flows", {"q": "x"}).content.decode()
