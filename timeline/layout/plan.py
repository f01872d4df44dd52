"""A forest as rows in reading order, under folds and filters (pure).

Folding a node hides the places of its subtree, filtering keeps what matches and the path above it; both are masks, so
a million rows take milliseconds. `timeline.views.flow` takes a window of the plan and reads those rows' details only.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass

import numpy as np

from timeline.layout.forest import CHAPTER, GROUP, SPAN, Forest, Mask
from timeline.layout.ids import find_node, row_id
from timeline.layout.order import Ints
from timeline.layout.sieve import EVERYTHING, Flags, Sieve, keep

WHOLE = 500  # rows: a flow that fits is shown open


@dataclass(frozen=True, slots=True)
class Fold:
    """The fold state an address asks for: everything, or a default with exceptions."""

    expand: bool = False
    opened: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()
    raw_clocks: bool = False  # times as they were told, though clocks differ


UNFOLDED = Fold()


@dataclass(slots=True)
class Plan:
    forest: Forest
    nodes: Ints  # the rows, in order
    closed: Mask  # nodes whose inside is folded away
    extras: Mask  # nodes whose other versions, or logs that tell them again, are shown
    flags: Flags | None  # of `sieve.keep`, by node
    hits: Mask | None  # what a search in the flow found, of what is kept; None where nobody searched
    _inside: Ints  # records up to each place, extras left out

    def __len__(self) -> int:
        return len(self.nodes)

    def depth(self, node: int) -> int:
        """How far in a row stands; a chapter without a row of its own takes no room."""
        chapters = self.forest.chapters
        return int(self.forest.order.depths[node]) - (0 if not chapters or chapters[0].has_row else 1)

    def row_id(self, index: int) -> str:
        return row_id(self.forest, int(self.nodes[index]))

    def index_of(self, told: str) -> int | None:
        """Where a row is, or None where it is not shown."""
        node = find_node(self.forest, told)
        return None if node is None else self.index_of_node(node)

    def index_of_node(self, node: int) -> int | None:
        places = self.forest.order.places
        at = int(np.searchsorted(places[self.nodes], places[node]))
        return at if at < len(self.nodes) and self.nodes[at] == node else None

    def is_open(self, node: int) -> bool | None:
        """Whether a row is unfolded; None where nothing is inside."""
        chapter = self.forest.chapters[node] if self.forest.kinds[node] == CHAPTER else None
        unread = chapter is not None and not chapter.was_read and chapter.count > 0
        place, size = self.forest.order.places[node], self.forest.order.sizes[node]
        inside = self._inside[place + size] - self._inside[place + 1]
        return not self.closed[node] if unread or inside else None

    def hits_at(self, node: int) -> int:
        """How many hits a row stands for: itself, and what is folded away in it."""
        if self.hits is None:
            return 0
        if not self.closed[node]:
            return int(self.hits[node])
        place = self.forest.order.places[node]
        return int(self.hits[self.forest.order.nodes[place : place + self.forest.order.sizes[node]]].sum())

    def first_hit(self) -> int | None:
        """The first row that is a hit or has some folded away in it."""
        if self.hits is None:
            return None
        inside = self.forest.any_inside(self.hits)[self.nodes]
        found = np.where(self.closed[self.nodes], inside, self.hits[self.nodes])
        return int(found.argmax()) if found.any() else None

    def has_extras(self, node: int) -> bool:
        """Whether there are other versions of it, or logs that tell it again."""
        return node in self.forest.echo_counts or self.forest.row_of(node) in self._versions(node)

    def _versions(self, node: int) -> Container[int]:
        return self.forest.kin.versions if self.forest.kinds[node] == SPAN else ()


def plan(forest: Forest, fold: Fold = UNFOLDED, sieve: Sieve = EVERYTHING, hits: Mask | None = None) -> Plan:
    """The rows of a forest. `hits` are the nodes a search in the flow found."""
    flags = keep(forest, sieve, hits)
    shown = forest.shown.copy() if flags is None else forest.shown & (flags > 0)
    shown[[node for node, chapter in enumerate(forest.chapters) if not chapter.has_row]] = False
    extras = _opened_extras(forest, fold, sieve)
    extra = _extra(forest)
    if hits is not None:
        extras[forest.parents[hits & extra]] = True
    shown &= ~extra | extras[forest.parents]
    closed = _closed(forest, fold, by_filter=flags is not None)
    visible = shown & ~_below(forest, closed | (extra & ~shown))
    chapters = _closed_chapters(forest, fold, fits=int(visible.sum()) <= WHOLE)
    closed |= chapters
    visible &= ~_below(forest, chapters)
    nodes = forest.order.nodes
    counts = np.concatenate(([0], np.cumsum((forest.shown & ~extra)[nodes])))
    kept = None if hits is None else hits & (forest.shown if flags is None else flags > 0)
    return Plan(forest, nodes[visible[nodes]], closed, extras, flags, kept, counts)


def _extra(forest: Forest) -> Mask:
    found = np.zeros(len(forest), np.bool_)
    found[forest.bases[1] : forest.bases[2]] = forest.kin.ranks > 0
    found[list(forest.echoes)] = True
    return found


def _opened_extras(forest: Forest, fold: Fold, sieve: Sieve) -> Mask:
    """Whose other versions and repeated exceptions are shown: they fold unless opened."""
    if fold.expand:
        found = np.ones(len(forest), np.bool_)
        found[_nodes(forest, fold.folded)] = False
        return found
    found = np.zeros(len(forest), np.bool_)
    found[_nodes(forest, fold.opened)] = True
    if sieve.only == "logs":
        found[list(forest.echoes.values())] = True
    if sieve.trust == "versions":
        found[[forest.node_of(SPAN, row) for row in forest.kin.versions]] = True
    return found


def _closed(forest: Forest, fold: Fold, *, by_filter: bool) -> Mask:
    """What is folded but chapters: what the address names, and groups, unless a filter looks into them."""
    closed = np.zeros(len(forest), np.bool_)
    if not fold.expand and not by_filter:
        closed[forest.kinds == GROUP] = True
        opened = _nodes(forest, fold.opened)
        closed[[node for node in opened if forest.kinds[node] == GROUP]] = False
    closed[_nodes(forest, fold.folded)] = True
    return closed


def _closed_chapters(forest: Forest, fold: Fold, *, fits: bool) -> Mask:
    """A single chapter is open however long: folded it would say nothing."""
    closed = np.zeros(len(forest), np.bool_)
    if fold.expand or fits or len(forest.chapters) == 1:
        return closed
    for node, chapter in enumerate(forest.chapters):
        closed[node] = chapter.has_row and chapter.id not in fold.opened
    return closed


def _below(forest: Forest, closed: Mask) -> Mask:
    """Everything inside closed nodes, themselves left out."""
    places, sizes = forest.order.places[closed], forest.order.sizes[closed]
    edges = np.zeros(len(forest) + 1, np.int64)
    np.add.at(edges, places + 1, 1)
    np.add.at(edges, places + sizes, -1)
    return np.asarray(np.cumsum(edges[:-1])[forest.order.places] > 0)


def _nodes(forest: Forest, row_ids: Iterable[str]) -> list[int]:
    found = (find_node(forest, told) for told in row_ids)
    return [node for node in found if node is not None]
