"""Bodies of logs for people: terminal sequences gone, JSON laid out, lines counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.bodies import further_lines, laid_out, readable

READABLE = {
    "plain": ("card declined", "card declined"),
    "colours": ("\x1b[1;31mERROR\x1b[0m card", "ERROR card"),
    "256 colours": ("\x1b[38;5;196mred\x1b[m", "red"),
    "cursor": ("50 %\x1b[2K\x1b[1Gdone", "50 %done"),
    "title": ("\x1b]0;a title\x07text", "text"),
    "link": ("\x1b]8;;http://x\x1b\\here\x1b]8;;\x1b\\", "here"),
    "one byte": ("\x9b31mred\x9b0m", "red"),
    "cut short": ("text\x1b[3", "text[3"),
    "controls": ("a\x00b\x08c\td\ne", "abc\td\ne"),
    "line ends": ("a\r\nb\rc", "a\nb\nc"),
    "other letters": ("Zürich 東京 🙂", "Zürich 東京 🙂"),
}


@pytest.mark.parametrize("name", READABLE)
def test_readable(name: str) -> None:
    sent, expected = READABLE[name]
    assert readable(sent) == expected


@given(st.text())
def test_reading_twice_changes_nothing_more(text: str) -> None:
    once = readable(text)
    assert "\x1b" not in once
    assert readable(once) == once or "\x9b" in text


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("one", 0), ("one\n", 0), ("one\ntwo\n\nthree", 2), ("\n\none\ntwo", 1)]
)
def test_further_lines(text: str, expected: int) -> None:
    assert further_lines(text) == expected


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(st.lists(JSON, min_size=1, max_size=3))
def test_laying_out_changes_nothing_but_blanks(value: list[object]) -> None:
    told = laid_out(json.dumps(value))
    assert told is not None
    assert json.loads(told) == value


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("text", None),
        ("{not json}", None),
        ("{}", None),
        (7, None),
        ({"a": 1}, '{\n  "a": 1\n}'),
        (' {"a":[1]}\n', '{\n  "a": [\n    1\n  ]\n}'),
        ([1], "[\n  1\n]"),
        ('{"a":{},"b":[],"c":"x, {y}: \\"z\\""}', '{\n  "a": {},\n  "b": [],\n  "c": "x, {y}: \\"z\\""\n}'),
        (
            '{"id": 123456789012345678901, "price": 10.10, "a": 1, "a": 2}',
            '{\n  "id": 123456789012345678901,\n  "price": 10.10,\n  "a": 1,\n  "a": 2\n}',
        ),
        ("[" * 300_000, None),
    ],
)
def test_laid_out(body: object, expected: str | None) -> None:
    assert laid_out(body) == expected
