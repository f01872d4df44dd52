"""The table twin of a flow's rows: the same rows in columns, sortable, and as CSV.

What a page without scripts and a screen reader read best. `layout.sorting` orders, `templates/flow/table.html` draws.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any

from timeline import moments
from timeline.markdown import flat
from timeline.painting import DEEPEST, Painter
from timeline.reading import Reading
from timeline.rows import Row
from timeline.saying import read_rows
from timeline.text import SIGNS, time_text

PIECE = 500  # rows read at a time
CSV_COLUMNS = (
    "row", "id", "parent", "depth", "start", "start_ns", "duration_ns", "service", "name", "status", "attempt",
    "count", "text", "trace_id", "span_id",
)  # fmt: skip
# What a spreadsheet would take for a formula; the cells come from whoever sends records.
FORMULA = re.compile(r"^[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    href: str  # sorts by it, the other way round where it is sorted already
    sorted: str  # for aria-sort; empty where nothing sorts by it
    css: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    row: Row
    css: str
    indent: str
    when: str
    full: str
    took: str
    word: str
    sign: str
    href: str
    toggle: str
    is_open: bool | None
    said: str


def columns(reading: Reading, path: str) -> list[Column]:
    asked = reading.asked
    field, descending = asked.sort.lstrip("-"), asked.sort.startswith("-")

    def column(name: str, label: str, css: str = "") -> Column:
        if name != field:
            # What is looked for by length is what took longest.
            first = f"-{name}" if name == "took" else name
            return Column(label, asked.address(path, ("cursor", "at"), sort=first), "none", css)
        other = name if descending else f"-{name}"
        order = "descending" if descending else "ascending"
        return Column(label, asked.address(path, ("cursor", "at"), sort=other), order, css)

    return [
        Column("what", asked.address(path, ("cursor", "at", "sort")), "" if asked.sort else "ascending"),
        column("start", "start"),
        column("took", "took", "n"),
        column("service", "service"),
        column("status", "status"),
        Column("says", "", ""),
    ]


def lines(reading: Reading, painter: Painter, zone: tzinfo) -> Iterator[Line]:
    last = moments.moment(reading.flow.last_ns, zone) if reading.flow.last_ns is not None else None
    year = last.year if last else None
    for row in reading.rows:
        drawn = painter.draw(row)
        yield Line(
            row,
            drawn.css,
            f"d{min(row.depth, DEEPEST)}" if not reading.asked.sort else "d0",
            time_text(row.start, zone, year),
            drawn.when,
            "" if row.duration is None else moments.took(row.duration),
            row.severity or row.row,
            SIGNS[row.row],
            drawn.href,
            drawn.toggle,
            row.open,
            _said(row),
        )


def _said(row: Row) -> str:
    """Everything a timeline draws or marks beside a name."""
    waited = f"waited {moments.took(row.drawn - row.waits_from)} before" if row.waits_from else ""
    text = row.text or ""
    text = text.replace("`", "") if row.row == "flip" else flat(text) if row.row == "note" else text
    text = "" if row.row in ("log", "note") and text == row.name else text
    tried = f"try {row.attempt}" if row.attempt else ""
    counted = f"{row.count:,} records" if row.count is not None else ""
    return " · ".join(part for part in (tried, counted, " ".join(text.split()), *row.marks, waited) if part)


def write_csv(reading: Reading) -> Iterator[str]:
    """All rows at this fold state and these filters, however many, a piece at a time."""
    yield _written([CSV_COLUMNS])
    plan, story = reading.plan, reading.story
    for first in range(0, len(reading.nodes), PIECE):
        rows = read_rows(plan, story, reading.nodes[first : first + PIECE].tolist())
        yield _written(map(_cells, rows))


def _cells(row: Row) -> list[Any]:
    at = moments.moment(row.start, UTC) if row.start else None
    told: dict[str, Any] = row.as_json() | {
        "start": at.isoformat().replace("+00:00", "Z") if at else "",
        "start_ns": row.start or "",
        "duration_ns": row.duration,
    }
    return [_cell(told[name]) for name in CSV_COLUMNS]


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and FORMULA.match(value) else value


def _written(rows: Iterable[Iterable[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
