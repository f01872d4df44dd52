"""The critical path and self times on the rows of a window, where the address asks for them.

`layout.critical` finds both; `timeline.painting` draws the path under the bars and writes self times into the right column.
"""

from collections.abc import Sequence

from timeline.layout.critical import Spans, Stretch, critical_path, self_times
from timeline.layout.forest import CHAPTER, SPAN, Forest
from timeline.layout.order import TOP
from timeline.moments import took
from timeline.rows import Row

LEAST_WAIT_NS = 1_000_000_000  # between chapters; less is no wait anybody speaks of


def add_path(rows: Sequence[Row], nodes: Sequence[int], forest: Forest) -> None:
    """Each span row gets its stretches and its self time, each chapter how long it let the flow wait."""
    spans = Spans(forest)
    at = dict(zip(nodes, rows, strict=True))
    for stretch in _stretches(forest, spans):
        row = _shown_above(forest, at, forest.node_of(SPAN, stretch.row))
        if row is not None:
            row.path.append((stretch.start, stretch.end))
    own = self_times(spans, [forest.row_of(node) for node in nodes if forest.kinds[node] == SPAN])
    for span, own_ns in own.items():
        at[forest.node_of(SPAN, span)].self_ns = own_ns
    _add_pauses(rows)


def _shown_above(forest: Forest, at: dict[int, Row], node: int) -> Row | None:
    """The row of a node, or the row that it is folded into."""
    while node != TOP and forest.kinds[node] != CHAPTER:
        if node in at:
            return at[node]
        node = int(forest.parents[node])
    return None


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
                row.marks.append(f"after {took(row.drawn - ended)}")
            ended = max(ended, row.drawn_end)
