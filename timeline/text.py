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
MOST_LINES = 6  # of one failure's text
SIGNS = {
    "chapter": "§", "span": "─", "event": "•", "log": "¶", "transition": "→", "retries": "↻", "repeats": "×",
    "ghost": "┄", "flip": "◇", "notification": "✉", "note": "✎",
}  # fmt: skip


def write(reading: Reading, others: Sequence[FlowSummary], form: str, zone: tzinfo) -> str:
    """The window that was read, as `txt` or `md`; `others` are the flows of this name in other environments."""
    head = [one_line(line) for line in _head(reading, zone)]
    began = moments.moment(reading.flow.last_ns, zone) if reading.flow.last_ns is not None else None
    rows = [line for row in reading.rows for line in _lines(row, zone, began.year if began else None)]
    if reading.following:
        rows.append(f"… rows {reading.first + 1}–{reading.first + len(reading.rows)} of {reading.total}")
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
    flow = reading.flow
    sign, word, _ = sentences.mark_of(flow, reading.first_error is not None)
    now = now_ns()
    word = sentences.summed_up(flow, now) or word
    place = f" ({flow.environment})" if flow.kind != "request" else ""
    yield f"{flow.title}{place}  {sign} {word}"
    yield str(sentences.answer(flow, reading.first_error, reading.root_ns, zone))
    yield from (f"{trouble.kind}: {trouble.title} {absolute(trouble.path)}" for trouble in flow.troubles)
    if flow.first_ns is not None and flow.last_ns is not None:
        yield f"{moments.full(flow.first_ns, zone)} → {moments.full(flow.last_ns, zone)}, {moments.took(flow.duration_ns)}"
    yield " · ".join(sentences.counts(flow))
    missing = [note.text for note in sentences.doubts(reading.trust, flow)]
    told = "missing: " + " · ".join(missing) if missing else "complete as far as known"
    more = sentences.remarks(reading.trust) + sentences.sampling(reading.sampling)
    more += sentences.skews(reading.trust, raw=reading.asked.fold.raw_clocks)
    yield " · ".join([told, *(note.text for note in more)])


def _lines(row: Row, zone: tzinfo, year: int | None) -> Iterator[str]:
    """A row's line, and under it what a failure or a warning says that did not fit."""
    at_ns = row.received_ns or row.start
    took = moments.took(row.duration) if row.duration is not None else "received" if row.received_ns else ""
    took = "open" if row.status == "open" and row.duration is None else took
    failed = " ✕" if row.status == "error" else ""
    indent = "  " * min(row.depth, 12)
    name = f"{indent}{SIGNS[row.row]} {_said(row)}"
    yield f"{time_text(at_ns, zone, year):<19} {_fit(name, NAME)} {_fit(row.service, SERVICE)} {took:>9}{failed}".rstrip()
    yield from _more(row, name, " " * 20 + indent)


def time_text(at_ns: int, zone: tzinfo, year: int | None) -> str:
    """19 columns: to the millisecond, or with the year where it is not the flow's."""
    moment = moments.moment(at_ns, zone)
    if moment is None or at_ns <= 0:
        return "no time"
    if moment.year != year:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{moment:%d %b %H:%M:%S}.{moment.microsecond // 1000:03}"


def _more(row: Row, name: str, indent: str) -> Iterator[str]:
    """The text of a failure or a warning, as far as its line did not say it."""
    said = " ".join((row.text or "").split())
    grave = row.status == "error" or row.severity.upper().startswith("WARN") or row.row in ("flip", "note")
    if not grave or not said or (said in name and _columns(name) <= NAME):
        return
    lines = list(_wrapped(one_line(said), WIDTH - len(indent) - 2))
    yield from (f"{indent}  {line}" for line in lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield f"{indent}  …"


def _said(row: Row) -> str:
    name = " ".join(row.name.split())
    if row.row == "log":
        return f"{row.severity or 'LOG'} {name}"
    if row.row == "transition":
        return row.text or row.name
    if row.row in ("flip", "ghost", "notification"):
        return f"{name}, {row.text}" if row.row == "ghost" and row.text else name
    if row.row == "event" and row.status == "error" and row.text:
        name = " ".join(row.text.split())
    if row.row in ("retries", "repeats"):
        return f"{row.count:,} {name} ({row.text})"
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


def _wrapped(text: str, width: int = WIDTH) -> Iterator[str]:
    """Lines of at most so many columns, broken between words, and within one that is longer than a line."""
    line = ""
    for word in text.split(" "):
        if line and _columns(line) + 1 + _columns(word) > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while _columns(line) > width:
            part = _cut(line, width)
            yield part
            line = line[len(part) :]
    yield line


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&" else letter for letter in text)
