"""Lengths of time in people's words (`tracing.durations`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.durations import LONGEST_NS, parse_duration, write_duration
from tracing.lengths import SECOND_NS

MINUTE, HOUR, DAY = 60 * SECOND_NS, 3_600 * SECOND_NS, 86_400 * SECOND_NS


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("15m", 15 * MINUTE),
        ("2h", 2 * HOUR),
        ("1d 4h", DAY + 4 * HOUR),
        ("1d4h", DAY + 4 * HOUR),
        ("1 day, 4 hours", DAY + 4 * HOUR),
        ("90", 90 * SECOND_NS),
        ("0.5", SECOND_NS // 2),
        ("1.5 h", 90 * MINUTE),
        (" 20 Minutes ", 20 * MINUTE),
        ("30 secs", 30 * SECOND_NS),
        ("250ms", SECOND_NS // 4),
        ("7µs", 7_000),
        ("2 weeks", 14 * DAY),
        ("3650d", LONGEST_NS),
    ],
)
def test_what_people_write_is_read(text: str, length: int) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "0",
        "0s",
        "-5m",
        "m",
        "15x",
        "1h 2h",
        "1h soon",
        "5 m 3",
        "3651d",
        "1e3",
        "nan",
        "inf",
        "٣",
        "1" * 70,
        ".",
        "1.h",
    ],
)
def test_what_is_no_length_of_time_is_none(text: str) -> None:
    assert parse_duration(text) is None


@given(st.integers(1, LONGEST_NS))
def test_what_is_written_is_read_as_the_same_length(length: int) -> None:
    assert parse_duration(write_duration(length)) == length


@given(st.text(max_size=80))
def test_any_text_gives_a_length_or_none(text: str) -> None:
    length = parse_duration(text)
    assert length is None or 1 <= length <= LONGEST_NS


def test_nothing_is_written_as_zero_seconds() -> None:
    assert write_duration(0) == "0s"
