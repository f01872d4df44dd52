"""The rows of a plan in another order than the story's: by when, how long, whose, or how it ended (pure).

The table twin and its CSV sort by these; the timeline itself never leaves the order of the story.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import ASIDE, CHAPTER, GROUP, MOVE, Forest
from timeline.layout.order import Ints
from timeline.layout.plan import Plan
from timeline.layout.sieve import services_of
from timeline.layout.timing import extent

FIELDS = ("start", "took", "service", "status")


def sorted_nodes(plan: Plan, field: str, descending: bool = False) -> Ints:
    """The same rows by one field; what is equal in it stays in the order of the story, whichever way it goes."""
    if field not in _KEYS:
        return plan.nodes
    keys = _KEYS[field](plan.forest, plan.nodes)
    return np.asarray(plan.nodes[np.argsort(-keys if descending else keys, kind="stable")])


def _starts(forest: Forest, nodes: Ints) -> NDArray[np.int64]:
    return _times(forest, nodes)[0]


def _lengths(forest: Forest, nodes: Ints) -> NDArray[np.int64]:
    starts, ends = _times(forest, nodes)
    return np.asarray(ends - starts)


def _times(forest: Forest, nodes: Ints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As they are drawn; what has no time of its own comes first."""
    starts, ends = forest.drawn[nodes].copy(), forest.drawn_ends[nodes].copy()
    for place in np.flatnonzero(forest.kinds[nodes] == CHAPTER).tolist():
        node = int(nodes[place])
        starts[place], ends[place] = extent(forest, node, forest.chapters[forest.row_of(node)])
    return starts, ends


def _services(forest: Forest, nodes: Ints) -> NDArray[np.int64]:
    """The place of each row's service in the alphabet; a group's is its members', a chapter's none."""
    names = sorted({*forest.tables.services.values(), *(move.system for move in forest.tables.moves)})
    place = {name: number for number, name in enumerate(names, 1)}
    codes = services_of(forest)
    if forest.groups:
        first = forest.bases[GROUP]
        codes[first : first + len(forest.groups)] = codes[[group.members[0] for group in forest.groups]]
    found = np.zeros(len(nodes), np.int64)
    for code, name in forest.tables.services.items():
        found[codes[nodes] == code] = place[name]
    for at in np.flatnonzero(forest.kinds[nodes] == MOVE).tolist():
        found[at] = place[forest.move(int(nodes[at])).system]
    for at in np.flatnonzero(forest.kinds[nodes] == ASIDE).tolist():
        found[at] = place.get(forest.asides[forest.row_of(int(nodes[at]))].service, 0)
    return found


def _failures(forest: Forest, nodes: Ints) -> NDArray[np.int64]:
    """What failed comes first, and what holds a failure right after it."""
    failed = forest.failed[nodes].astype(np.int64)
    holds = forest.any_inside(forest.failed & forest.shown & ~forest.context)[nodes].astype(np.int64)
    return np.asarray(-(failed + holds))


_KEYS: Mapping[str, Callable[[Forest, Ints], NDArray[np.int64]]] = {
    "start": _starts,
    "took": _lengths,
    "service": _services,
    "status": _failures,
}
