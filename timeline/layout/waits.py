"""Since when each span waited before it was worked on: as it says itself, or as the message it took up was sent (pure).

The waiting part of a bar is drawn thin, the working part thick. Times are those that are drawn, clocks corrected.
"""

from collections.abc import Iterable

import numpy as np

from timeline.layout.forest import SPAN, Forest
from timeline.layout.order import TOP, Ints, Times

PRODUCER, CONSUMER = 4, 5
# Less is the way a message takes, not a wait.
LEAST_NS = 1_000_000


def find_waits(forest: Forest, shift: Times, links: Iterable[tuple[int, int]] = ()) -> Times:
    """By row of the span: the moment from which it waited, or 0. `links` are rows of spans: who sent, who took up."""
    base, spans = forest.bases[SPAN], forest.spans
    moved = shift[base : base + len(spans)]
    starts, ends = spans["start"] + moved, np.maximum(spans["end"], spans["start"]) + moved
    found = np.zeros(len(spans), np.int64)
    senders, takers = _messages(forest, links)
    # A message is on its way once its sender is done, or while it still works on something else.
    sent = np.where(ends[senders] <= starts[takers], ends[senders], starts[senders])
    waited = (spans["kind"][takers] == CONSUMER) & (starts[takers] - sent >= LEAST_NS)
    np.maximum.at(found, takers[waited], sent[waited])
    for row, hint in forest.tables.hints.items():
        if hint.waiting_ns is not None and starts[row] - hint.waiting_ns - moved[row] >= LEAST_NS:
            found[row] = hint.waiting_ns + int(moved[row])
    return found


def _messages(forest: Forest, links: Iterable[tuple[int, int]]) -> tuple[Ints, Ints]:
    """Senders and who took up what they sent: consumers right below producers, and whoever links to a sender."""
    parents, kinds = forest.kin.parents, forest.spans["kind"]
    takers = np.flatnonzero((kinds == CONSUMER) & (parents != TOP))
    takers = takers[kinds[parents[takers]] == PRODUCER]
    linked = np.array(list(links), np.int32).reshape(-1, 2)
    return (
        np.concatenate((parents[takers], linked[:, 0])).astype(np.int32),
        np.concatenate((takers, linked[:, 1])).astype(np.int32),
    )
