"""`/settings/calendars`: hours in text, when it opens next as proof, and what cannot work is told at its field."""

from typing import Any

import pytest
from django.test import Client

from tests.test_pages_html import parsed
from tracing.people import Calendar, ExpectationRule
from tracing.watch import calendars

LIST = "/settings/calendars"
NEW = f"{LIST}/new"
OFFICE = {
    "label": "office",
    "zone": "Europe/Berlin",
    "mon": "09:00-12:30, 13:00–17:00",
    "tue": "9:00-17:00",
    "sat": "22:00 - 24:00",
    "sun": "00:00-02:00",
    "holidays": "2026-12-25\n2026-12-26",
}


def words(answer: Any) -> str:
    return " ".join("".join(parsed(answer.content.decode()).itertext()).split())


def test_a_calendar_is_added_shown_and_changed(client: Client, clean_store: None) -> None:
    answer = client.post(NEW, OFFICE | {"do": "show"})
    page = words(answer)
    assert answer.status_code == 200 and Calendar.objects.count() == 0
    assert "It would open" in page and "09:00 – 12:30" in page and "22:00 – 24:00" in page
    answer = client.post(NEW, OFFICE)
    calendar = Calendar.objects.get()
    assert answer["Location"] == f"{LIST}/{calendar.pk}?saved=1"
    assert calendar.hours["mon"] == [["09:00", "12:30"], ["13:00", "17:00"]] and "wed" not in calendar.hours
    assert calendar.holidays == ["2026-12-25", "2026-12-26"]
    page = client.get(f"{LIST}/{calendar.pk}").content.decode()
    assert 'value="09:00-12:30, 13:00-17:00"' in page
    assert "Opens next" in page and ("+01:00" in page or "+02:00" in page)
    assert client.post(f"{LIST}/{calendar.pk}", OFFICE | {"label": "desk", "mon": ""}).status_code == 302
    calendar.refresh_from_db()
    assert calendar.label == "desk" and "mon" not in calendar.hours
    assert "desk" in words(client.get(LIST))


def test_days_stand_in_the_order_of_a_week(client: Client, clean_store: None) -> None:
    root = parsed(client.get(NEW).content.decode())
    names = [one.get("name") for one in root.find(".//form[@class='panel']").iter() if one.get("name")]  # type: ignore[union-attr]
    assert names[1:11] == ["label", "zone", *calendars.WEEKDAYS, "holidays"]


def test_a_new_calendar_begins_in_the_readers_zone(client: Client, clean_store: None) -> None:
    client.cookies["tz"] = "Asia/Kolkata"
    assert 'value="Asia/Kolkata"' in client.get(NEW).content.decode()
    client.cookies["tz"] = "Mars/Base"
    assert 'value="UTC"' in client.get(NEW).content.decode()


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"label": ""}, "label", "This field is required."),
        ({"label": "taken"}, "label", "Another calendar has this name."),
        ({"zone": "Mars/Base"}, "zone", "There is no time zone “Mars/Base”"),
        ({"mon": "nine to five"}, "mon", "On mon a beginning and an end are needed"),
        ({"mon": "17:00-09:00"}, "mon", "For hours over midnight write until 24:00"),
        ({"mon": "09:00-25:00"}, "mon", "is no time"),
        ({"holidays": "25.12."}, "holidays", "“25.12.” is no day."),
        (
            dict.fromkeys(calendars.WEEKDAYS, ""),
            "",
            "The calendar never opens: give at least one day its hours.",
        ),
    ],
)
def test_what_cannot_work_is_told_at_its_field(
    client: Client, clean_store: None, change: dict[str, str], field: str, sentence: str
) -> None:
    Calendar.objects.create(label="taken", hours={"mon": [["09:00", "17:00"]]})
    answer = client.post(NEW, OFFICE | change)
    assert answer.status_code == 400 and sentence in words(answer)
    assert Calendar.objects.count() == 1
    shown = [one for one in parsed(answer.content.decode()).iter() if one.get("aria-invalid") == "true"]
    assert [one.get("name") for one in shown] == ([field] if field else [])


def test_a_calendar_in_use_stays(client: Client, clean_store: None) -> None:
    calendar = Calendar.objects.create(label="office", hours={"mon": [["09:00", "17:00"]]})
    rule = ExpectationRule.objects.create(type="order", step="paid", within_s=60, calendar=calendar)
    answer = client.post(f"{LIST}/{calendar.pk}/delete")
    assert answer.status_code == 409 and "Not deleted: expectations use it." in words(answer)
    assert f"/types/order/expectations/{rule.pk}" in answer.content.decode()
    rule.delete()
    assert client.post(f"{LIST}/{calendar.pk}/delete")["Location"] == LIST
    assert "No calendar yet" in words(client.get(LIST))


def test_one_that_cannot_work_is_shown_as_such(client: Client, clean_store: None) -> None:
    calendar = Calendar.objects.create(label="odd", zone="Mars/Base", hours={"mon": "always"})
    assert "▲ never" in words(client.get(LIST))
    assert client.get(f"{LIST}/{calendar.pk}").status_code == 200


def test_openings_follow_each_other() -> None:
    week = calendars.Calendar("UTC", {"mon": [["09:00", "17:00"]]}, ["1970-01-05"])
    day_ns = 86_400_000_000_000
    assert calendars.openings(week, 0, 2) == [
        (11 * day_ns + 9 * 3_600_000_000_000, 11 * day_ns + 17 * 3_600_000_000_000),
        (18 * day_ns + 9 * 3_600_000_000_000, 18 * day_ns + 17 * 3_600_000_000_000),
    ]


@pytest.mark.parametrize("number", [0, 2**31, 2**63, 10**30])
def test_what_does_not_exist(client: Client, clean_store: None, number: int) -> None:
    assert client.get(f"{LIST}/{number}").status_code == 404
    assert client.post(f"{LIST}/{number}/delete").status_code == 404


def test_the_list_takes_the_same_queries_however_many_there_are(
    client: Client, clean_store: None, django_assert_num_queries: Any
) -> None:
    for number in range(20):
        calendar = Calendar.objects.create(label=f"c{number}", hours={"mon": [["09:00", "17:00"]]})
        ExpectationRule.objects.create(type="order", within_s=60, calendar=calendar)
    with django_assert_num_queries(3):
        client.get(LIST)
