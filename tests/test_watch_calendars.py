"""Open time: over nights, weekends, holidays and the two odd days of a year."""

import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracing.unfit import Unfit
from tracing.watch.calendars import Calendar, add, check, open_between

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
BERLIN = "Europe/Berlin"
OFFICE = Calendar(
    BERLIN,
    {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
    ["2026-12-25", "2027-01-01"],
)
ALWAYS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


def at(text: str, zone: str = BERLIN) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("start", "duration", "end"),
    [
        ("2026-11-27 10:00", 2 * HOUR, "2026-11-27 12:00"),
        ("2026-11-27 10:00", 7 * HOUR, "2026-11-27 17:00"),
        ("2026-11-27 10:00", 7 * HOUR + MINUTE, "2026-11-30 09:01"),  # Friday to Monday
        ("2026-11-27 03:00", MINUTE, "2026-11-27 09:01"),
        ("2026-11-27 18:00", MINUTE, "2026-11-30 09:01"),
        ("2026-11-28 12:00", 40 * HOUR, "2026-12-04 17:00"),
        ("2026-12-24 16:00", 2 * HOUR, "2026-12-28 10:00"),  # Christmas, and a weekend
        ("2026-11-28 12:00", 0, "2026-11-28 12:00"),
        ("2026-11-28 12:00", -HOUR, "2026-11-28 12:00"),
    ],
)
def test_open_time_is_added(start: str, duration: int, end: str) -> None:
    assert add(OFFICE, at(start), duration) == at(end)
    assert open_between(OFFICE, at(start), at(end)) == max(duration, 0)


@pytest.mark.parametrize(
    ("day", "hours", "open_hours"),
    [
        # Spring in Berlin: 02:00 to 03:00 is not there.
        ("2026-03-29", [["00:00", "24:00"]], 23),
        ("2026-03-29", [["01:00", "04:00"]], 2),
        ("2026-03-29", [["02:00", "03:00"]], 0),
        ("2026-03-29", [["02:30", "04:00"]], 1),
        ("2026-03-29", [["09:00", "17:00"]], 8),
        # Autumn: it is there twice.
        ("2026-10-25", [["00:00", "24:00"]], 25),
        ("2026-10-25", [["01:00", "04:00"]], 4),
        ("2026-10-25", [["02:00", "03:00"]], 2),
        ("2026-10-25", [["02:00", "02:30"]], 1),
        ("2026-10-25", [["09:00", "17:00"]], 8),
        ("2026-10-24", [["00:00", "24:00"]], 24),
    ],
)
def test_days_of_another_length(day: str, hours: list[list[str]], open_hours: int) -> None:
    calendar = Calendar(BERLIN, {"sat": hours, "sun": hours})
    end = day[:-2] + f"{int(day[-2:]) + 1}"
    assert open_between(calendar, at(day), at(end)) == open_hours * HOUR


def test_a_deadline_over_the_change_of_clocks() -> None:
    """From Saturday noon 24 open hours on: an hour later by the wall clock in spring, one earlier in autumn."""
    calendar = Calendar(BERLIN, ALWAYS)
    assert add(calendar, at("2026-03-28 12:00"), DAY) == at("2026-03-29 13:00")
    assert add(calendar, at("2026-10-24 12:00"), DAY) == at("2026-10-25 11:00")
    # Opening hours go by the wall clock: eight hours from Friday morning on end on Monday all the same.
    assert add(OFFICE, at("2026-03-27 16:00"), 2 * HOUR) == at("2026-03-30 10:00")
    assert add(OFFICE, at("2026-10-23 16:00"), 2 * HOUR) == at("2026-10-26 10:00")


@pytest.mark.parametrize(
    "zone", ["UTC", "Pacific/Kiritimati", "Pacific/Niue", "Asia/Kathmandu", "Australia/Lord_Howe"]
)
def test_zones_far_from_ours(zone: str) -> None:
    calendar = Calendar(zone, {"wed": [["09:00", "17:00"]]})
    assert add(calendar, at("2026-11-24 23:59", zone), HOUR) == at("2026-11-25 10:00", zone)
    assert open_between(calendar, at("2026-11-25 00:00", zone), at("2026-11-26 00:00", zone)) == 8 * HOUR
    assert open_between(calendar, at("2026-11-25 16:59", zone), at("2026-11-25 17:30", zone)) == MINUTE


def test_hours_that_overlap_count_once_and_those_that_touch_join() -> None:
    calendar = Calendar("UTC", {"fri": [["12:00", "18:00"], ["09:00", "13:00"]], "sat": [["00:00", "06:00"]]})
    assert open_between(calendar, at("2026-11-27", "UTC"), at("2026-11-28", "UTC")) == 9 * HOUR
    night = Calendar("UTC", {"fri": [["22:00", "24:00"]], "sat": [["00:00", "06:00"]]})
    check(night)
    assert add(night, at("2026-11-27 23:00", "UTC"), 2 * HOUR) == at("2026-11-28 01:00", "UTC")


MOMENTS = st.integers(at("2025-01-01"), at("2028-01-01"))


