"""Steps that took far longer than the same operation usually does, among the rows of a window.

`queries.usual` knows what is usual. It depends on what else is stored, so pages say it and JSON does not.
"""

from timeline.layout.forest import SPAN
from timeline.queries.usual import USUALS, Usual
from timeline.reading import Reading
from timeline.staged import is_staged

LEAST_NS = 10_000_000  # nobody waits for less


def mark_slow(reading: Reading) -> None:
    """Each slow span's row gets its usual time."""
    # What is usual is read from the real tables.
    usual = {} if is_staged() else USUALS.get()
    if not usual:
        return
    forest = reading.story.forest
    for node, row in zip(reading.nodes_here, reading.rows, strict=True):
        if forest.kinds[node] == SPAN and row.duration is not None:
            told = usual.get(int(forest.spans[forest.row_of(node)]["operation"]))
            if told and is_slow(row.duration, told):
                row.usual_ns = told.median_ns


def is_slow(took_ns: int, usual: Usual) -> bool:
    """Twice what 95 of 100 stay below, and by a time that somebody waits for."""
    return took_ns > 2 * usual.p95_ns and took_ns - usual.median_ns >= LEAST_NS
