"""What logs say as people read it: level, first line, body without a terminal's colours, JSON laid out (pure).

What was sent stays as it was sent in a record's JSON; this is for rows and drawers.
"""

import re
from typing import Any

import orjson

from tracing.values import json_bytes

# Escape sequences: colours and cursors (CSI), titles and links (OSC), and the few of two characters.
ANSI = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])|\x9b[0-?]*[ -/]*[@-~]"
)
# Other controls draw nothing or boxes; tabs and line breaks are layout.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
LONGEST_LINE = 200  # characters of a line that names a row
LARGEST_JSON = 200_000  # characters; larger is shown as it came


def readable(text: str) -> str:
    """Text without what only a terminal understands; line breaks are all alike."""
    return CONTROLS.sub("", ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def severity_word(severity: int, text: str) -> str:
    """The level as the sender wrote it, else by OTLP's ranges of four."""
    if text:
        return text[:12]
    words = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return words[(severity - 1) // 4] if 1 <= severity <= 24 else ""


def first_line(body: str) -> str:
    line = body.strip().split("\n", 1)[0]
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def further_lines(text: str) -> int:
    """How many lines with something in them follow the first."""
    return max(0, sum(1 for line in text.strip().split("\n") if line.strip()) - 1)


def laid_out(body: Any) -> str | None:
    """A body that is JSON, or holds nothing but JSON, over several lines; None for other text.

    A text is laid out as it came: a number too long for a float, a name that stands twice are evidence.
    """
    if isinstance(body, dict | list):
        return json_bytes(body, indented=True).decode() if body else None
    if not isinstance(body, str) or not body.strip().startswith(("{", "[")) or len(body) > LARGEST_JSON:
        return None
    try:
        told = orjson.loads(body)
    except ValueError:
        return None
    return _indented(body) if told else None


# A text in quotes, a sign of structure, or a run of anything else but blanks.
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def _indented(text: str) -> str:
    """Sound JSON with line breaks and indents; its tokens stay as they are."""
    parts: list[str] = []
    depth = 0
    tokens = TOKEN.findall(text)
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else ""
        if token in "}]":
            depth -= 1
        if before and (before in "{[," or token in "}]") and before + token not in ("{}", "[]"):
            parts.append("\n" + "  " * depth)
        if token in "{[":
            depth += 1
        parts.append(": " if token == ":" else token)
    return "".join(parts)
