"""The critical path of a request: at each moment the one span that the end had to wait for (pure).

From the end backwards: a span waits for the child that finished last, before that for the one that finished last before
that child began, and works itself in between. What a span does after its parent ended held nothing up. The method is
that of Böhme, Wolf and Geimer (2012) as tracing tools draw it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from timeline.layout.forest import SPAN, Forest
from timeline.layout.order import TOP, Ints

MOST = 20_000  # stretches: enough for any picture


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the path: the row of the span that was worked in, and when."""

    row: int
    start: int
    end: int


class Spans:
    """The spans of a forest by parent, with the times that are drawn."""

    def __init__(self, forest: Forest) -> None:
        base = forest.bases[SPAN]
        self.starts = forest.drawn[base : base + len(forest.spans)]
        self.ends = forest.drawn_ends[base : base + len(forest.spans)]
        self._parents = forest.kin.parents
        counted = forest.shown[base : base + len(forest.spans)] & (forest.kin.ranks == 0)
        self._order = np.lexsort((self.ends, self._parents))
        self._order = self._order[counted[self._order]].astype(np.int32)
        self._ordered = self._parents[self._order]

    def children(self, row: int) -> Ints:
        """The children of a span, whoever ended last at the end."""
        low, high = np.searchsorted(self._ordered, [row, row + 1])
        return np.asarray(self._order[low:high], np.int32)

    def roots(self) -> Ints:
        return self.children(TOP)


def critical_path(spans: Spans, root: int) -> list[Stretch]:
    """The path through one tree, in order of time."""
    found: list[Stretch] = []
    waiting = [(root, int(spans.starts[root]), int(spans.ends[root]))]
    while waiting and len(found) < MOST:
        row, since, until = waiting.pop()
        found += _walk(spans, row, since, until, waiting)
    return sorted((one for one in found if one.end > one.start), key=lambda one: (one.start, one.row))


def _walk(
    spans: Spans, row: int, since: int, until: int, waiting: list[tuple[int, int, int]]
) -> Iterator[Stretch]:
    """One span's own stretches within what led to it waited; the children it waited for go on the list."""
    start = max(int(spans.starts[row]), since)
    now = until
    for child in spans.children(row)[::-1].tolist():
        ended, began = min(int(spans.ends[child]), until), int(spans.starts[child])
        # What ended while a later one was waited for already held nothing up.
        if began >= now or ended > now or ended <= start:
            continue
        if ended < now:
            yield Stretch(row, ended, now)
        waiting.append((child, start, ended))
        now = max(began, start)
    if now > start:
        yield Stretch(row, start, now)


def self_times(spans: Spans, rows: Sequence[int]) -> dict[int, int]:
    """How long each of these spans worked while none of its children did."""
    return {row: _self_time(spans, row) for row in rows}


def _self_time(spans: Spans, row: int) -> int:
    start, end = int(spans.starts[row]), int(spans.ends[row])
    children = spans.children(row)
    lows = np.clip(spans.starts[children], start, end)
    highs = np.clip(spans.ends[children], start, end)
    order = np.argsort(lows, kind="stable")
    lows, highs = lows[order], highs[order]
    covered = np.maximum.accumulate(np.concatenate(([start], highs)))
    # What each child adds to what those before it had covered.
    return end - start - int(np.maximum(0, highs - np.maximum(lows, covered[:-1])).sum())
