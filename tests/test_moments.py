"""Times and durations in words, case by case."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from timeline import moments

S = 1_000_000_000
NOON = 1_795_262_400 * S  # 2026-11-21 12:00:00 UTC
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("duration_ns", "words"),
    [
        (None, "–"),
        (0, "0"),
        (7, "7 ns"),
        (1_500, "1.5 µs"),
        (90_000_000, "90 ms"),
        (999_600_000, "1000 ms"),
        (1_240_000_000, "1.24 s"),
        (59 * S, "59 s"),
        (60 * S, "1 m"),
        (61 * S, "1 m 1 s"),
        (11_520 * S, "3 h 12 m"),
        (3_600 * S, "1 h"),
        (100 * 86_400 * S + 3_600 * S, "100 d 1 h"),
        (-5 * S, "−5 s"),
    ],
)
def test_took(duration_ns: int | None, words: str) -> None:
    assert moments.took(duration_ns) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (-3, "just now"), (16.6, "16 s ago"), (11_520, "3 h 12 m ago"), (-300, "in 5 m")],
)
def test_ago(seconds: float, words: str) -> None:
    assert moments.ago(NOON - int(seconds * S), NOON) == words


def test_full_names_the_offset() -> None:
    assert moments.full(NOON + 310_999_999, UTC) == "2026-11-21 12:00:00.310 UTC"
    assert moments.full(NOON, BERLIN) == "2026-11-21 13:00:00.000 +01:00"
    assert moments.full(NOON, ZoneInfo("America/St_Johns")) == "2026-11-21 08:30:00.000 -03:30"


@pytest.mark.parametrize(
    ("time_ns", "words"),
    [
        (NOON - S, "12:59:59"),
        (NOON - 86_400 * S, "20 Nov 13:00:00"),
        (NOON - 400 * 86_400 * S, "2025-10-17 14:00:00"),
    ],
)
def test_short_says_as_much_as_is_needed(time_ns: int, words: str) -> None:
    assert moments.short(time_ns, BERLIN, NOON) == words


@pytest.mark.parametrize("time_ns", [2**63 - 1, -(2**63), 10**30])
def test_a_time_no_calendar_holds_is_said_in_nanoseconds_or_as_a_year(time_ns: int) -> None:
    assert moments.full(time_ns, UTC)
    assert moments.short(time_ns, BERLIN, NOON)


@pytest.mark.parametrize(
    "name", ["", "UTC", "Mars/Olympus", "../etc/passwd", "/etc", "a" * 100, "Europe\x00"]
)
def test_an_odd_zone_is_utc(name: str) -> None:
    assert moments.zone_named(name) is UTC


def test_both_ends_of_a_stretch_have_a_date_where_one_has() -> None:
    now = 1795003600_000_000_000
    hour = 3_600_000_000_000
    assert moments.stretch(now - 2 * hour, now - hour, UTC, now) == ("10:06:40", "11:06:40")
    assert moments.stretch(now - 30 * hour, now, UTC, now) == ("17 Nov 06:06:40", "18 Nov 12:06:40")
    assert moments.stretch(now - 60 * hour, now - 30 * hour, UTC, now) == (
        "16 Nov 00:06:40",
        "17 Nov 06:06:40",
    )
    assert moments.stretch(now, now + 30 * hour, UTC, now) == ("18 Nov 12:06:40", "19 Nov 18:06:40")
