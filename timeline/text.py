"""A flow as plain text for a terminal or a code block, and as Markdown for an issue: at most 100 columns.

The same rows as the page, indented by depth; `timeline.sentences` gives the words above them. What senders wrote
reaches a terminal as printable text only, and a chat as text that is no markup.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from unicodedata import east_asian_width

from timeline import moments, sentences
from timeline.addresses import absolute
from timeline.plain import one_line
from timeline.reading import Reading
from timeline.rows import Row
from timeline.summaries import FlowSummary
from tracing.clock import now_ns

WIDTH = 100
NAME = 52  # columns for the indented name
SERVICE = 14
SIGNS = {"chapter": "§", "span": "─", "event": "•", "log": "¶", "transition": "→"}


def write(reading: Reading, others: Sequence[FlowSummary], form: str, zone: tzinfo) -> str:
    """The window that was read, as `txt` or `md`; `others` are the flows of this name in other environments."""
    head = [one_line(line) for line in _head(reading, zone)]
    rows = [_line(row, zone) for row in reading.rows]
    if reading.following:
        rows.append(f"… rows {reading.first + 1}–{reading.first + len(rows)} of {reading.total}")
    if form == "md":
        return _markdown(head, rows, reading.flow, others)
    # A link is never broken, however long it is.
    links = [absolute(reading.flow.path)]
    links += [f"also in {one_line(other.environment)}: {absolute(other.path)}" for other in others]
    return "\n".join([*(part for line in head for part in _wrapped(line)), "", *rows, "", *links])


def _markdown(
    head: Sequence[str], rows: Sequence[str], flow: FlowSummary, others: Sequence[FlowSummary]
) -> str:
    title, *rest = map(_escaped, head)
    rest += [f"also in [{_escaped(one_line(other.environment))}]({absolute(other.path)})" for other in others]
    told = "\n".join(f"{line}  " for line in rest)
    body = "\n".join(rows)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    return f"### [{title}]({absolute(flow.path)})\n\n{told}\n\n{fence}\n{body}\n{fence}\n"


def _head(reading: Reading, zone: tzinfo) -> Iterator[str]:
    flow, now = reading.flow, now_ns()
    sign, word, _ = sentences.mark_of(flow, reading.first_error is not None)
    place = f" ({flow.environment})" if flow.kind != "request" else ""
    yield f"{flow.title}{place}  {sign} {word}"
    yield " ".join(sentences.answer(flow, reading.first_error, reading.flow.state_since_ns, zone, now))
    if flow.first_ns is not None and flow.last_ns is not None:
        yield f"{moments.full(flow.first_ns, zone)} → {moments.full(flow.last_ns, zone)}, {moments.took(flow.duration_ns)}"
    counts = [
        (flow.chapters if flow.kind != "request" else 0, "chapter", "chapters"),
        (len(flow.services), "service", "services"),
        (flow.spans, "span", "spans"),
        (flow.events, "event", "events"),
        (flow.logs, "log", "logs"),
        (flow.errors, "error", "errors"),
        (flow.retries, "retry", "retries"),
    ]
    yield " · ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count)
    missing = sentences.doubts(reading.trust, flow)
    told = "missing: " + " · ".join(missing) if missing else "complete as far as known"
    yield " · ".join([told, *sentences.remarks(reading.trust)])


def _line(row: Row, zone: tzinfo) -> str:
    at_ns = row.received_ns or row.start
    moment = moments.moment(at_ns, zone)
    time = f"{moment:%d %b %H:%M:%S}.{moment.microsecond // 1000:03}" if moment and at_ns > 0 else "no time"
    took = moments.took(row.duration) if row.duration is not None else "received" if row.received_ns else ""
    failed = " ✕" if row.status == "error" else ""
    name = f"{'  ' * min(row.depth, 12)}{SIGNS[row.row]} {_said(row)}"
    return f"{time:<19} {_fit(name, NAME)} {_fit(row.service, SERVICE)} {took:>9}{failed}".rstrip()


def _said(row: Row) -> str:
    name = " ".join(row.name.split())
    if row.row == "log":
        return f"{row.severity or 'LOG'} {name}"
    if row.row == "transition":
        return row.text or row.name
    marks = f" [{', '.join(row.marks)}]" if row.marks else ""
    return f"{name}{marks}" + (f" (try {row.attempt})" if row.attempt else "")


def _fit(text: str, width: int) -> str:
    """Text cut or filled to this many columns."""
    shown = text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
    kept = _cut(shown, width)
    if len(kept) < len(shown):
        kept = _cut(shown, width - 1) + "…"
    return kept + " " * (width - _columns(kept))


def _cut(text: str, width: int) -> str:
    """As much of the text as these columns hold."""
    taken = 0
    for place, letter in enumerate(text):
        taken += _columns(letter)
        if taken > width:
            return text[:place]
    return text


def _columns(text: str) -> int:
    """How wide a terminal draws this: wide characters take two columns."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(letter) in "WF") for letter in text)


def _wrapped(text: str) -> Iterator[str]:
    """Lines of at most `WIDTH` columns, broken between words, and within one that is longer than a line."""
    line = ""
    for word in text.split(" "):
        if line and _columns(line) + 1 + _columns(word) > WIDTH:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while _columns(line) > WIDTH:
            part = _cut(line, WIDTH)
            yield part
            line = line[len(part) :]
    yield line


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&" else letter for letter in text)
