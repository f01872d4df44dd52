"""What stands on a flow's timeline without having been received: turns of its verdict, messages, notes, what is to come.

The cached forest holds records only; these rows are hung into it for each request (pure). They are leaves at the top
level in order of time, so folds, filters, cursors and counts hold for them as for any row. `queries.asides` reads them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import ASIDE, Aside, Forest
from timeline.layout.order import TOP, Ints, Order


def with_asides(forest: Forest, asides: Sequence[Aside]) -> Forest:
    """The same forest with these rows among the top ones: each after what began no later; what is to come at the end."""
    if not asides:
        return forest
    told = sorted(asides, key=lambda one: (one.row == "ghost", one.start, one.id))
    count, more = len(forest), len(told)
    # A request's only chapter has no row: what hangs under it stands at the top.
    above = 0 if forest.chapters and not forest.chapters[0].has_row else TOP
    nodes = np.arange(count, count + more, dtype=np.int32)
    starts = np.array([one.start for one in told], np.int64)
    ends = np.maximum(starts, np.array([one.end for one in told], np.int64))
    no, yes = np.zeros(more, np.bool_), np.ones(more, np.bool_)
    return replace(
        forest,
        kinds=np.concatenate((forest.kinds, np.full(more, ASIDE, np.uint8))),
        times=np.concatenate((forest.times, starts)),
        ends=np.concatenate((forest.ends, ends)),
        drawn=np.concatenate((forest.drawn, starts)),
        drawn_ends=np.concatenate((forest.drawn_ends, ends)),
        parents=np.concatenate((forest.parents, np.full(more, above, np.int32))),
        order=_inserted(forest.order, nodes, _places(forest, told, above), above),
        bases=(*forest.bases, count),
        failed=np.concatenate((forest.failed, no)),
        shown=np.concatenate((forest.shown, yes)),
        context=np.concatenate((forest.context, no)),
        loose=np.concatenate((forest.loose, no)),
        asides=told,
    )


def _places(forest: Forest, told: Sequence[Aside], above: int) -> NDArray[np.int64]:
    """Before which place of the forest's order each of them goes."""
    order = forest.order
    siblings = np.flatnonzero(forest.parents == above)
    siblings = siblings[np.argsort(order.places[siblings])]
    end = len(forest) if above == TOP else int(order.places[above] + order.sizes[above])
    edges = np.append(order.places[siblings], end)
    # Chapters lie in the order of their times; what an odd clock put out of it holds nothing up.
    times = np.maximum.accumulate(forest.times[siblings]) if len(siblings) else np.zeros(0, np.int64)
    after = np.searchsorted(times, [one.start for one in told], side="right")
    after[[one.row == "ghost" for one in told]] = len(siblings)
    return np.asarray(edges[after], np.int64)


def _inserted(order: Order, nodes: Ints, places: NDArray[np.int64], above: int) -> Order:
    together = np.insert(order.nodes, places, nodes)
    found = np.empty_like(together)
    found[together] = np.arange(len(together), dtype=np.int32)
    depth = 0 if above == TOP else int(order.depths[above]) + 1
    sizes = np.concatenate((order.sizes, np.ones(len(nodes), np.int32)))
    if above != TOP:
        sizes[above] += len(nodes)
    return Order(together, found, sizes, np.concatenate((order.depths, np.full(len(nodes), depth, np.int32))))
