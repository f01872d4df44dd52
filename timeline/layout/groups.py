"""Which siblings are tries of one thing, and which are many of the same: the rows they fold into (pure).

Tries are declared by attributes or inferred from how records lie; each group says which, and from what. What follows a
redirect or a challenge (3xx, 401) is no try of the same. `forest.with_groups` puts the rows in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from timeline.layout.forest import EVENT, SPAN, Forest, Group, Mask
from timeline.layout.order import Ints
from tracing.facts import NO_RETRY, UNKNOWN

REPEATS = 8  # as many of one operation below one parent fold
CLIENT, SERVER, CONSUMER = 3, 2, 5
# Clocks of one machine, rounded: a try may seem to begin a little before the one before it ended.
SLACK_NS = 1_000_000

# Why two siblings are tries of one thing, the strongest first.
DECLARED, DELIVERED, HIDDEN, FAILED = 4, 3, 2, 1
REASONS = {
    HIDDEN: "several servers under one call",
    FAILED: "failed, then the same again",
}


@dataclass(slots=True)
class _Siblings:
    """Spans ordered by parent, operation and time; `same` tells whether the next is of the same parent and operation."""

    rows: Ints
    parents: Ints
    same: Mask


def find_groups(forest: Forest) -> list[Group]:
    """Retries first, then repeats among what is left; each in the order of its first member."""
    siblings = _siblings(forest, _candidates(forest))
    failed = failed_tries(forest)
    retries = [*_staircases(forest, failed), *_retries(forest, siblings, failed)]
    taken = np.zeros(len(forest), np.bool_)
    free = []
    for group in retries:
        if not taken[group.members].any():
            taken[group.members] = True
            free.append(group)
    rest = siblings.rows[~taken[siblings.rows + forest.bases[SPAN]]]
    return [*free, *_repeats(forest, _siblings(forest, rest), failed)]


def _group(forest: Forest, row: str, rows: Ints, failed: Mask, declared: bool, why: str = "") -> Group:
    return Group(row, rows + np.int32(forest.bases[SPAN]), failed[rows], declared, why)


def failed_tries(forest: Forest) -> Mask:
    """Spans that failed, or say that they did where their status does not."""
    failed = forest.failed[forest.bases[SPAN] : forest.bases[EVENT]].copy()
    for row, hint in forest.tables.hints.items():
        failed[row] |= hint.failed
    return failed


def _candidates(forest: Forest) -> Ints:
    shown = forest.shown[forest.bases[SPAN] : forest.bases[EVENT]]
    context = forest.context[forest.bases[SPAN] : forest.bases[EVENT]]
    return np.flatnonzero(shown & ~context & (forest.kin.ranks == 0)).astype(np.int32)


def _siblings(forest: Forest, rows: Ints) -> _Siblings:
    parents = forest.parents[rows + forest.bases[SPAN]]
    operations = forest.spans["operation"][rows]
    # Rows are in order of time already, so a stable sort keeps them so.
    order = np.lexsort((operations, parents))
    rows, parents, operations = rows[order], parents[order], operations[order]
    same = (parents[1:] == parents[:-1]) & (operations[1:] == operations[:-1])
    return _Siblings(rows, parents, same)


def _retries(forest: Forest, siblings: _Siblings, failed: Mask) -> Iterator[Group]:
    if not len(siblings.rows):
        return
    links = _links(forest, siblings, failed)
    starts = np.flatnonzero(np.concatenate(([True], links == 0)))
    ends = np.append(starts[1:], len(siblings.rows))
    for start, end in zip(starts[ends - starts > 1], ends[ends - starts > 1], strict=True):
        reason = int(links[start : end - 1].max())
        members = siblings.rows[start:end]
        yield _group(forest, "retries", members, failed, reason == DECLARED, _why(forest, members, reason))


def _links(forest: Forest, siblings: _Siblings, failed: Mask) -> NDArray[np.uint8]:
    """For each of the siblings but the last: why the next one is another try of it, or 0."""
    rows, same = siblings.rows, siblings.same
    before, after = rows[:-1], rows[1:]
    facts, kinds = forest.spans["facts"], forest.spans["kind"]
    # What was stored before facts were marked is taken for an ordinary answer.
    again = same & ((facts[before] == UNKNOWN) | ((facts[before] & NO_RETRY) == 0))
    attempts, deliveries = _declared(forest)
    found = np.zeros(len(same), np.uint8)
    one_thing = (deliveries[before] == deliveries[after]) & ((attempts[after] == 0) | (attempts[after] > 1))
    found[again & _in_a_row(forest, siblings, failed[before] & one_thing)] = FAILED
    above = forest.kinds[siblings.parents[:-1]] == SPAN
    calls = np.where(above, siblings.parents[:-1] - forest.bases[SPAN], 0)
    found[again & above & (kinds[calls] == CLIENT) & (kinds[after] == SERVER)] = HIDDEN
    found[again & (deliveries[before] != 0) & (deliveries[before] == deliveries[after])] = DELIVERED
    found[again & (attempts[after] > np.maximum(attempts[before], 1))] = DECLARED
    return found


def _declared(forest: Forest) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each span's declared attempt, and a number for what it delivers; 0 where nothing is said."""
    attempts = np.zeros(len(forest.spans), np.int64)
    deliveries = np.zeros(len(forest.spans), np.int64)
    numbers: dict[str, int] = {}
    for row, hint in forest.tables.hints.items():
        attempts[row] = hint.attempt or 0
        if hint.delivery:
            deliveries[row] = numbers.setdefault(hint.delivery, len(numbers) + 1)
    return attempts, deliveries


