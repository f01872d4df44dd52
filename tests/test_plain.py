"""What senders wrote, in one line and as Markdown that shows it as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from timeline.columns import columns
from timeline.plain import cell, one_line

MARKS = st.text(st.sampled_from("*_~`\\|[]()<>&#;!a1 é注\n-="), max_size=30) | st.text(max_size=20)


def shown(cells: list[str]) -> list[str]:
    """What a reader of Markdown sees in a row of a table."""
    table = f"| {' | '.join('abc'[: len(cells)])} |\n|{'---|' * len(cells)}\n| {' | '.join(cells)} |"
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(table)
    lines = [token for token in tokens if token.type == "inline"][len(cells) :]
    assert all(part.type in ("text", "text_special") for line in lines for part in line.children or ())
    return ["".join(part.content for part in line.children or ()) for line in lines]


@pytest.mark.parametrize(
    "text",
    [
        "order a*b*c ~~x~~ __y__",
        "_emphasis_ and **strong**",
        "&#42; &lt;b&gt; &amp;",
        "<script>alert(1)</script>",
        "a | b \\| c \\",
        "`code` ``x` [a](http://b) ![c](d) <http://e>",
    ],
)
def test_a_cell_shows_its_text_and_no_markup(text: str) -> None:
    assert shown([cell(text), "end"]) == [text, "end"]


@given(MARKS)
def test_any_text_is_shown_as_it_is(text: str) -> None:
    assert shown([cell(text), "end"]) == [one_line(text).strip(" "), "end"]


@given(st.text(st.sampled_from("ab 注文\x1b\n"), max_size=60), st.integers(2, 30))
def test_a_line_is_no_wider_than_asked(text: str, width: int) -> None:
    line = one_line(text, width)
    assert line.isprintable() and columns(line) <= width
