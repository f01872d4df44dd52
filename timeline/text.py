"""A flow as plain text for a terminal or a code block, and as Markdown for an issue: at most 100 columns.

The same rows as the page, indented by depth; `timeline.sentences` gives the words above them.
"""

from collections.abc import Iterator
from datetime import tzinfo
from unicodedata import east_asian_width

from timeline import moments, sentences
from timeline.addresses import absolute
from timeline.reading import Reading
from timeline.rows import Row
from tracing.clock import now_ns

WIDTH = 100
NAME = 52  # columns for the indented name
SERVICE = 14
SIGNS = {"chapter": "§", "span": "─", "event": "•", "log": "¶", "transition": "→"}


def write(reading: Reading, form: str, zone: tzinfo) -> str:
    head = list(_head(reading, zone))
    rows = [_line(row, zone) for row in reading.rows]
    if reading.following:
        rows.append(f"… rows {reading.first + 1}–{reading.first + len(rows)} of {reading.total}")
    if form == "md":
        title, *rest = head
        link = absolute(reading.flow.path)
        body = "\n".join(rows)
        fence = "```" if "```" not in body else "````"
        told = "\n".join(f"{line}  " for line in rest)
        return f"### [{_escaped(title)}]({link})\n\n{_escaped(told)}\n\n{fence}\n{body}\n{fence}\n"
    return "\n".join(
        [*(part for line in head for part in _wrapped(line)), "", *rows, "", absolute(reading.flow.path)]
    )


def _head(reading: Reading, zone: tzinfo) -> Iterator[str]:
    flow, now = reading.flow, now_ns()
    sign, word, _ = sentences.mark_of(flow, reading.first_error is not None)
    place = f" ({flow.environment})" if flow.kind != "request" else ""
    yield f"{flow.title}{place}  {sign} {word}"
    yield " ".join(sentences.answer(flow, reading.first_error, reading.state_since_ns, zone, now))
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
    moment = moments.moment(row.start, zone)
    time = (
        f"{moment:%d %b %H:%M:%S}.{moment.microsecond // 1000:03}" if moment and row.start > 0 else "no time"
    )
    took = moments.took(row.duration) if row.duration is not None else ""
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
    """Text cut or filled to this many columns; wide characters take two."""
    taken, kept = 0, []
    for letter in text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text):
        taken += 2 if east_asian_width(letter) in "WF" else 1
        kept.append(letter)
        if taken > width:
            break
    if taken <= width:
        return "".join(kept) + " " * (width - taken)
    while taken > width - 1:
        taken -= 2 if east_asian_width(kept.pop()) in "WF" else 1
    return "".join(kept) + "…" + " " * (width - 1 - taken)


def _wrapped(text: str) -> Iterator[str]:
    line = ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > WIDTH:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|" else letter for letter in text)
