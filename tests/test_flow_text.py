"""A flow as text and Markdown: printable, within its columns, one fence, and naming the other environments."""

import json
import re
from unicodedata import east_asian_width

import pytest
from django.test import Client

from tests.builders import T2, T3, Service, batch, event
from timeline.text import coded
from tracing.storing import Store

shop = Service("shop")
ORDER = {"order.id": "1"}
ORDER_PATH = "/flow/entity/order/1"
EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
LONG = "長い" * 90 + "x" * 230


def told(client: Client, path: str, form: str) -> str:
    response = client.get(path, {"format": form})
    assert response.status_code == 200
    return response.content.decode()


def columns(line: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in line)


def fail(store: Store, message: str, name: str = "pay", **attributes: str) -> None:
    failed = event("exception", 4, exception__type="Declined", exception__message=message)
    store.put(
        batch(
            shop.span(name, 0, 5, status=2, attributes={**ORDER, **attributes}, events=[failed], message="no")
        )
    )


@pytest.mark.parametrize("form", ["txt", "md"])
def test_nothing_a_sender_wrote_reaches_the_terminal_as_a_command(
    client: Client, store: Store, form: str
) -> None:
    fail(store, f"no{EVIL}", f"pay{EVIL}", **{"order.state": f"paid{EVIL}"})
    evil_order = Service("shop", f"staging{EVIL}")
    store.put(batch(evil_order.span("pay", 0, 1, trace=T2, attributes=ORDER)))
    text = told(client, ORDER_PATH, form)
    assert "Declined: no" in text.replace("\\", "")
    assert [line for line in text.splitlines() if not line.isprintable()] == []
    trace = re.findall(r"[0-9a-f]{32}", json.dumps(client.get(ORDER_PATH, {"format": "json"}).json()))[0]
    assert told(client, f"/flow/request/trace/{trace}", form).replace("\n", "").isprintable()


@pytest.mark.parametrize("form", ["json", "txt", "md"])
def test_what_is_not_found_is_said_in_printable_words(client: Client, clean_store: None, form: str) -> None:
    answer = client.get("/flow/entity/order/%1B%5B2J", {"format": form})
    assert answer.status_code == 404
    assert answer.content.decode().replace("\n", "").isprintable()


def test_a_record_as_text_holds_no_commands_either(client: Client, store: Store) -> None:
    pay = shop.span("pay", 0, 5, attributes={"note": EVIL})
    store.put(batch(pay))
    path = f"/record/{pay.trace_id.hex()}/{pay.span_id.hex()}"
    text = told(client, path, "txt")
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == json.loads(told(client, path, "json"))


def test_a_line_break_in_a_message_stays_within_its_line(client: Client, store: Store) -> None:
    fail(store, "no\r\n\n# Headline\n\n<b>bold</b> ~~gone~~ &lt;")
    text = told(client, ORDER_PATH, "md")
    assert "# Headline" not in text.splitlines()
    head = text.split("\n\n")[1]
    assert r"\# Headline" in head
    assert r"\<b\>bold\</b\> \~\~gone\~\~ \&lt;" in head


def test_no_line_is_wider_than_a_hundred_columns(client: Client, store: Store) -> None:
    fail(store, LONG, "pay " + LONG)
    text = told(client, ORDER_PATH, "txt")
    assert max(map(columns, text.splitlines())) <= 100
    assert LONG[:190] in text.replace("\n", "")


@pytest.mark.parametrize("run", ["```", "````", "`" * 30])
def test_backticks_in_a_row_do_not_end_the_block(client: Client, store: Store, run: str) -> None:
    fail(store, "no", f"{run} pay")
    lines = told(client, ORDER_PATH, "md").splitlines()
    fences = [place for place, line in enumerate(lines) if re.fullmatch("`{3,}", line)]
    assert len(fences) == 2
    assert len(lines[fences[0]]) > len(run)
    assert any(run in line for line in lines[fences[0] : fences[1]])


