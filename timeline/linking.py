"""Span links in the rows: followed both ways, and opened where they belong instead of jumping away.

Another chapter of the same flow is gone to; another request is drawn beside this one as a chapter of its own, or left to
its own page where this flow is no request. `queries.links` reads them, `queries.related` those of a whole request.
"""

from collections.abc import Iterator, Sequence
from urllib.parse import quote

from timeline.addresses import flow_url
from timeline.layout.forest import SPAN
from timeline.queries.chapters import Trace, read_traces
from timeline.queries.links import Tie, read_ties
from timeline.queries.story import MOST_BESIDE
from timeline.reading import Reading
from timeline.rows import Row, Tied

SHOWN = 2  # links of a row that are named; a batch has hundreds, and its record lists them


def add_links(reading: Reading, path: str) -> None:
    """Each row of a span gets its links, with names for the other ends."""
    forest = reading.story.forest
    rows = {
        forest.row_of(node): row
        for node, row in zip(reading.nodes_here, reading.rows, strict=True)
        if forest.kinds[node] == SPAN
    }
    ties = read_ties(forest, list(rows))
    if not ties:
        return
    traces = _traces(reading, ties)
    of_row: dict[int, list[Tie]] = {}
    for tie in ties:
        of_row.setdefault(tie.row, []).append(tie)
    for row, told in of_row.items():
        rows[row].links = list(_tied(reading, path, rows[row], told, traces))


def _traces(reading: Reading, ties: Sequence[Tie]) -> dict[bytes, Trace]:
    known = reading.story.traces
    missing = sorted({tie.trace_id for tie in ties} - known.keys())
    return {**known, **(read_traces(missing) if missing else {})}


def _tied(
    reading: Reading, path: str, row: Row, ties: Sequence[Tie], traces: dict[bytes, Trace]
) -> Iterator[Tied]:
    for tie in ties[:SHOWN]:
        trace = traces.get(tie.trace_id)
        name = (trace and trace.root_name) or f"trace {tie.trace_id.hex()[:8]}"
        arrow = "←" if tie.outward else "→"
        if tie.trace_id.hex() == row.trace_id:
            yield Tied(f"{arrow} in here", _record(reading, path, tie), "a span of the same trace")
            continue
        href, title = _way(reading, path, tie, name, trace.spans if trace else 0)
        yield Tied(f"{arrow} {name}", href, title)
    if len(ties) > SHOWN:
        yield Tied(
            f"and {len(ties) - SHOWN} more", row_record(reading, path, row.id), "all links of this span"
        )


def _way(reading: Reading, path: str, tie: Tie, name: str, spans: int) -> tuple[str, str]:
    here = any(chapter.trace_id == tie.trace_id for chapter in reading.story.forest.chapters)
    if here:
        return _record(reading, path, tie), f"go to {name}"
    if not spans:
        return flow_url("request", "trace", tie.trace_id.hex()), "nothing of it has come yet"
    if reading.flow.kind == "request" and spans <= MOST_BESIDE:
        return beside(reading, path, tie.trace_id), f"draw {name} beside this request"
    return flow_url("request", "trace", tie.trace_id.hex()), f"{name}, a request of its own"


def beside(reading: Reading, path: str, trace_id: bytes) -> str:
    """This view with another request drawn beside it, or without it where it is drawn."""
    chapter = f"c-{trace_id.hex()}"
    opened = reading.asked.fold.opened ^ {chapter}
    folded = reading.asked.fold.folded - {chapter}
    return reading.asked.address(
        path, ("cursor", "at"), open=",".join(sorted(opened)), fold=",".join(sorted(folded))
    )


def _record(reading: Reading, path: str, tie: Tie) -> str:
    return row_record(reading, path, f"s-{tie.trace_id.hex()}-{tie.span_id.hex()}")


def row_record(reading: Reading, path: str, row_id: str) -> str:
    """This view with a row's record open, wherever the row is."""
    return reading.asked.address(path, ("cursor", "at"), record=quote(row_id, safe="-._~"))
