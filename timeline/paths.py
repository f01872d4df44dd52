"""The critical path and self times on the rows of a window, where the address asks for them.

`layout.critical` finds both; `timeline.painting` draws the path under the bars and writes self times into the right column.
"""

from collections.abc import Sequence

from timeline.layout.critical import Spans, Stretch, critical_path, self_times
from timeline.layout.forest import SPAN, Forest
from timeline.moments import took
from timeline.rows import Row

LEAST_WAIT_NS = 1_000_000_000  # between chapters; less is no wait anybody speaks of


def add_path(rows: Sequence[Row], nodes: Sequence[int], forest: Forest) -> None:
    """Each span row gets its stretches and its self time, each chapter how long it let the flow wait."""
    spans = Spans(forest)
    at = {
        forest.row_of(node): row for node, row in zip(nodes, rows, strict=True) if forest.kinds[node] == SPAN
    }
    for stretch in _stretches(forest, spans):
        if stretch.row in at:
            at[stretch.row].path.append((stretch.start, stretch.end))
    for row, own_ns in self_times(spans, list(at)).items():
        at[row].self_ns = own_ns
    _add_pauses(rows)


def _stretches(forest: Forest, spans: Spans) -> list[Stretch]:
    """The path of each chapter: that of its longest root."""
    longest: dict[int, int] = {}
    for root in spans.roots().tolist():
        chapter = int(forest.parents[forest.node_of(SPAN, root)])
        best = longest.get(chapter)
        if best is None or spans.ends[root] - spans.starts[root] > spans.ends[best] - spans.starts[best]:
            longest[chapter] = root
    return [stretch for root in longest.values() for stretch in critical_path(spans, root)]


def _add_pauses(rows: Sequence[Row]) -> None:
    """How long nothing went on before each chapter began, where the chapter before it is in the window."""
    ended = 0
    for row in rows:
        if row.row == "chapter" and row.drawn:
            if ended and row.drawn - ended >= LEAST_WAIT_NS:
                row.marks.append(f"{took(row.drawn - ended)} after the one before")
            ended = max(ended, row.drawn_end)