@given(MOMENTS, st.integers(0, 300 * HOUR), st.sampled_from([OFFICE, Calendar(BERLIN, ALWAYS)]))
def test_what_is_added_is_open_between(start: int, duration: int, calendar: Calendar) -> None:
    end = add(calendar, start, duration)
    assert end >= start
    assert open_between(calendar, start, end) == duration


@settings(deadline=None)
@given(MOMENTS, st.integers(0, 60 * DAY), st.integers(0, 60 * DAY))
def test_stretches_add_up(start: int, one: int, other: int) -> None:
    middle, end = start + one, start + one + other
    parts = open_between(OFFICE, start, middle) + open_between(OFFICE, middle, end)
    assert open_between(OFFICE, start, end) == parts
    assert open_between(Calendar("UTC", ALWAYS), start, end) == end - start


def test_a_calendar_that_hardly_opens_is_followed_for_two_years() -> None:
    start = at("2026-11-27", "UTC")
    hardly = Calendar("UTC", {"fri": [["00:00", "00:01"]]})
    began = time.perf_counter()
    assert add(hardly, start, 300 * DAY) == start + 731 * DAY
    assert open_between(hardly, start, start + 10**20) == 105 * MINUTE
    assert add(Calendar("UTC", {}), start, 1) == start + 731 * DAY
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("moment", [-(10**19), 0, 2**63, 10**22])
def test_a_moment_that_no_date_can_hold_has_an_answer(moment: int) -> None:
    assert add(OFFICE, moment, HOUR) >= moment
    assert open_between(OFFICE, moment, moment + DAY) >= 0
    assert open_between(OFFICE, 10**18, 0) == 0


@pytest.mark.parametrize(
    ("calendar", "field", "words"),
    [
        (Calendar("Mars/Olympus", ALWAYS), "zone", "no time zone “Mars/Olympus”"),
        (Calendar("", ALWAYS), "zone", "no time zone"),
        (Calendar("Europe", ALWAYS), "zone", "no time zone “Europe”"),
        (Calendar("../../etc/passwd", ALWAYS), "zone", "no time zone"),
        (Calendar("UTC", {}), "hours", "never opens"),
        (Calendar("UTC", {"mon": []}), "hours", "never opens"),
        (Calendar("UTC", {"monday": [["09:00", "17:00"]]}), "hours", "no weekday “monday”"),
        (Calendar("UTC", {"Mon": [["09:00", "17:00"]]}), "hours", "no weekday “Mon”"),
        (Calendar("UTC", {"mon": [["9", "17:00"]]}), "hours", "“9” is no time"),
        (Calendar("UTC", {"mon": [["09:00", "25:00"]]}), "hours", "“25:00” is no time"),
        (Calendar("UTC", {"mon": [["09:60", "17:00"]]}), "hours", "“09:60” is no time"),
        (Calendar("UTC", {"mon": [["09:00", "24:01"]]}), "hours", "“24:01” is no time"),
        (Calendar("UTC", {"mon": [["²1:00", "24:00"]]}), "hours", "is no time"),
        (Calendar("UTC", {"mon": [["17:00", "09:00"]]}), "hours", "does not come after 17:00"),
        (Calendar("UTC", {"mon": [["09:00", "09:00"]]}), "hours", "does not come after 09:00"),
        (Calendar("UTC", {"mon": [["09:00"]]}), "hours", "a beginning and an end"),
        (Calendar("UTC", {"mon": ["09:00"]}), "hours", "a beginning and an end"),
        (Calendar("UTC", ALWAYS, ["25.12.2026"]), "holidays", "“25.12.2026” is no day"),
        (Calendar("UTC", ALWAYS, ["2026-02-30"]), "holidays", "is no day"),
    ],
)
def test_what_cannot_work_is_said(calendar: Calendar, field: str, words: str) -> None:
    with pytest.raises(Unfit, match=words) as raised:
        check(calendar)
    assert raised.value.field == field


def test_a_year_of_holidays_is_said() -> None:
    mondays = [f"{datetime.fromordinal(739_000 + week * 7):%Y-%m-%d}" for week in range(60)]
    weekday = datetime.fromordinal(739_000).strftime("%a").lower()
    with pytest.raises(Unfit, match="each of its open days is a holiday"):
        check(Calendar("UTC", {weekday: [["09:00", "17:00"]]}, mondays))


@pytest.mark.parametrize(
    "odd", [None, 5, "mon", ["mon"], {"mon": 5}, {"mon": None}, {"mon": [[9, 17]]}, {5: []}]
)
def test_hours_of_another_form_are_said(odd: Any) -> None:
    with pytest.raises(Unfit):
        check(Calendar("UTC", odd))


@pytest.mark.parametrize("odd", [None, 5, "2026-12-25", [None], [5]])
def test_holidays_of_another_form_are_said(odd: Any) -> None:
    with pytest.raises(Unfit):
        check(Calendar("UTC", ALWAYS, odd))


def test_what_can_work_passes() -> None:
    check(OFFICE)
    check(Calendar(BERLIN, {"sun": [["9:00", "24:00"]]}))
