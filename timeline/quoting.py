"""What a person wrote over several lines, in texts that travel: its lines indented for a terminal, or as a quote in Markdown.

The words are shown as they were written, marks and all; `timeline.markdown` draws them on the page, `timeline.plain`
escapes what stands in one line.
"""

import re
from collections.abc import Iterator

from timeline.columns import wrapped
from timeline.plain import escaped, one_line

TAB = 4
DEEPEST = 24  # columns of a line's own indentation that are kept
# What begins a list, a heading's underline or a table's rule; `escaped` has the other marks.
BLOCK = re.compile(r"[-+=:]|\d{1,9}(?=[.)])")


def indented(text: str, width: int) -> Iterator[str]:
    """Its lines, each broken to so many columns (more than `DEEPEST`) with its own indentation kept."""
    for line in _written(text):
        words = line.lstrip(" ")
        before = " " * min(len(line) - len(words), DEEPEST)
        yield from (f"{before}{part}".rstrip() for part in wrapped(words, width - len(before)))


def quote(text: str) -> Iterator[str]:
    """Lines of a block quote that shows every line as it is and that nothing in it ends."""
    lines = _written(text)
    for place, line in enumerate(lines):
        # Lines of one paragraph would run together.
        goes_on = "\\" if any(lines[place + 1 : place + 2]) else ""
        yield f"> {_literal(line)}{goes_on}" if line else ">"


def _literal(line: str) -> str:
    words = line.lstrip(" ")
    told = escaped(words)
    mark = BLOCK.match(words)
    if mark:
        # Of `12.` the full stop makes the list.
        place = 0 if mark[0] in "-+=:" else mark.end()
        told = f"{told[:place]}\\{told[place:]}"
    return "&nbsp;" * (len(line) - len(words)) + told


def _written(text: str) -> list[str]:
    """Printable lines; blank ones only between others, one at a time."""
    found: list[str] = []
    for line in text.splitlines():
        told = one_line(line.expandtabs(TAB)).rstrip()
        if told or (found and found[-1]):
            found.append(told)
    return found[:-1] if found and not found[-1] else found
