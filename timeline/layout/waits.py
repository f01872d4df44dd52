"""Since when each span waited before it was worked on: as it says itself, or as the message it took up was sent (pure).

The waiting part of a bar is drawn thin, the working part thick. Times are those that are drawn, clocks corrected.
"""

from collections.abc import Iterable

import numpy as np

from timeline.layout.forest import SPAN, Forest
from timeline.layout.order import TOP, Times

PRODUCER, CONSUMER = 4, 5
# Less is the way a message takes, not a wait.
LEAST_NS = 1_000_000


def find_waits(forest: Forest, shift: Times, links: Iterable[tuple[int, int]] = ()) -> dict[int, int]:
    """By row of the span: the moment from which it waited. `links` are rows of spans: who sent, who took up."""
    base, spans = forest.bases[SPAN], forest.spans
    moved = shift[base : base + len(spans)]
    starts, ends = spans["start"] + moved, np.maximum(spans["end"], spans["start"]) + moved
    found: dict[int, int] = {}
    for sender, taker in [*_messages(forest), *links]:
        # A message is on its way once its sender is done, or while it still works on something else.
        sent = ends[sender] if ends[sender] <= starts[taker] else starts[sender]
        if spans["kind"][taker] == CONSUMER and starts[taker] - sent >= LEAST_NS:
            found[int(taker)] = max(int(sent), found.get(int(taker), 0))
    for row, hint in forest.tables.hints.items():
        if hint.waiting_ns is not None and starts[row] - hint.waiting_ns - moved[row] >= LEAST_NS:
            found[row] = hint.waiting_ns + int(moved[row])
    return found


def _messages(forest: Forest) -> list[tuple[int, int]]:
    """Consumers right below their producers."""
    parents, kinds = forest.kin.parents, forest.spans["kind"]
    takers = np.flatnonzero((kinds == CONSUMER) & (parents != TOP))
    takers = takers[kinds[parents[takers]] == PRODUCER]
    return list(zip(parents[takers].tolist(), takers.tolist(), strict=True))
