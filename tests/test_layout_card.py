"""Where the parts of a preview picture stand: nothing runs over an edge, whatever a sender wrote."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.drawncard import cleaned, measure
from timeline.layout.card import (
    HEIGHT,
    MARGIN,
    WIDTH,
    Awaited,
    Bin,
    Box,
    Card,
    Gap,
    Line,
    Mark,
    Path,
    Shape,
    State,
    Strip,
    Subject,
    Text,
    fitted,
    laid_out,
)

STRIP = Strip(
    "26 Nov 06:23 UTC", "27 Nov 08:29 UTC",
    (Bin(0, 1.5, 0.4, False), Bin(60, 1.5, 1, True), Bin(97, 1.5, 0.1, False)),
    (Gap(20, 5, "16 h"), Gap(26, 5, "2 m"), Gap(70, 5, "59.9 s")),
    (State(0, 60, "placed", 0), State(60, 38.4, "reserved", 7), State(98.4, 0, "gone", 2)),
    Awaited(61, 37, "shipped"), 98.5,
)  # fmt: skip
ORDER = Card(
    "production",
    (Subject("order 4711", Mark("■", "stuck 3 h 12 m", "stuck"), "paid", STRIP),),
    (
        Line("waiting for shipment.created from wms", "since 27 Nov 14:55 UTC"),
        Line("First error: Declined", "14:41", "✕", "bad"),
    ),
    "7 chapters · 5 services",
    "as of 27 Nov 2026 18:07 UTC",
)
LONG = st.text(max_size=400) | st.just("W" * 300) | st.just("長い注文" * 60) | st.just("🧵" * 90)
PERCENT = st.floats(-20, 140)


def edges(shape: Shape) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what is drawn."""
    if isinstance(shape, Box):
        return shape.x, shape.y, shape.x + shape.width, shape.y + shape.height
    if isinstance(shape, Path):
        xs, ys = zip(*shape.points, strict=True)
        return min(xs), min(ys), max(xs), max(ys)
    width = measure(shape.text, shape.size, shape.bold)
    left = shape.x - {"l": 0, "m": width / 2, "r": width}[shape.anchor]
    return left, shape.y - shape.size, left + width, shape.y + shape.size * 0.3


def stays_inside(card: Card) -> None:
    for shape in laid_out(card, measure):
        left, top, right, bottom = edges(shape)
        assert MARGIN - 6 <= left <= right + 2 and right <= WIDTH - MARGIN + 6, shape
        assert top >= 0 and bottom <= HEIGHT, shape


def texts(card: Card) -> list[str]:
    return [shape.text for shape in laid_out(card, measure) if isinstance(shape, Text)]


def test_all_that_a_card_holds_is_said() -> None:
    said = texts(ORDER)
    for told in (
        "order 4711",
        "■ stuck 3 h 12 m",
        "paid",
        "7 chapters · 5 services",
        "Threadline",
        "now",
        "16 h",
    ):
        assert told in said
    assert "production · as of 27 Nov 2026 18:07 UTC" in said
    assert {line.text for line in ORDER.lines} <= set(said)
    stays_inside(ORDER)


@given(
    title=LONG, word=LONG, state=LONG, line=LONG, place=LONG, count=st.integers(1, 2), lines=st.integers(0, 2)
)
def test_no_text_runs_over_an_edge(
    title: str, word: str, state: str, line: str, place: str, count: int, lines: int
) -> None:
    subject = Subject(title, Mark("■", word, "bad"), state, STRIP)
    strip = replace(
        STRIP, begin=line, end=state, states=(State(10, 80, line, 3),), awaited=Awaited(30, 60, word)
    )
    subjects = (subject, replace(subject, strip=strip))[-count:]
    told = (Line(line, state, "◆", "bad"), Line("", line))[:lines]
    stays_inside(Card(place, subjects, told, line, "as of now"))


@given(left=PERCENT, width=st.floats(0, 140), now=PERCENT)
def test_what_lies_beyond_the_axis_is_drawn_at_its_edge(left: float, width: float, now: float) -> None:
    strip = Strip(
        "a", "b", (Bin(left, width, 1, True),), (Gap(left, width, "1 h"),), (State(left, width, "x", 0),),
        Awaited(left, width, "y"), now,
    )  # fmt: skip
    (subject,) = ORDER.subjects
    stays_inside(replace(ORDER, subjects=(replace(subject, strip=strip),)))


@pytest.mark.parametrize("room", [10, 40, 100, 10_000])
def test_a_text_is_shortened_until_it_fits(room: float) -> None:
    told = fitted("order 4711 of a very long name", 40, True, room, measure)
    assert measure(told, 40, True) <= max(room, measure("…", 40, True))
    assert told == "order 4711 of a very long name" or told.endswith("…")


def test_lengths_of_idle_time_never_run_into_each_other() -> None:
    drawn = [shape for shape in laid_out(ORDER, measure) if isinstance(shape, Text) and shape.anchor == "m"]
    assert [shape.text for shape in drawn] == ["16 h", "2 m", "59.9 s"]
    for one, other in pairwise(drawn):
        assert edges(one)[2] < edges(other)[0]
    close = replace(STRIP, gaps=(Gap(20, 5, "16 h 12 m"), Gap(25.5, 5, "14 h 59 m")))
    (subject,) = ORDER.subjects
    said = texts(replace(ORDER, subjects=(replace(subject, strip=close),)))
    assert "16 h 12 m" in said and "14 h 59 m" not in said


@pytest.mark.parametrize(
    ("told", "seen"),
    [
        ("order 4711", "order 4711"),
        ("a\n\tb\x1b[2J\u202e", "a b[2J"),
        ("cafe\u0301 Ærø Жук λ €", "café Ærø Жук λ €"),
        ("注文 1", "▯▯ 1"),
        ("🧵\ufe0f up", "▯ up"),
        ("■ ◔ ▸ ✓ ✕ ◆ ◈ ▼ ▲ ◇ ○ ‖", "■ ◔ ▸ ✓ ✕ ◆ ◈ ▼ ▲ ◇ ○ ‖"),
    ],
)
def test_what_no_font_has_is_an_empty_box(told: str, seen: str) -> None:
    assert cleaned(told) == seen
