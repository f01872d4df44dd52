"""A flow as plain text for a terminal or a code block, and as Markdown for an issue: at most 100 columns.

The same rows as the page, indented by depth; `timeline.sentences` gives the words above them. What senders wrote
reaches a terminal as printable text only, and a chat as text that is no markup.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import tzinfo

from timeline import moments, sentences
from timeline.addresses import absolute
from timeline.columns import columns, fitted, wrapped
from timeline.plain import escaped, one_line
from timeline.quoting import indented, quote
from timeline.reading import Reading
from timeline.rows import Row
from timeline.summaries import FlowSummary
from tracing.clock import now_ns

WIDTH = 100
NAME = 52  # columns for the indented name
SERVICE = 14
MOST_IN_ISSUE = 40  # rows
MOST_LINES = 6  # of one failure's text
MOST_WRITTEN = 60  # lines of one note
SIGNS = {
    "chapter": "§", "span": "─", "event": "•", "log": "¶", "transition": "→", "retries": "↻", "repeats": "×",
    "ghost": "┄", "flip": "◇", "notification": "✉", "note": "✎",
}  # fmt: skip


def write(
    reading: Reading, others: Sequence[FlowSummary], form: str, zone: tzinfo, most: int | None = None
) -> str:
    """The window that was read, as `txt` or `md`; `others` are the flows of this name in other environments.

    Of more than `most` rows those in the middle are left out and counted; by default an issue's comment gets few.
    """
    most = (MOST_IN_ISSUE if form == "md" else len(reading.rows)) if most is None else most
    head = [one_line(line) for line in _head(reading, zone)]
    began = moments.moment(reading.flow.last_ns, zone) if reading.flow.last_ns is not None else None
    year = began.year if began else None
    story = _story(reading, most)
    if form == "md":
        notes = list(_notes(story, zone, year))
        return _markdown(head, _told(story, zone, year, whole=False), notes, reading.flow, others)
    rows = _told(story, zone, year)
    # A link is never broken, however long it is.
    links = [absolute(reading.flow.path)]
    links += [f"also in {one_line(other.environment)}: {absolute(other.path)}" for other in others]
    return "\n".join([*(part for line in head for part in wrapped(line, WIDTH)), "", *rows, "", *links])


def _markdown(
    head: Sequence[str],
    rows: Sequence[str],
    notes: Sequence[str],
    flow: FlowSummary,
    others: Sequence[FlowSummary],
) -> str:
    """A heading, the answer, facts as a list, the story in a fence, notes, links; `head` as `_head` yields it."""
    title, answer, *facts = head
    told = [f"- {linked(line)}" for line in facts]
    body = "\n".join(rows)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", body)), default=0))
    links = [f"[{escaped(one_line(flow.title))} in Threadline]({absolute(flow.path)})"]
    links += [f"also in [{escaped(one_line(one.environment))}]({absolute(one.path)})" for one in others]
    parts = [
        f"### [{escaped(title)}]({absolute(flow.path)})",
        coded(answer),
        "\n".join(told),
        f"{fence}\n{body}\n{fence}",
        *notes,
        " · ".join(links),
    ]
    return "\n\n".join(parts) + "\n"


def coded(sentence: str) -> str:
    """A sentence as Markdown, with the names between its backticks as code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return escaped(sentence)
    return "".join(f"`{part}`" if at % 2 and part else escaped(part) for at, part in enumerate(parts))


def linked(line: str) -> str:
    """A line as Markdown; the address of a page of ours at its end stays one."""
    told, space, url = line.rpartition(" ")
    if not space or not url.startswith(absolute("/")):
        return escaped(line)
    kind, colon, title = told.partition(": ")
    return f"{escaped(kind)}{colon}[{escaped(title)}]({url})" if colon else f"[{escaped(told)}]({url})"


def _story(reading: Reading, most: int) -> list[Row | str]:
    """The beginning and the end of it, how it went wrong and where it stands, and between them what is left out."""
    rows = reading.rows
    left_out = len(rows) - most
    # What comes after the window is not here: its end is not the story's.
    first = len(rows) if left_out <= 0 else most if reading.following else most * 3 // 5
    story: list[Row | str] = list(rows[:first])
    rest = rows[first + left_out :] if left_out > 0 and not reading.following else []
    if rest:
        failed = sum(row.status == "error" for row in rows[first : first + left_out])
        story.append(f"… {left_out:,} more rows{f', {failed:,} of them failed' if failed else ''} …")
    story += rest
    if reading.following:
        story.append(f"… rows {reading.first + 1}–{reading.first + min(first, len(rows))} of {reading.total}")
    return story


def _told(story: Sequence[Row | str], zone: tzinfo, year: int | None, *, whole: bool = True) -> list[str]:
    """Its lines; not `whole` without what notes say beyond theirs."""
    found: list[str] = []
    for one in story:
        if isinstance(one, str):
            found.append(one)
        else:
            found += _lines(one, zone, year, whole=whole or one.row != "note")
    return found


def _notes(story: Sequence[Row | str], zone: tzinfo, year: int | None) -> Iterator[str]:
    """Each note that says more than its line in the story, as a quote under its moment and its writer."""
    for row in story:
        if not isinstance(row, str) and row.row == "note" and row.text != row.name:
            marks = "".join(f", {mark}" for mark in row.marks)
            head = escaped(one_line(f"{SIGNS['note']} {time_text(row.start, zone, year)}{marks}:"))
            yield "\n".join([head, "", *quote(row.text or "")])


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


def _lines(row: Row, zone: tzinfo, year: int | None, *, whole: bool = True) -> Iterator[str]:
    """A row's line, and under it what a failure or a warning says that did not fit."""
    at_ns = row.received_ns or row.start
    took = moments.took(row.duration) if row.duration is not None else "received" if row.received_ns else ""
    took = "open" if row.status == "open" and row.duration is None else took
    failed = " ✕" if row.status == "error" else ""
    indent = "  " * min(row.depth, 12)
    name = f"{indent}{SIGNS[row.row]} {_said(row)}"
    yield f"{time_text(at_ns, zone, year):<19} {fitted(name, NAME)} {fitted(row.service, SERVICE)} {took:>9}{failed}".rstrip()
    if whole:
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
    if not grave or not said or (said in name and columns(name) <= NAME):
        return
    width, most = WIDTH - len(indent) - 2, MOST_LINES
    if row.row == "note":
        lines, most = list(indented(row.text or "", width)), MOST_WRITTEN
    else:
        lines = list(wrapped(one_line(said), width))
    yield from (f"{indent}  {line}".rstrip() for line in lines[:most])
    if len(lines) > most:
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
