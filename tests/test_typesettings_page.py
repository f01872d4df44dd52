"""`/types/<type>/settings`: proposals beside each field, taken and confirmed; questions asked once; odd words told."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from tests.test_pages_html import parsed
from tests.typed import fill_types
from tracing.clock import now_ns
from tracing.people import TypeSettings
from tracing.storing import Store

PAGE = "/types/order/settings"
SAID = {
    "phases": "created\npaid\nreserved\nshipped",
    "good_ends": "shipped",
    "bad_ends": "cancelled",
    "transitions": "created -> paid, cancelled\npaid → reserved",
    "incompatible": "cancelled, shipped",
    "once": "charge card\nPOST /ship, now",
    "owner": "shop",
    "name": "Ada",
}


@pytest.fixture
def orders(store: Store) -> Store:
    fill_types(store)
    return store


def text(client: Client, path: str = PAGE) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content.decode()
    return " ".join("".join(parsed(answer.content.decode()).itertext()).split())


def values(client: Client, path: str) -> dict[str, str]:
    root = parsed(client.get(path).content.decode())
    fields = [one for one in root.iter() if one.tag in ("textarea", "input") and one.get("name")]
    return {str(one.get("name")): (one.text or one.get("value") or "").strip() for one in fields}


def test_each_field_shows_what_was_seen(client: Client, orders: Store) -> None:
    page = text(client)
    assert "Proposed:created paid reserved ready shipped" in page
    assert "Proposed:cancelled" in page
    assert "No proposal: no system says all of its states." in page
    assert "No proposal: reserved was left 12 times so far" in page
    assert TypeSettings.objects.count() == 0


def test_a_proposal_is_taken_and_saved_by_a_person(client: Client, orders: Store) -> None:
    assert values(client, PAGE)["phases"] == ""
    filled = values(client, f"{PAGE}?take=1")
    assert filled["phases"].split() == ["created", "paid", "reserved", "ready", "shipped"]
    assert "nothing is saved yet" in text(client, f"{PAGE}?take=1")
    assert TypeSettings.objects.count() == 0
    form = {name: value for name, value in filled.items() if name != "q"} | {"do": "save", "name": "Ada"}
    answer = client.post(PAGE, form)
    assert answer.status_code == 302 and answer["Location"] == f"{PAGE}?saved=1"
    said = TypeSettings.objects.get(type="order")
    assert (said.good_ends, said.bad_ends, said.name) == (["shipped"], ["cancelled"], "Ada")
    assert client.cookies["name"].value == "Ada"
    assert "Last said by Ada just now" in text(client)


def test_everything_a_person_says_comes_back_as_it_was_typed(client: Client, orders: Store) -> None:
    assert client.post(PAGE, SAID).status_code == 302
    said = TypeSettings.objects.get(type="order")
    assert said.phases == [["created"], ["paid"], ["reserved"], ["shipped"]]
    assert said.transitions == [["created", "paid"], ["created", "cancelled"], ["paid", "reserved"]]
    assert said.incompatible == [["cancelled", "shipped"]]
    assert (said.once, said.owner) == (["charge card", "POST /ship, now"], "shop")
    told = values(client, PAGE)
    assert told["transitions"] == "created -> paid, cancelled\npaid -> reserved"
    assert {name: told[name] for name in SAID if name != "transitions"} == {
        name: value for name, value in SAID.items() if name != "transitions"
    }


def test_ends_left_empty_are_not_said(client: Client, orders: Store) -> None:
    assert client.post(PAGE, {"phases": "created"}).status_code == 302
    said = TypeSettings.objects.get(type="order")
    assert said.good_ends is None and said.bad_ends is None


def test_a_word_no_flow_has_said_is_told_and_may_be_kept(client: Client, orders: Store) -> None:
    form = SAID | {"good_ends": "shiped", "owner": "shopp"}
    answer = client.post(PAGE, form)
    page = answer.content.decode()
    assert answer.status_code == 200 and TypeSettings.objects.count() == 0
    assert "No flow has said <code>shiped</code>; did you mean" in page
    assert "did you mean <code>shop</code>?" in page
    assert client.post(PAGE, form | {"do": "keep"}).status_code == 302
    assert TypeSettings.objects.get().good_ends == ["shiped"]


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("phases", "created\npaid, created", "`created` stands in line 1 and in line 2"),
        ("bad_ends", "shipped", "`shipped` cannot end a flow well and badly."),
        ("transitions", "created paid", "is no move; write created -&gt; paid, cancelled"),
        ("transitions", "shipped -> paid", "`shipped` ends a flow"),
        ("incompatible", "cancelled", "is no pair; write two states"),
        ("owner", "x" * 201, "at most 200 characters"),
    ],
)
def test_what_contradicts_itself_is_told_at_its_field(
    client: Client, orders: Store, field: str, typed: str, sentence: str
) -> None:
    answer = client.post(PAGE, SAID | {field: typed, "do": "keep"})
    assert answer.status_code == 400 and TypeSettings.objects.count() == 0
    page = answer.content.decode().replace("&quot;", '"')
    assert sentence in page.replace("&#x27;", "'")
    root = parsed(answer.content.decode())
    (shown,) = [one for one in root.iter() if one.get("name") == field]
    assert shown.get("aria-invalid") == "true"


def test_a_question_is_asked_once_and_its_answer_may_be_taken_back(client: Client, orders: Store) -> None:
    assert "30 % of order flows stay at ready: is it an end?" in text(client)
    asked = {"do": "answer", "step": "ready"}
    assert client.post(PAGE, asked | {"answer": "yes"}).status_code == 302
    assert TypeSettings.objects.get().answers == {"ready": True}
    page = text(client)
    assert "is it an end?" not in page and "You said: ready is an end." in page
    assert client.post(PAGE, asked | {"answer": "no"}).status_code == 302
    assert TypeSettings.objects.get().answers == {"ready": False}
    assert client.post(PAGE, asked | {"answer": "back"}).status_code == 302
    assert "is it an end?" in text(client)
    assert client.post(PAGE, asked | {"answer": "maybe"}).status_code == 400
    assert client.post(PAGE, {"do": "answer", "answer": "yes"}).status_code == 400


def test_an_answer_becomes_an_end_of_the_proposal(client: Client, orders: Store) -> None:
    TypeSettings.objects.create(type="order", answers={"ready": True})
    assert values(client, f"{PAGE}?take=1")["good_ends"] == "ready, shipped"


def test_who_stands_at_another_end_is_looked_at_now(client: Client, orders: Store) -> None:
    later = now_ns() + 10**15
    with connection.cursor() as cursor:
        cursor.execute("UPDATE expectation SET step = 'ready', verdict = 'moving', looks_ns = %s", [later])
        cursor.execute(
            "UPDATE expectation SET step = 'paid' WHERE flow_id = (SELECT min(flow_id::text)::bytea FROM flow)"
        )
    client.post(PAGE, {"do": "answer", "step": "ready", "answer": "yes"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT step, count(*) FROM expectation WHERE looks_ns < %s GROUP BY 1", [later])
        assert cursor.fetchall() == [("ready", 119)]
    # What ends nothing else than before wakes nobody.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE expectation SET looks_ns = %s", [later])
    client.post(PAGE, {"phases": "created", "do": "keep"})
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM expectation WHERE looks_ns < %s", [later])
        assert cursor.fetchone() == (0,)


def test_a_type_that_was_never_seen_can_be_told_beforehand(client: Client, clean_store: None) -> None:
    assert client.get("/types/parcel/settings").status_code == 200
    assert client.post("/types/parcel/settings", {"good_ends": "done"}).status_code == 302
    assert TypeSettings.objects.get().type == "parcel"
    assert client.get("/types/parcel").status_code == 200
    assert client.get(f"/types/{'x' * 101}/settings").status_code == 400


def test_only_a_form_of_ours_changes_settings(orders: Store) -> None:
    assert Client(enforce_csrf_checks=True).post(PAGE, SAID).status_code == 403
    assert TypeSettings.objects.count() == 0


def test_the_page_takes_the_same_queries_however_much_there_is(
    client: Client, orders: Store, django_assert_num_queries: Any
) -> None:
    TypeSettings.objects.create(type="order", answers={f"step {number}": True for number in range(50)})
    with django_assert_num_queries(10):
        client.get(PAGE)
