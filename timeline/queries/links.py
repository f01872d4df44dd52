"""Span links among the records of a flow: between which rows, and between which chapters; and those of a window's spans.

`queries.chapters` reads them, `timeline.layout.timing` draws from them how long messages waited; links to other flows
are `queries.related`'s.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson

from timeline.layout.forest import SPAN, Forest
from timeline.layout.ids import chapter_id
from timeline.layout.order import TOP
from timeline.queries.bound import fetched
from timeline.queries.bykey import keys, look_up
from timeline.queries.chapters import read_links
from tracing.facts import LINKS

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


class Tie(NamedTuple):
    """One end of a link, as seen from the span in `row`."""

    row: int
    outward: bool  # the span links to the other; else the other links to it
    trace_id: bytes
    span_id: bytes


MOST_TIES = 2_000  # of one window
INWARD = """
    SELECT DISTINCT target_trace_id, target_span_id, trace_id, span_id FROM link
    WHERE target_trace_id = ANY(%(traces)s::bytea[]) AND target_span_id = ANY(%(ids)s::bytea[])
    LIMIT %(most)s"""


def read_ties(forest: Forest, rows: Sequence[int]) -> list[Tie]:
    """The links of these spans, both ways, whether the other end has come or not."""
    return [*_outward(forest, rows), *_inward(forest, rows)][:MOST_TIES] if rows else []


def _outward(forest: Forest, rows: Sequence[int]) -> list[Tie]:
    linking = [row for row in rows if int(forest.spans[row]["facts"]) & LINKS]
    return [
        Tie(linking[nth], True, bytes.fromhex(one["trace_id"]), bytes.fromhex(one["span_id"]))
        for nth, links in look_up("links", forest.spans[linking], forest.tables.traces)
        for one in orjson.loads(links or "[]")
    ]


def _inward(forest: Forest, rows: Sequence[int]) -> list[Tie]:
    # Of several versions of a span the first row stands for all.
    by_ids: dict[tuple[bytes, bytes], int] = {}
    for row, (trace_id, span_id, _) in zip(
        rows, keys(forest.spans[list(rows)], forest.tables.traces), strict=True
    ):
        by_ids.setdefault((trace_id, span_id), row)
    asked = {
        "traces": sorted({trace_id for trace_id, _ in by_ids}),
        "ids": sorted({span_id for _, span_id in by_ids}),
        "most": MOST_TIES,
    }
    found = sorted(tuple(map(bytes, row)) for row in fetched(INWARD, asked))
    return [
        Tie(by_ids[trace_id, span_id], False, other, other_span)
        for trace_id, span_id, other, other_span in found
        if (trace_id, span_id) in by_ids
    ]
