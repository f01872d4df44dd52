"""`/types` and `/types/<type>`: steps as they occur, who stands where, what is learned; in every form."""

from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client
from psycopg.types.json import Jsonb

from tests.test_pages_html import parsed
from tests.typed import fill_types, learn, stand
from tracing.people import ExpectationRule, TypeSettings
from tracing.storing import Store

EVIL = "\"><script>alert(1)</script><b title='"


@pytest.fixture
def orders(store: Store) -> Store:
    fill_types(store)
    return store


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content.decode()
    root = parsed(answer.content.decode())
    return " ".join("".join(root.itertext()).split())


def test_the_list_says_how_much_is_known_of_each_type(client: Client, orders: Store) -> None:
    page = text(client, "/types")
    assert "order entity 120 63 1 20" in page and "4 of 6 steps learned" in page
    told = client.get("/types?format=json").json()["types"]
    assert [(one["type"], one["flows"], one["open"], one["stuck"]) for one in told] == [
        ("order", 120, 63, 20)
    ]
    plain = client.get("/types?format=txt").content.decode()
    assert plain == "order (production): 120 flows, 63 open, 1 late, 20 stuck; 4 of 6 steps learned\n"


def test_without_a_type_the_list_teaches(client: Client, clean_store: None) -> None:
    assert "No entity or workflow was seen yet" in text(client, "/types")
    assert client.get("/types?format=txt").content.decode() == "No type is known yet.\n"


@pytest.mark.parametrize("end", ["", "?format=json", "/settings", "/expectations", "/expectations/new"])
def test_what_no_type_can_be_called_is_not_there(client: Client, orders: Store, end: str) -> None:
    assert client.get(f"/types/%00{end}").status_code == 404
    glue = "&" if "?" in end else "?"
    assert client.get(f"/types/order{end}{glue}env=%00").status_code == 200


def test_a_type_shows_its_steps_in_the_usual_order(client: Client, orders: Store) -> None:
    root = parsed(client.get("/types/order").content.decode())
    rows = [" ".join("".join(row.itertext()).split()) for row in root.findall(".//tbody/tr")]
    assert [row.split()[0] for row in rows] == [
        "created",
        "paid",
        "reserved",
        "cancelled",
        "ready",
        "shipped",
    ]
    assert "95 %" in rows[0] and "3 m – 11 m" in rows[0]
    assert "late after 21 m: 1.5 × the upper limit of p99 of 412" in rows[0]
    assert "would have raised 3 alarms in 14 days, 2 never recovered" in rows[1]
    assert "learning, 12 of 29" in rows[2]
    assert "■ bad end" in rows[3] and "● end" in rows[5] and "an end; 51 flows ended here" in rows[5]


def test_numbers_lead_to_what_they_count(client: Client, orders: Store) -> None:
    root = parsed(client.get("/types/order").content.decode())
    links = {str(one.get("href")) for one in root.iter("a")}
    assert "/flows?type=order&env=production&state=paid&verdict=stuck" in links
    assert "/flows?type=order&env=production&verdict=stuck" in links
    assert "/flow/entity/order/4706" in links


def test_a_doubtful_end_is_asked(client: Client, orders: Store) -> None:
    assert "30 % of order flows stay at ready for good" in text(client, "/types/order")
    TypeSettings.objects.create(type="order", answers={"ready": False})
    assert "for good. Is it an end?" not in text(client, "/types/order")


def test_what_a_person_said_is_shown(client: Client, orders: Store) -> None:
    TypeSettings.objects.create(type="order", good_ends=["ready"], bad_ends=["shipped"])
    ExpectationRule.objects.create(
        type="order", step="paid", awaited_step="reserved", within_s=3600, grace_s=60
    )
    ExpectationRule.objects.create(type="order", step="created", within_s=7, enabled=False)
    root = parsed(client.get("/types/order").content.decode())
    rows = {row.get("id"): " ".join("".join(row.itertext()).split()) for row in root.findall(".//tbody/tr")}
    assert "rule reserved within 1 h + 1 m grace" in rows["step-2"] and "rule" not in rows["step-1"]
    assert "● end" in rows["step-5"] and "■ bad end" in rows["step-6"]


