"""`/settings/maintenance`: declared with a reason and a name, ended before its time, and what cannot be is told."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client

from tests.shop import fill
from tests.test_pages_html import parsed
from tracing.clock import now_ns
from tracing.people import Maintenance
from tracing.storing import Store
from tracing.watch import waking

PAGE = "/settings/maintenance"
HOUR = 3_600_000_000_000
SAID = {
    "service": "wms", "type": "", "environment": "", "begins": "", "lasts": "2h", "until": "", "reason": "database moves",
    "name": "Ada",
}  # fmt: skip


def words(answer: Any) -> str:
    return " ".join("".join(parsed(answer.content.decode()).itertext()).split())


def test_maintenance_is_declared_from_now_on(client: Client, clean_store: None) -> None:
    before = now_ns()
    answer = client.post(PAGE, SAID)
    assert answer.status_code == 302 and answer["Location"] == f"{PAGE}?declared=1"
    made = Maintenance.objects.get()
    assert made.until_ns - made.from_ns == 2 * HOUR and before <= made.from_ns <= now_ns()
    page = words(client.get(PAGE))
    assert "Now wms" in page and "database moves, Ada" in page and "ends in 1 h 59 m" in page
    assert "▲ nobody of that name was ever heard" in page
    assert 'value="Ada"' in client.get(PAGE).content.decode()


def test_times_are_the_readers(client: Client, clean_store: None) -> None:
    client.cookies["tz"] = "Asia/Kolkata"
    said = SAID | {"service": "", "type": "order", "begins": "2126-11-21 14:00", "until": "2126-11-21 16:30"}
    assert client.post(PAGE, said).status_code == 302
    made = Maintenance.objects.get()
    begins = datetime(2126, 11, 21, 14, tzinfo=ZoneInfo("Asia/Kolkata"))
    assert made.from_ns == int(begins.timestamp()) * 1_000_000_000
    assert made.until_ns - made.from_ns == 5 * HOUR // 2
    page = client.get(PAGE)
    assert "Coming order" in words(page) and 'href="/types/order"' in page.content.decode()


def test_known_names_are_offered_and_not_doubted(client: Client, store: Store) -> None:
    fill(store)
    assert client.post(PAGE, SAID | {"service": "", "type": "payment"}).status_code == 302
    page = client.get(PAGE)
    assert "nobody of that name" not in words(page)
    assert '<option value="payment">' in page.content.decode()


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"service": ""}, "service", "Say a service or a type of flows, one of the two."),
        ({"type": "order"}, "service", "Say a service or a type of flows, one of the two."),
        ({"lasts": ""}, "lasts", "Say for how long, or until when."),
        ({"lasts": "a while"}, "lasts", "is no length of time"),
        ({"lasts": "32d"}, "lasts", "More than 31 days at once would hide what is wrong"),
        ({"begins": "2001-01-01"}, "lasts", "It would be over already."),
        ({"until": "2001-01-01"}, "until", "It would end before it begins."),
        ({"until": "tomorrow"}, "until", "A time is written 2026-11-21 14:02"),
        ({"reason": ""}, "reason", "This field is required."),
        ({"name": ""}, "name", "This field is required."),
    ],
)
def test_what_cannot_be_is_told_at_its_field(
    client: Client, clean_store: None, change: dict[str, str], field: str, sentence: str
) -> None:
    answer = client.post(PAGE, SAID | change)
    assert answer.status_code == 400 and sentence in words(answer)
    assert Maintenance.objects.count() == 0
    shown = [one for one in parsed(answer.content.decode()).iter() if one.get("aria-invalid") == "true"]
    assert [one.get("name") for one in shown] == [field]


def paused() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT looks_ns FROM expectation ORDER BY flow_id")
        return [row[0] for row in cursor.fetchall()]


def test_ended_before_its_time_its_flows_are_looked_at_now(client: Client, clean_store: None) -> None:
    now = now_ns()
    running = Maintenance.objects.create(service="wms", from_ns=now - HOUR, until_ns=now + HOUR, reason="r")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO expectation (flow_id, kind, type, environment, looks_ns, verdict)"
            " VALUES ('a', 1, 'order', 'production', %(later)s, 'paused'), ('b', 1, 'order', 'production', %(later)s, 'moving')",
            {"later": now + HOUR},
        )
    assert client.post(f"{PAGE}/{running.pk}/end")["Location"] == PAGE
    running.refresh_from_db()
    assert now <= running.until_ns <= now_ns()
    looks = paused()
    assert looks == [running.until_ns, now + HOUR]
    assert "Past wms" in words(client.get(PAGE))
    # Once more changes nothing.
    client.post(f"{PAGE}/{running.pk}/end")
    assert Maintenance.objects.get().until_ns == running.until_ns


def test_declared_its_late_flows_are_looked_at_now(
    client: Client, clean_store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = now_ns() + HOUR
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO expectation (flow_id, kind, type, environment, looks_ns, verdict, awaited_system)"
            " VALUES ('a', 1, 'order', 'production', %(later)s, 'late', 'wms'),"
            " ('b', 1, 'order', 'production', %(later)s, 'late', 'wms')",
            {"later": later},
        )
    monkeypatch.setattr(waking, "MOST", 1)
    answer = client.post(PAGE, SAID)
    assert sorted(looks < later for looks in paused()) == [False, True]
    assert "the rest at their own next look" in words(client.get(answer["Location"]))
    assert client.post(PAGE, SAID)["Location"] == f"{PAGE}?declared=1"
    assert all(looks < later for looks in paused())
    assert "the rest at their own next look" not in words(client.get(f"{PAGE}?declared=1"))


def test_what_has_not_begun_is_called_off(client: Client, clean_store: None) -> None:
    now = now_ns()
    coming = Maintenance.objects.create(type="order", from_ns=now + HOUR, until_ns=now + 2 * HOUR, reason="r")
    assert "Call it off" in words(client.get(PAGE))
    assert client.post(f"{PAGE}/{coming.pk}/end").status_code == 302
    assert "Nothing is in maintenance, and nothing is coming." in words(client.get(PAGE))


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_what_does_not_exist(client: Client, clean_store: None, number: int) -> None:
    assert client.post(f"{PAGE}/{number}/end").status_code == 404


def test_only_a_form_of_ours_declares(clean_store: None) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(PAGE, SAID).status_code == 403 and Maintenance.objects.count() == 0
    assert strict.get(f"{PAGE}/1/end").status_code == 405


def test_the_page_takes_the_same_queries_however_much_there_is(
    client: Client, clean_store: None, django_assert_num_queries: Any
) -> None:
    now = now_ns()
    for number in range(30):
        Maintenance.objects.create(
            service=f"s{number}", from_ns=now, until_ns=now + number * HOUR, reason="r"
        )
    with django_assert_num_queries(5):
        client.get(PAGE)


def test_settings_lead_to_both(client: Client, clean_store: None) -> None:
    page = client.get("/settings/").content.decode()
    assert 'href="/settings/calendars"' in page and 'href="/settings/maintenance"' in page
