"""What people wrote, in texts that travel: every line as it is, and nothing that ends the quote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from timeline.columns import columns
from timeline.quoting import indented, quote

MARKS = st.text(st.sampled_from("*_~`\\|[]()<>&#;!+=:.-12a é注\n\t\x1b"), max_size=60)
ENDS = ("paragraph_open", "inline", "paragraph_close", "blockquote_open", "blockquote_close")


def shown(text: str) -> list[str]:
    """The lines a reader of Markdown sees, which are nothing but text in one quote."""
    told = "\n".join(["before", "", *quote(text), "", "after"])
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(told)
    assert {token.type for token in tokens} <= {*ENDS}, told
    assert sum(token.type == "blockquote_open" for token in tokens) <= 1
    lines: list[str] = []
    for token in tokens[3:-3]:
        parts = token.children or ()
        assert all(part.type in ("text", "text_special", "hardbreak") for part in parts), told
        if parts:
            read = "".join("\n" if part.type == "hardbreak" else part.content for part in parts)
            lines += [*([""] if lines else []), *read.split("\n")]
    return [line.replace("\xa0", " ") for line in lines]


def written(text: str) -> list[str]:
    """Its lines as printable text, no blank one beside another or at an end."""
    lines = [line.expandtabs(4) for line in text.splitlines()]
    lines = ["".join(x if x.isprintable() else " " for x in line).rstrip() for line in lines]
    return "\n".join(lines).strip("\n").replace("\n\n\n", "\n\n").split("\n") if any(lines) else []


@pytest.mark.parametrize(
    "text",
    [
        "# one\n## two",
        "- one\n- two\n  - three",
        "+ one\n+ two",
        "1. one\n12) two\n1986. A year",
        "a\n===\nb\n---",
        "a\n:-\nb\n-:",
        "> quoted\nand on",
        "```sh\nkubectl get pods\n```",
        "    code\n\tcode",
        "[a]: http://b\n[a]",
        "<script>alert(1)</script>\n<!--\n\n-->",
        "a\\\nb\\",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "***\n___\n~~x~~",
        "",
    ],
)
def test_a_quote_shows_every_line_as_it_is(text: str) -> None:
    assert shown(text) == written(text)


@given(MARKS)
def test_of_any_text(text: str) -> None:
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    assert [line for line in shown(text) if line] == [line for line in written(text) if line]


@given(MARKS, st.integers(30, 60))
def test_lines_are_indented_and_within_their_width(text: str, width: int) -> None:
    lines = list(indented(text, width))
    assert all(line.isprintable() and columns(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join("".join(written(text)).split())


def test_a_long_line_goes_on_under_its_beginning() -> None:
    assert list(indented("a\n\n\n  - one two three four five six", 30)) == [
        "a",
        "",
        "  - one two three four five",
        "  six",
    ]