def test_ways_of_one_name_say_whose_they_are(
    client: Client, orders: Store, worker: psycopg.Connection
) -> None:
    ways = [{"step": step, "system": system, "share": 0.3} for step, system in (
        ("paid", "shop"), ("ready", "wms"), ("ready", "shop"), ("created", "shop"),
    )]  # fmt: skip
    worker.execute(
        "UPDATE learned SET facts = facts || %s WHERE type = 'order' AND step = 'paid'",
        (Jsonb({"ways": ways}),),
    )
    row = next(
        row for row in parsed(client.get("/types/order").content.decode()).findall(".//tbody/tr")
        if "paid" in "".join(row.find("td").itertext())  # type: ignore[union-attr]
    )  # fmt: skip
    told = " ".join("".join(row.findall("td")[2].itertext()).split())
    assert told == "paid shop 30 %ready wms 30 %ready shop 30 %created 30 %"


def test_how_often_one_begins(client: Client, clean_store: None) -> None:
    learn("sync", "run", 0, source="milestone", passed=300, threshold=9)
    learn("sync", "", 0, source="series", passed=299, period_ns=3_600_000_000_000)
    stand("sync", "run", 1)
    ExpectationRule.objects.create(type="sync", subject="series", within_s=5400)
    page = text(client, "/types/sync")
    assert "About every 1 h (300 beginnings seen): late after 2 h, stuck after 3 h." in page
    assert "rule one begins every 1 h 30 m" in page and "1 of 1 step learned" in page


def test_json_says_the_same(client: Client, orders: Store) -> None:
    told: dict[str, Any] = client.get("/types/order?format=json").json()
    assert (told["flows"], told["open"], told["late"], told["stuck"]) == (120, 63, 1, 20)
    assert told["learning"] == "4 of 6 steps learned"
    paid = told["steps"][1]
    assert (paid["step"], paid["system"], paid["share"], paid["stuck"]) == ("paid", "billing", 0.95, 20)
    assert paid["late_after"] == str(26 * 60_000_000_000)
    assert paid["next"][0] == {"step": "reserved", "system": "wms", "share": 0.97}
    plain = client.get("/types/order?format=txt").content.decode()
    assert max(map(len, plain.splitlines())) <= 100 and "usually 8 m – 14 m (p50 – p99)" in plain
    assert client.get("/types/order?format=md").content.decode().count("\n") > 8


def test_an_environment_of_ones_own(client: Client, orders: Store) -> None:
    learn("order", "packed", 0, environment="staging", passed=3, share=1.0)
    stand("order", "packed", 1, environment="staging")
    assert "also in staging" in text(client, "/types/order")
    page = text(client, "/types/order?env=staging")
    assert "packed" in page and "shipped" not in page and "learning, 3 of 29" in page


def test_a_type_of_very_many_is_counted_by_the_judge(
    client: Client, orders: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.queries.types.MOST_FLOWS", 50)
    assert "order entity 114 63" in text(client, "/types")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM backlog")
    assert "order entity 50+ ·" in text(client, "/types")
    assert "50 or more flows" in text(client, "/types/order")


@pytest.mark.parametrize("type", [EVIL, "a/b", "..", "-", "ünï cødé", "50%", "%2F"])
def test_a_type_may_be_called_anything(client: Client, clean_store: None, type: str) -> None:
    stand(type, EVIL, 3)
    learn(type, EVIL, 0, (EVIL, EVIL, 1.0), system=EVIL, share=0.5)
    root = parsed(client.get("/types").content.decode())
    (link,) = {str(one.get("href")) for one in root.findall(".//td[@class='title']/a")}
    page = client.get(link)
    assert page.status_code == 200
    assert parsed(page.content.decode()).findtext(".//h1") == type
    assert "alert(1)</script>" not in page.content.decode()


def test_an_unknown_type_is_not_found(client: Client, clean_store: None) -> None:
    answer = client.get("/types/nothing")
    assert answer.status_code == 404 and "No entity or workflow of type nothing" in answer.content.decode()
    assert client.get("/types/nothing?format=json").status_code == 404


@pytest.mark.parametrize(("path", "queries"), [("/types", 4), ("/types/order", 8)])
def test_a_page_takes_the_same_queries_however_much_there_is(
    client: Client, orders: Store, django_assert_num_queries: Any, path: str, queries: int
) -> None:
    for number in range(30):
        learn("order", f"step {number}", number, passed=number)
        learn(f"type {number}", "step", 0)
        stand(f"type {number}", "step", number)
        ExpectationRule.objects.create(type="order", step=f"step {number}", within_s=60)
    with django_assert_num_queries(queries):
        client.get(path)