def _in_a_row(forest: Forest, siblings: _Siblings, tried_again: Mask) -> Mask:
    """Where all of an operation's siblings but the last failed, one after the other.

    Else a loop over many things, in which some fail, would look like tries of one.
    """
    rows, same = siblings.rows, siblings.same
    starts = forest.spans["start"]
    ends = np.maximum(forest.spans["end"], starts)
    follows = tried_again & (starts[rows[1:]] >= ends[rows[:-1]] - SLACK_NS)
    runs = np.cumsum(np.concatenate(([False], ~same)))
    bad = np.bincount(runs[:-1][same & ~follows], minlength=int(runs[-1]) + 1)
    return np.asarray(same & (bad[runs[:-1]] == 0))


def _why(forest: Forest, members: Ints, reason: int) -> str:
    if reason == DELIVERED:
        return f"the same {_said(forest, members)}"
    return REASONS.get(reason, "")


def _said(forest: Forest, members: Ints) -> str:
    hints = (forest.tables.hints.get(int(row)) for row in members)
    return next((hint.delivery.partition("\n")[0] for hint in hints if hint and hint.delivery), "delivery")


def _staircases(forest: Forest, failed: Mask) -> Iterator[Group]:
    """Celery's tries nest: each one publishes the next, and that lies below it. They become siblings of one group."""
    tries: dict[tuple[int, int, str], list[int]] = {}
    for row, hint in sorted(forest.tables.hints.items()):
        span = forest.spans[row]
        if hint.delivery and span["kind"] == CONSUMER and forest.shown[row + forest.bases[SPAN]]:
            key = (int(span["trace"]), int(span["operation"]), hint.delivery)
            tries.setdefault(key, []).append(row)
    places, sizes = forest.order.places, forest.order.sizes
    for rows in tries.values():
        members = np.array(rows, np.int32)
        at = places[members + forest.bases[SPAN]]
        ends = at + sizes[members + forest.bases[SPAN]]
        if len(rows) > 1 and ((at[1:] > at[:-1]) & (at[1:] < ends[:-1])).all():
            why = f"the same {_said(forest, members)}"
            yield _group(forest, "retries", members, failed, _is_declared(forest, rows), why)


def _is_declared(forest: Forest, rows: Sequence[int]) -> bool:
    return any((forest.tables.hints[row].attempt or 0) > 1 for row in rows)


def _repeats(forest: Forest, siblings: _Siblings, failed: Mask) -> Iterator[Group]:
    if not len(siblings.rows):
        return
    starts = np.flatnonzero(np.concatenate(([True], ~siblings.same)))
    counts = np.diff(np.append(starts, len(siblings.rows)))
    for start, count in zip(starts[counts >= REPEATS], counts[counts >= REPEATS], strict=True):
        yield _group(forest, "repeats", siblings.rows[start : start + count], failed, declared=False)
