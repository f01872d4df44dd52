"""The reading order of a forest, from each node's parent and time: whole arrays, whatever the size (pure).

A node comes before what is below it, and what is below one node is ordered by time, then by number. `forest` asks
for it once; folding and filtering are masks over the places it gives.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Times = NDArray[np.int64]

TOP = -1
# A level is a handful of array operations: a deeper forest is quicker by its tour, which takes the same for any depth.
DEEPEST_BY_LEVELS = 64


@dataclass(frozen=True, slots=True)
class Order:
    """`nodes[place]` and `places[node]` are each other's inverse. A node's subtree lies at its place and the next `sizes - 1`."""

    nodes: Ints
    places: Ints
    sizes: Ints
    depths: Ints


def arrange(parents: Ints, times: Times) -> Order:
    """The order of nodes 0…n-1; a parent is another node, or TOP. Without circles: whoever calls has cut them."""
    siblings, starts, counts = by_parent(parents, times)
    levels = _levels(siblings, starts, counts)
    if levels is None:
        return _toured(parents, siblings, starts, counts)
    count = len(parents)
    depths, sizes, places = (np.zeros(count, np.int32) for _ in range(3))
    sizes += 1
    for depth, level in enumerate(levels):
        depths[level] = depth
    for level in reversed(levels[1:]):
        np.add.at(sizes, parents[level], sizes[level])
    for level in levels:
        before = np.cumsum(sizes[level], dtype=np.int64) - sizes[level]
        above = parents[level]
        first = np.concatenate(([True], above[1:] != above[:-1]))
        # How much of the level stands before the first of these siblings does not move them.
        offset = before[first][np.cumsum(first) - 1]
        places[level] = before - offset + np.where(above == TOP, 0, places[above] + 1)
    return Order(_inverse(places), places, sizes, depths)


def by_parent(parents: Ints, times: Times) -> tuple[Ints, Ints, Ints]:
    """Nodes ordered by parent, time and number; where each parent's begin (TOP's at 0), and how many they are."""
    order = np.argsort(times, kind="stable").astype(np.int32)
    order = order[np.argsort(parents[order], kind="stable")]
    counts = np.bincount(parents + 1, minlength=len(parents) + 1).astype(np.int32)
    starts = (np.cumsum(counts) - counts).astype(np.int32)
    return order, starts, counts


def below(level: Ints, siblings: Ints, starts: Ints, counts: Ints) -> Ints:
    """The children of some nodes, in their order."""
    many = counts[level + 1]
    total = int(many.sum())
    skipped = np.repeat(starts[level + 1] - (np.cumsum(many) - many), many)
    found: Ints = siblings[skipped + np.arange(total)]
    return found


def _levels(siblings: Ints, starts: Ints, counts: Ints) -> list[Ints] | None:
    level = siblings[: counts[0]] if len(counts) > 1 else siblings
    levels = []
    while len(level):
        levels.append(level)
        if len(levels) > DEEPEST_BY_LEVELS:
            return None
        level = below(level, siblings, starts, counts)
    return levels


def _toured(parents: Ints, siblings: Ints, starts: Ints, counts: Ints) -> Order:
    """The same from a walk around the forest, down and up each node: its steps are ranked by doubling, all at once.

    Tarjan and Vishkin, 1985. Step v goes down to node v, step count + v up from it, the last step stays where it is.
    """
    count = len(parents)
    step = _next_steps(parents, siblings, starts, counts)
    left = np.ones(2 * count + 1, np.int32)  # steps from here to the end
    left[2 * count] = 0
    for _ in range((2 * count).bit_length()):
        left += left[step]
        step = step[step]
    at = 2 * count - left[:-1]
    walk = _inverse(at)
    down = walk < count
    nodes = walk[down]
    depths = np.cumsum(np.where(down, 1, -1))[at[:count]] - 1
    sizes = (at[count:] - at[:count] + 1) // 2
    return Order(nodes, _inverse(nodes), sizes.astype(np.int32), depths.astype(np.int32))


def _next_steps(parents: Ints, siblings: Ints, starts: Ints, counts: Ints) -> Ints:
    count = len(parents)
    step = np.full(2 * count + 1, 2 * count, np.int32)
    step[:count] = np.arange(count, 2 * count)
    above = np.flatnonzero(counts[1:])
    step[above] = siblings[starts[above + 1]]
    ups = step[count : 2 * count]
    ups[:] = np.where(parents == TOP, 2 * count, parents + count)
    beside = parents[siblings[1:]] == parents[siblings[:-1]]
    ups[siblings[:-1][beside]] = siblings[1:][beside]
    return step


def _inverse(places: Ints) -> Ints:
    found = np.empty_like(places)
    found[places] = np.arange(len(places), dtype=np.int32)
    return found
