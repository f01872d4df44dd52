"""Span links among the records of a flow: between which rows, and between which chapters; and those of a window's spans.

`queries.chapters` reads them, `timeline.layout.timing` draws from them how long messages waited; links to other flows
are `queries.related`'s.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from timeline.layout.forest import SPAN, Forest
from timeline.layout.ids import chapter_id
from timeline.layout.order import TOP
from timeline.queries.bound import fetched
from timeline.queries.chapters import read_links
from tracing import arrays
from tracing.facts import LINKS
from tracing.records import day_of

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
# These spans were read as of a snapshot already, and a record never changes; OFFSET 0 as in `timeline.queries.details`.
OUTWARD = """
    SELECT nth - 1, told.links
    FROM unnest(%(traces)b::bytea[], %(ids)b::bytea[], %(digests)b::bytea[]) WITH ORDINALITY
        AS wanted(trace_id, span_id, digest, nth)
    CROSS JOIN LATERAL (
        SELECT links FROM span WHERE span.trace_id = wanted.trace_id AND span.span_id = wanted.span_id
            AND substr(span.digest, 1, 8) = wanted.digest AND day = ANY(%(days)s) OFFSET 0
    ) AS told
    WHERE told.links IS NOT NULL"""
INWARD = """
    SELECT DISTINCT target_trace_id, target_span_id, trace_id, span_id FROM link
    WHERE target_trace_id = ANY(%(traces)s::bytea[]) AND target_span_id = ANY(%(ids)s::bytea[])
    LIMIT %(most)s"""


def read_ties(forest: Forest, rows: Sequence[int]) -> list[Tie]:
    """The links of these spans, both ways, whether the other end has come or not."""
    if not rows:
        return []
    keys = {row: key_of_row(forest, row) for row in rows}
    return [*_outward(forest, keys), *_inward(keys)][:MOST_TIES]


def key_of_row(forest: Forest, row: int) -> tuple[bytes, bytes, bytes]:
    span = forest.spans[row]
    trace_id = forest.tables.traces[span["trace"]]
    return trace_id, int(span["span_id"]).to_bytes(8, "big"), int(span["digest"]).to_bytes(8, "big")


def _outward(forest: Forest, keys: dict[int, tuple[bytes, bytes, bytes]]) -> list[Tie]:
    rows = [row for row in keys if int(forest.spans[row]["facts"]) & LINKS]
    if not rows:
        return []
    packed = arrays.columns("bbb", (keys[row] for row in rows))
    asked: dict[str, Any] = dict(zip(("traces", "ids", "digests"), packed, strict=True))
    days = sorted({day_of(int(forest.spans[row]["start"])) for row in rows})
    return [
        Tie(rows[nth], True, bytes.fromhex(one["trace_id"]), bytes.fromhex(one["span_id"]))
        for nth, links in fetched(OUTWARD, asked | {"days": days})
        for one in orjson.loads(links)
    ]


def _inward(keys: dict[int, tuple[bytes, bytes, bytes]]) -> list[Tie]:
    by_ids = {key[:2]: row for row, key in sorted(keys.items(), reverse=True)}
    asked = {
        "traces": sorted({trace_id for trace_id, _ in by_ids}),
        "ids": sorted({span_id for _, span_id in by_ids}),
        "most": MOST_TIES,
    }
    rows = sorted(tuple(map(bytes, row)) for row in fetched(INWARD, asked))
    return [
        Tie(by_ids[trace_id, span_id], False, other, other_span)
        for trace_id, span_id, other, other_span in rows
        if (trace_id, span_id) in by_ids
    ]
