"""The records of one trace as a tree that always draws, whatever was sent.

Parents may be missing, late, themselves, or in a circle; ids may repeat. Every record gets exactly one place, and the
same records get the same places in any order of arrival. `walk` turns a tree into rows.

A record is a number, a node: spans first, then events, logs and transitions, each sorted by time and identity,
so comparing numbers settles ties.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from operator import itemgetter

from timeline.layout.bones import NO_SPAN, EventBone, LogBone, Move, SpanBone, Told, is_failed_log

TOP = -1
# Fields of a hundred thousand bones are read by position: twice as fast as by name, and half of a page's time.
_TIME, _SPAN_ID, _PARENT_ID = itemgetter(0), itemgetter(1), itemgetter(4)
_END, _STATUS = itemgetter(5), itemgetter(6)


@dataclass(slots=True)
class Tree:
    spans: list[SpanBone]
    events: list[EventBone]
    logs: list[LogBone]
    moves: list[Move]
    times: list[int]
    parents: list[int]  # TOP for what hangs under the chapter itself
    children: dict[int, list[int]] = field(default_factory=dict)
    tops: list[int] = field(default_factory=list)
    heads: dict[bytes, int] = field(default_factory=dict)  # span id -> the version shown
    versions: dict[int, list[int]] = field(default_factory=dict)  # head -> the others under its ids
    older: dict[int, int] = field(default_factory=dict)  # any other version -> its rank, from 2
    echoes: dict[int, int] = field(
        default_factory=dict
    )  # a log telling an exception again -> the event that told it
    orphans: set[int] = field(default_factory=set)
    cycles: set[int] = field(default_factory=set)
    loose_logs: set[int] = field(default_factory=set)  # no span, or one that never came
    failed: list[int] = field(default_factory=list)  # spans with the status ERROR, logs at ERROR or above

    def kind(self, node: int) -> str:
        if node < len(self.spans):
            return "span"
        if node < len(self.spans) + len(self.events):
            return "event"
        return "log" if node < len(self.times) - len(self.moves) else "transition"

    def event(self, node: int) -> EventBone:
        return self.events[node - len(self.spans)]

    def log(self, node: int) -> LogBone:
        return self.logs[node - len(self.spans) - len(self.events)]

    def move(self, node: int) -> Move:
        return self.moves[node - len(self.times)]

    def end(self, node: int) -> int:
        """Where a record ends; never before it starts."""
        return max(self.spans[node].end, self.times[node]) if node < len(self.spans) else self.times[node]


def grow(
    spans: Iterable[SpanBone],
    events: Iterable[EventBone] = (),
    logs: Iterable[LogBone] = (),
    moves: Iterable[Move] = (),
    exceptions: Iterable[Told] = (),
) -> Tree:
    """The tree of one trace. `exceptions` are those told by events of spans whose logs tell exceptions too."""
    tree = Tree(sorted(spans), sorted(events), sorted(logs), sorted(moves), [], [])
    for bones in (tree.spans, tree.events, tree.logs, tree.moves):
        tree.times += map(_TIME, bones)
    _choose_heads(tree)
    _find_parents(tree)
    _cut_cycles(tree)
    mixed = _attach_events(tree)
    _find_echoes(tree, exceptions)
    mixed |= _attach_logs(tree) | _attach_moves(tree)
    _hang(tree, mixed)
    tree.failed = _find_failed(tree)
    return tree


def _choose_heads(tree: Tree) -> None:
    """Of several records under one id the one with the latest end is shown, the others fold under it."""
    tree.heads = dict(zip(map(_SPAN_ID, tree.spans), range(len(tree.spans)), strict=True))
    if len(tree.heads) == len(tree.spans):
        return
    groups: dict[bytes, list[int]] = {}
    for node, bone in enumerate(tree.spans):
        groups.setdefault(bone.span_id, []).append(node)
    for span_id, nodes in groups.items():
        if len(nodes) > 1:
            nodes.sort(key=lambda node: (tree.spans[node].end, node), reverse=True)
            tree.heads[span_id] = nodes[0]
            tree.versions[nodes[0]] = nodes[1:]
            tree.older.update((node, rank) for rank, node in enumerate(nodes[1:], 2))


def _find_parents(tree: Tree) -> None:
    tree.parents = list(map(tree.heads.get, map(_PARENT_ID, tree.spans), repeat(TOP)))
    for node in tree.older:
        tree.parents[node] = tree.heads[tree.spans[node].span_id]
    tops = (node for node, above in enumerate(tree.parents) if above == TOP)
    tree.orphans = {node for node in tops if tree.spans[node].parent_id != NO_SPAN}


def _cut_cycles(tree: Tree) -> None:
    """Cut each circle of parents above its earliest span, which then stands at the top."""
    parents = tree.parents
    settled = bytearray(len(parents))
    # A circle has at least one parent that does not come before its child.
    for start in [node for node, above in enumerate(parents) if above >= node]:
        path: list[int] = []
        node = start
        while node != TOP and not settled[node]:
            settled[node] = 2
            path.append(node)
            node = parents[node]
        if node != TOP and settled[node] == 2:
            first = min(path[path.index(node) :])
            parents[first] = TOP
            tree.cycles.add(first)
        for passed in path:
            settled[passed] = 1


def _attach_events(tree: Tree) -> set[int]:
    """Give each event its span; return the spans that now have children of several sorts."""
    exact: dict[tuple[bytes, bytes], int] = {}
    if tree.older:
        exact = {(bone.span_id, bone.digest): node for node, bone in enumerate(tree.spans)}
    mixed = set()
    for bone in tree.events:
        parent = exact.get((bone.span_id, bone.digest), tree.heads.get(bone.span_id, TOP))
        tree.parents.append(parent)
        mixed.add(parent)
    return mixed


def _find_echoes(tree: Tree, exceptions: Iterable[Told]) -> None:
    """Senders may tell one exception twice, by an event and by a log: the log folds under the event."""
    first: dict[tuple[bytes, int], tuple[int, bytes]] = {}
    for told in exceptions:
        key, place = (told.span_id, told.exception), (told.ordinal, told.digest)
        first[key] = min(first.get(key, place), place)
    if not first:
        return
    nodes = {
        (bone.span_id, bone.ordinal, bone.digest): node
        for node, bone in enumerate(tree.events, len(tree.spans))
    }
    for node, bone in enumerate(tree.logs, len(tree.spans) + len(tree.events)):
        place = first.get((bone.span_id, bone.exception), (0, b""))
        event = nodes.get((bone.span_id, *place))
        if event is not None and bone.exception:
            tree.echoes[node] = event


def _attach_logs(tree: Tree) -> set[int]:
    mixed = set()
    for bone in tree.logs:
        parent = tree.echoes.get(len(tree.parents), tree.heads.get(bone.span_id, TOP))
        if parent == TOP:
            tree.loose_logs.add(len(tree.parents))
        tree.parents.append(parent)
        mixed.add(parent)
    return mixed


def _attach_moves(tree: Tree) -> set[int]:
    """A span's transition hangs under the span; a log's beside the log."""
    if not tree.moves:
        return set()
    logs = {bone.log_id: tree.heads.get(bone.span_id, TOP) for bone in tree.logs}
    mixed = set()
    for move in tree.moves:
        parent = tree.heads.get(move.record_id, logs.get(move.record_id, TOP))
        tree.parents.append(parent)
        mixed.add(parent)
    return mixed


def _hang(tree: Tree, mixed: set[int]) -> None:
    children: defaultdict[int, list[int]] = defaultdict(list)
    for node, parent in enumerate(tree.parents):
        children[parent].append(node)
    for parent in mixed:
        # Nodes were appended by number, so equal times keep the order span, event, log, transition.
        children[parent].sort(key=tree.times.__getitem__)
    tree.tops = children.pop(TOP, [])
    tree.children = dict(children)


def extent(tree: Tree) -> tuple[int, int]:
    """From the first start to the last end of everything in a tree; of an empty one, nothing at all."""
    return min(tree.times, default=0), max(max(tree.times, default=0), max(map(_END, tree.spans), default=0))


def _find_failed(tree: Tree) -> list[int]:
    base = len(tree.spans) + len(tree.events)
    spans = [node for node, status in enumerate(map(_STATUS, tree.spans)) if status == 2]
    return spans + [node for node, bone in enumerate(tree.logs, base) if is_failed_log(bone.severity)]
