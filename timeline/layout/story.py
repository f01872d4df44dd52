"""Chapters and their trees as rows in reading order, under folds and filters.

A request is one chapter without a row of its own. `timeline.queries.story` makes the chapters, `timeline.views.flow`
takes a window of the plan and reads the details of those rows only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from timeline.layout.ids import node_id, span_node
from timeline.layout.sieve import Sieve, keep
from timeline.layout.tree import Tree

WHOLE = 500  # rows: a flow that fits is shown open
CHAPTER = -1  # the node of a chapter's own row


@dataclass(frozen=True, slots=True)
class Fold:
    """The fold state an address asks for: everything, or a default with exceptions."""

    expand: bool = False
    opened: frozenset[str] = frozenset()
    folded: frozenset[str] = frozenset()


@dataclass(slots=True)
class Chapter:
    """What happened to a flow in one trace, or in the traceless logs of one service on one day."""

    id: str
    trace_id: bytes
    service: str  # of traceless logs
    day: int
    tree: Tree | None  # None: not read, because it is folded and the flow is very large
    start: int = 0
    end: int = 0
    context: frozenset[bytes] = frozenset()  # span ids on the path to a root that does not belong
    has_row: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """One row: which chapter, which node of its tree, how deep."""

    chapter: int
    node: int
    depth: int


@dataclass(slots=True)
class Plan:
    chapters: Sequence[Chapter]
    places: list[tuple[int, int, int]]  # the fields of `Place`; a plan may hold a hundred thousand
    open: set[int] = field(default_factory=set)  # chapters
    flags: dict[int, bytearray] = field(default_factory=dict)  # of `sieve.keep`, by chapter

    def place(self, index: int) -> Place:
        return Place(*self.places[index])

    def row_id(self, index: int) -> str:
        chapter, node, _ = self.places[index]
        told = self.chapters[chapter]
        if node == CHAPTER or told.tree is None:
            return told.id
        return node_id(told.tree, node)

    def index_of(self, row_id: str, guess: int) -> int | None:
        """Where a row is; `guess` is tried first, because unchanged data keeps its places."""
        if 0 <= guess < len(self.places) and self.row_id(guess) == row_id:
            return guess
        return next((index for index in range(len(self.places)) if self.row_id(index) == row_id), None)


UNFOLDED, EVERYTHING = Fold(), Sieve()


def plan(chapters: Sequence[Chapter], fold: Fold = UNFOLDED, sieve: Sieve = EVERYTHING) -> Plan:
    inside = [_walk(chapter, fold, sieve) for chapter in chapters]
    told = Plan(chapters, [])
    # A single chapter is open however long: folded it would say nothing.
    fits = len(chapters) == 1 or sum(1 + len(walked.nodes) for walked in inside) <= WHOLE
    for index, (chapter, walked) in enumerate(zip(chapters, inside, strict=True)):
        if sieve and chapter.tree is not None and not walked.nodes:
            continue
        if chapter.has_row:
            told.places.append((index, CHAPTER, 0))
        if walked.flags is not None:
            told.flags[index] = walked.flags
        if is_open(chapter, fold, fits):
            told.open.add(index)
            told.places += zip([index] * len(walked.nodes), walked.nodes, walked.depths, strict=True)
    return told


def is_open(chapter: Chapter, fold: Fold, fits: bool) -> bool:
    if not chapter.has_row or fold.expand:
        return True
    if chapter.id in fold.folded:
        return False
    return chapter.tree is not None and (chapter.id in fold.opened or fits)


@dataclass(slots=True)
class Walked:
    nodes: list[int]
    depths: list[int]
    flags: bytearray | None = None


def _walk(chapter: Chapter, fold: Fold, sieve: Sieve) -> Walked:
    """The nodes of a tree in preorder, without what is folded away or filtered out."""
    tree = chapter.tree
    if tree is None:
        return Walked([], [])
    flags = keep(tree, sieve)
    closed = set() if fold.expand else {span_node(tree, row_id) for row_id in fold.folded}
    hidden = _hidden_versions(tree, fold) | _hidden_echoes(tree, fold, sieve)
    nodes: list[int] = []
    stack = tree.tops[::-1]
    children = tree.children.get
    while stack:
        node = stack.pop()
        if node in hidden or (flags is not None and not flags[node]):
            continue
        nodes.append(node)
        below = children(node)
        if below and node not in closed:
            stack.extend(below[::-1])
    return Walked(nodes, _depths(tree, nodes, 1 if chapter.has_row else 0), flags)


def _depths(tree: Tree, nodes: list[int], first: int) -> list[int]:
    """How deep each node lies; parents come before their children."""
    depths = [first - 1] * (len(tree.times) + 1)  # the last one is what TOP, -1, points at
    parents = tree.parents
    for node in nodes:
        depths[node] = depths[parents[node]] + 1
    return [depths[node] for node in nodes]


def _hidden_versions(tree: Tree, fold: Fold) -> set[int]:
    """Other records under a span's ids fold under the one shown."""
    if fold.expand or not tree.older:
        return set()
    opened = {span_node(tree, row_id) for row_id in fold.opened}
    return {node for head, others in tree.versions.items() if head not in opened for node in others}


def _hidden_echoes(tree: Tree, fold: Fold, sieve: Sieve) -> set[int]:
    """An exception told again by a log folds under the event that told it, unless logs are what is asked for."""
    if fold.expand or sieve.only == "logs":
        return set()
    return {log for log, event in tree.echoes.items() if node_id(tree, event) not in fold.opened}
