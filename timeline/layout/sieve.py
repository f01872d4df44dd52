"""Which records of a tree a filter keeps: those that match, and the path above them so that the tree still reads."""

from collections.abc import Iterator
from dataclasses import dataclass

from timeline.layout.bones import is_failed_log
from timeline.layout.tree import TOP, Tree


@dataclass(frozen=True, slots=True)
class Sieve:
    """What a page was asked to show. Empty fields ask nothing. Times are Unix nanoseconds, both ends included."""

    only: str = ""  # "errors" or "logs"
    services: frozenset[str] = frozenset()
    start: int | None = None
    end: int | None = None

    def __bool__(self) -> bool:
        return bool(self.only or self.services or self.start is not None or self.end is not None)


def keep(tree: Tree, sieve: Sieve) -> bytearray | None:
    """One flag a node: 1 for a match, 2 for the path above one; None when everything is kept."""
    if not sieve:
        return None
    flags = bytearray(len(tree.times))
    for node in _matches(tree, sieve):
        flags[node] = 1
        above = tree.parents[node]
        while above != TOP and not flags[above]:
            flags[above] = 2
            above = tree.parents[above]
    return flags


def _matches(tree: Tree, sieve: Sieve) -> Iterator[int]:
    low = sieve.start if sieve.start is not None else -(2**70)
    high = sieve.end if sieve.end is not None else 2**70
    for node, time in enumerate(tree.times):
        if time <= high and tree.end(node) >= low and _wanted(tree, node, sieve):
            yield node


def _wanted(tree: Tree, node: int, sieve: Sieve) -> bool:
    kind = tree.kind(node)
    if sieve.only == "logs" and kind != "log":
        return False
    if sieve.only == "errors" and not is_failed(tree, node, kind):
        return False
    return not sieve.services or _of_service(tree, node, kind, sieve.services)


def is_failed(tree: Tree, node: int, kind: str) -> bool:
    if kind == "span":
        return tree.spans[node].status == 2
    if kind == "log":
        return is_failed_log(tree.log(node).severity)
    return kind == "event" and tree.event(node).failed


def _of_service(tree: Tree, node: int, kind: str, services: frozenset[str]) -> bool:
    if kind == "span":
        return tree.spans[node].marked
    if kind == "log":
        return tree.log(node).marked
    if kind == "transition":
        return tree.move(node).system in services
    parent = tree.parents[node]
    return parent != TOP and tree.spans[parent].marked
