"""Find in a flow, and the filters of its page with their counts: from stored records to rows, marks and links."""

import re
from typing import Any

import pytest
from django.test import Client

from tests.builders import T2, T3, Service, batch, event
from tests.test_flow_work import page, told
from tracing.storing import Store

ORDER = {"order.id": "1"}
shop, billing = Service("shop"), Service("billing")
TEXTS = {
    "by name": "POST /pay",
    "in other letters": "post /PAY",
    "by a value": "visa ending",
    "by an attribute's name": "card.brand",
    "by a number": "4242",
    "by a status message": "issuer said no",
    "a quote": 'said "no"',
    "a backslash": "c:\\till",
    "a percent sign is itself": "100%",
    "an underscore is itself": "till_7",
    "other letters": "Zürich 東京",
}


@pytest.fixture
def paid(store: Store) -> None:
    root = shop.span("checkout", 0, 900, kind=2, attributes=ORDER)
    pay = billing.span(
        "POST /pay", 10, 100, parent=root, id="pay", kind=3, status=2,
        message='issuer said no, he said "no"',
        attributes={
            "card.brand": "visa ending 4242", "path": "c:\\till", "share": "100%", "till": "till_7",
            "city": "Zürich 東京",
        },
        events=[event("retry scheduled", 50, reason="backoff"), event("gave up", 90)],
    )  # fmt: skip
    other = shop.span("render", 200, 20, parent=root, attributes={"template": "till17.html"})
    later = shop.span("mail", 5_000, 20, trace=T2, attributes=ORDER)
    store.put(
        batch(
            root,
            pay,
            other,
            later,
            shop.log("card was declined", 95, span=pay, severity=17),
            shop.log({"reason": {"code": "E-77"}}, 96, span=pay, severity=9),
            shop.log("queue is long", 97, span=root, severity=13),
            shop.log("order kept aside", 99, trace=None, attributes=ORDER),
        )
    )


def names(rows: list[dict[str, Any]], field: str = "hits") -> list[str]:
    return [row["name"] for row in rows if row[field]]


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_span_is_found(client: Client, text: str) -> None:
    answer = client.get("/flow/entity/order/1", {"format": "json", "find": text}).json()
    assert (names(answer["rows"]), answer["found"]) == (["POST /pay"], 1)


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("declined", ["card was declined"]),
        ("E-77", ['{"reason":{"code":"E-77"}}']),
        ("backoff", ["retry scheduled"]),
        ("GAVE UP", ["gave up"]),
        ("kept aside", ["order kept aside"]),
        ("till", ["POST /pay", "render"]),
        ("nowhere", []),
        ("timestamp", []),
        ("time", []),  # a word of how it is stored, not of what was sent
    ],
)
def test_events_and_logs_are_found(client: Client, text: str, expected: list[str]) -> None:
    answer = told(client, f"&find={text}")
    assert names(answer["rows"]) == expected
    assert answer["found"] == len(expected)


@pytest.mark.usefixtures("paid")
def test_what_is_found_is_marked_and_leads_on(client: Client) -> None:
    text = page(client, "find=till")
    assert "2 matches" in text
    assert len(re.findall(r'class="band row span[^"]* hit', text)) == 2
    assert 'class="found"' in text
    assert 'data-seek="previous"' not in text
    first = re.search(r'href="([^"]+)" data-seek="next"', text)
    assert first is not None
    opened = page(client, first[1].split("?", 1)[1].replace("&amp;", "&"))
    assert "1 of 2 matches" in opened and "card.brand" in opened
    assert 'data-seek="previous"' not in opened and 'data-seek="next"' in opened
    assert "nothing matches" in page(client, "find=nowhere")


@pytest.mark.usefixtures("paid")
def test_only_matches_with_their_path(client: Client) -> None:
    rows = told(client, "&find=render&only=hits")["rows"]
    assert [row["name"] for row in rows if row["row"] == "span"] == ["checkout", "render"]
    assert told(client, "&only=hits")["rows"] == []


@pytest.mark.usefixtures("paid")
def test_a_folded_chapter_says_how_much_was_found_in_it(client: Client) -> None:
    found = told(client, "&find=till")["rows"][0]
    assert found["row"] == "chapter"
    text = page(client, f"find=till&fold={found['id']}")
    assert "2 found" in text


def test_a_hit_far_down_is_in_the_window_that_opens(client: Client, store: Store) -> None:
    root = shop.span("long", 0, 60_000, trace=T3)
    steps = [shop.span(f"step {n}", n * 10, 5, trace=T3, id=f"s{n}", parent=root) for n in range(1, 900)]
    store.put(batch(root, *steps))
    path = f"/flow/request/trace/{T3.hex()}"
    found = told(client, "&find=step 777&limit=100", path)
    assert "step 777" in [row["name"] for row in found["rows"]]
    assert len(found["rows"]) == 100


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("kind=server", ["checkout"]),
        ("kind=server&kind=client", ["checkout", "POST /pay"]),
        ("status=error", ["checkout", "POST /pay"]),
        ("status=unset", ["checkout", "render", "mail"]),
        ("level=warn", ["checkout", "POST /pay", "card was declined", "queue is long"]),
        ("level=error", ["checkout", "POST /pay", "card was declined"]),
    ],
)
def test_filters_keep_what_matches_and_the_path_to_it(
    client: Client, query: str, expected: list[str]
) -> None:
    rows = told(client, f"&{query}")["rows"]
    assert [row["name"] for row in rows if row["row"] != "chapter"] == expected


@pytest.mark.usefixtures("paid")
@pytest.mark.parametrize("query", ["kind=queue", "status=bad", "level=loud", "trust=me", "only=cats"])
def test_a_filter_that_does_not_exist_is_said(client: Client, query: str) -> None:
    answer = client.get(f"/flow/entity/order/1?format=json&{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.content.decode()


@pytest.mark.usefixtures("paid")
def test_menus_count_what_there_is(client: Client) -> None:
    text = re.sub(r"<[^>]+>", " ", page(client))
    said = " ".join(text.split())
    assert "services ▾ billing 3 shop 7 kinds ▾ internal 2 server 1 client 1 status ▾ unset 3 error 1" in said
    assert "severity ▾ info and above 4 warn and above 2 error and above 1" in said


def test_the_trust_line_leads_to_the_rows_behind_it(client: Client, store: Store) -> None:
    root = shop.span("checkout", 0, 900, attributes=ORDER, dropped=3)
    lost = shop.span("lost", 100, 10, parent=b"nobodyxx", attributes=ORDER)
    twice = [shop.span("twice", 200, took, id="twice", parent=root, attributes=ORDER) for took in (10, 20)]
    loose = shop.log("on its own", 50, trace=root.trace_id, attributes=ORDER)
    store.put(batch(root, lost, *twice, loose))
    text = page(client)
    links = re.findall(r'<a class="(?:doubt)?" href="[^"]*trust=(\w+)[^"]*">([^<]+)<', text)
    assert links == [
        ("orphans", "1 span whose parent never came"),
        ("dropped", "3 values dropped by their senders"),
        ("unattached", "1 log without a span"),
        ("versions", "1 further version of a span"),
    ]

    def kept(word: str) -> list[str]:
        return [row["name"] for row in told(client, f"&trust={word}")["rows"] if row["row"] != "chapter"]

    assert kept("orphans") == ["lost"]
    assert kept("dropped") == ["checkout"]
    assert kept("unattached") == ["on its own"]
    assert kept("versions") == ["checkout", "twice", "twice"]
    assert "1 span whose parent never came ✕" in page(client, "trust=orphans")