@pytest.fixture
def three(store: Store) -> list[str]:
    """The same order in the default environment and in two others; their links."""
    for service, trace in ((Service("shop", "a b/ü&x=1"), T2), (Service("shop", "order"), T3)):
        store.put(batch(service.span("pay", 0, 1, trace=trace, attributes=ORDER)))
    store.put(batch(shop.span("pay", 0, 1, attributes=ORDER)))
    return [f"{ORDER_PATH}?env=a%20b%2F%C3%BC%26x%3D1", f"{ORDER_PATH}?env=order"]


def test_the_page_leads_to_the_other_environments(client: Client, three: list[str]) -> None:
    page = client.get(ORDER_PATH).content.decode()
    led = re.findall(r'href="([^"]*)">also in ', page)
    assert sorted(led) == three
    for path, environment in zip(three, ("a b/ü&x=1", "order"), strict=True):
        assert client.get(f"{path}&format=json").json()["flow"]["environment"] == environment


def test_every_form_names_the_other_environments(client: Client, three: list[str]) -> None:
    others = client.get(ORDER_PATH, {"format": "json"}).json()["others"]
    assert sorted(other["environment"] for other in others) == ["a b/ü&x=1", "order"]
    for path in three:
        (link,) = [other["url"] for other in others if other["url"].endswith(path)]
        assert f": {link}\n" in told(client, ORDER_PATH, "txt")
        assert f"]({link})" in told(client, ORDER_PATH, "md")
    assert client.get(three[1] + "&format=json").json()["others"] == []


def asked(client: Client, query: str) -> str:
    return client.get(f"{ORDER_PATH}?{query}").content.decode()


def many(store: Store, count: int) -> None:
    root = shop.span("root", 0, 5 * count, attributes=ORDER)
    spans = [
        shop.span(f"step {n}", n, 1, parent=root, attributes=ORDER, status=2 if n == 50 else 0)
        for n in range(count)
    ]
    store.put(batch(root, *spans))


def test_a_comment_in_an_issue_holds_the_beginning_and_the_end(client: Client, store: Store) -> None:
    many(store, 100)
    text = asked(client, "expand=all&format=md")
    story = text.split("```")[1].strip().splitlines()
    assert [line for line in story if "more rows" in line] == ["… 62 more rows, 1 of them failed …"]
    assert "step 0 " in text and "step 99 " in text and "step 40 " not in text
    assert len(story) == 41
    assert len(asked(client, "expand=all&format=txt").splitlines()) > 100
    longer = asked(client, "expand=all&limit=500&format=md")
    assert "more rows" not in longer and "step 40 " in longer


def test_a_shorter_text_is_asked_for_by_its_limit(client: Client, store: Store) -> None:
    many(store, 30)
    text = asked(client, "expand=all&limit=10&format=txt")
    assert "… 22 more rows …" in text
    assert [line for line in text.splitlines() if "step 29 " in line]


def test_a_comment_has_a_heading_the_answer_facts_and_a_link(client: Client, store: Store) -> None:
    fail(store, "no `money` | left", **{"order.state": "paid"})
    heading, answer, facts, story, link = told(client, ORDER_PATH, "md").strip().split("\n\n")
    assert heading.startswith("### [order 1 (production)")
    assert answer.startswith("Paid since 2026-11-18") and "First error: shop, pay: Declined: no " in answer
    assert all(line.startswith("- ") for line in facts.splitlines())
    assert story.startswith("```\n") and story.endswith("\n```")
    assert link.startswith("[order 1 in Threadline](http")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("waiting for `paid_by` from `wms`", "waiting for `paid_by` from `wms`"),
        ("odd ` one_", r"odd \` one\_"),
        ("a_b <i>", r"a\_b \<i\>"),
    ],
)
def test_names_between_backticks_are_code(said: str, shown: str) -> None:
    assert coded(said) == shown
