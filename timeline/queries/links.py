"""Span links among the records of a flow: between which rows, and between which chapters.

`queries.chapters` reads them, `timeline.layout.timing` draws from them how long messages waited; links to other flows
are `queries.related`'s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from timeline.layout.forest import SPAN, Forest
from timeline.layout.ids import chapter_id
from timeline.layout.order import TOP
from timeline.queries.chapters import read_links

TRACES_LINKED = 2_000  # chapters among which links are looked up


class Link(NamedTuple):
    """Rows of spans that are read: one points to the other."""

    source: int
    target: int


def find_links(forest: Forest) -> list[Link]:
    """The links between the spans of a forest; none where it has too many traces to look them up."""
    traces = forest.tables.traces
    if len(traces) > TRACES_LINKED:
        return []
    place = {trace_id: index for index, trace_id in enumerate(traces)}
    told = read_links(traces)
    ends = [
        forest.kin.find(
            np.array([place[trace] for trace, _ in pairs], np.int32),
            np.array([int.from_bytes(span, "big") for _, span in pairs], np.uint64),
        ).tolist()
        for pairs in (
            [(link.source_trace, link.source_span) for link in told],
            [(link.target_trace, link.target_span) for link in told],
        )
    ]
    return [Link(*pair) for pair in zip(*ends, strict=True) if TOP not in pair]


def linked_chapters(forest: Forest, links: Sequence[Link]) -> dict[str, list[bytes]]:
    """For each chapter the other chapters' traces that its shown spans link to, in the order of the story."""
    traces, of_spans = forest.tables.traces, forest.spans["trace"]
    starts = {chapter.trace_id: (chapter.start, chapter.id) for chapter in forest.chapters}
    found: dict[str, set[bytes]] = {}
    for link in links:
        source, target = traces[of_spans[link.source]], traces[of_spans[link.target]]
        if source != target and forest.shown[forest.node_of(SPAN, link.source)]:
            found.setdefault(chapter_id(source, 0, ""), set()).add(target)
    return {name: sorted(targets, key=starts.__getitem__) for name, targets in found.items()}
