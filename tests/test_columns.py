"""Texts within so many columns of a terminal, wide letters too."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.columns import columns, cut, fitted, shortened, wrapped

TEXT = st.text(st.sampled_from("ab 注文・é한ａ\n"), max_size=60)


@pytest.mark.parametrize(("text", "width"), [("", 0), ("order", 5), ("注文", 4), ("é·…", 3), ("ａ1", 3)])
def test_wide_letters_take_two(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("made", "text", "width", "shown"),
    [
        (cut, "注文 4711", 3, "注"),
        (cut, "注文", 4, "注文"),
        (shortened, "order", 5, "order"),
        (shortened, "orders", 5, "orde…"),
        (shortened, "注文", 4, "注文"),
        (shortened, "注文x", 4, "注…"),
        (fitted, "注文x", 4, "注… "),
        (fitted, "a\nb", 5, "a·b  "),
    ],
)
def test_a_text_of_a_width(made: Callable[[str, int], str], text: str, width: int, shown: str) -> None:
    assert made(text, width) == shown


@given(TEXT, st.integers(2, 20))
def test_nothing_is_wider_and_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    assert columns(shortened(text, width)) <= width
    assert columns(fitted(text, width)) == width
    lines = list(wrapped(text, width))
    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
