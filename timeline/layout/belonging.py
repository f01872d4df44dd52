"""What of the traces that mention a flow is the flow's: what carries its key, all below that, and the path up (pure).

The same as `tracing.membership` says for the judge, on a whole forest at once. What does not belong stays in the forest
and is not shown; the path up to a root that does not belong is shown as context.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from timeline.layout.forest import CHAPTER, EVENT, LOG, MOVE, SPAN, Chapter, Forest, Mask, log_id
from timeline.layout.order import TOP, Ints, arrange

MARK_BYTES = 4


@dataclass(frozen=True, slots=True)
class Mentioned:
    """The records that carry the key: spans as (place of the trace, span id and first bytes of the digest)."""

    versions: set[tuple[int, bytes]]
    log_ids: set[bytes]


def cut_down(forest: Forest, mentioned: Mentioned) -> tuple[Forest, int]:
    """The forest with only what belongs shown, chapters dated by it and in order; and how many records are related."""
    carriers = _nodes_of_spans(forest, mentioned)
    logs = _mask(forest, _rows_of_logs(forest, mentioned), LOG)
    belonging = forest.any_above(_mask(forest, carriers, SPAN)) & (forest.kinds != MOVE)
    is_span = forest.kinds == SPAN
    context = forest.any_inside(belonging | logs) & ~belonging & is_span
    shown = belonging | context | logs | (forest.kinds == CHAPTER) | (forest.kinds == MOVE)
    forest.shown, forest.context = shown, context
    date_chapters(forest)
    starts = np.array([chapter.start for chapter in forest.chapters], np.int64)
    forest.times[: len(starts)] = starts
    ordered = replace(forest, order=arrange(forest.parents, forest.times))
    counted = _versions_among(forest, mentioned, belonging)
    related = int((belonging & is_span).sum()) - counted + int((shown & ~logs & (forest.kinds == LOG)).sum())
    return ordered, related


def _nodes_of_spans(forest: Forest, mentioned: Mentioned) -> Ints:
    """The shown span under each id that carries the key."""
    pairs = list({(trace, version[:8]) for trace, version in mentioned.versions})
    traces = np.array([trace for trace, _ in pairs], np.int32)
    ids = np.array([int.from_bytes(span_id, "big") for _, span_id in pairs], np.uint64)
    found = forest.kin.find(traces, ids)
    return np.asarray(found[found != TOP])


def _versions_among(forest: Forest, mentioned: Mentioned, belonging: Mask) -> int:
    """How many of the spans that belong carry the key themselves."""
    spans = forest.spans
    ids = np.array([int.from_bytes(version[:8], "big") for _, version in mentioned.versions], np.uint64)
    of_spans = belonging[forest.bases[SPAN] : forest.bases[EVENT]]
    rows = np.flatnonzero(np.isin(spans["span_id"], ids) & of_spans)
    told = (
        (int(trace), int(span_id).to_bytes(8, "big") + int(digest).to_bytes(8, "big")[:MARK_BYTES])
        for trace, span_id, digest in zip(
            spans["trace"][rows], spans["span_id"][rows], spans["digest"][rows], strict=True
        )
    )
    return sum(1 for one in told if one in mentioned.versions)


def _rows_of_logs(forest: Forest, mentioned: Mentioned) -> Ints:
    logs = forest.tables.logs
    lows = np.array([int.from_bytes(one[8:], "big") for one in mentioned.log_ids], np.uint64)
    rows = np.flatnonzero(np.isin(logs["low"], lows))
    return np.array([row for row in rows.tolist() if log_id(logs[row]) in mentioned.log_ids], np.int32)


def _mask(forest: Forest, rows: Ints, kind: int) -> Mask:
    found = np.zeros(len(forest), np.bool_)
    found[rows + forest.bases[kind]] = True
    return found


def date_chapters(forest: Forest) -> None:
    """Date and count each chapter by its records; one whose records are gone keeps what it was told."""
    roots = forest.order.places[: len(forest.chapters)]
    chapters = [forest.chapters[number] for number in np.argsort(roots).tolist()]
    own = forest.shown & ~forest.context & (forest.kinds != CHAPTER)
    if not chapters:
        return
    nodes, begins = forest.order.nodes, np.sort(roots)
    most, least = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    starts = np.minimum.reduceat(np.where(own, forest.times, most)[nodes], begins)
    ends = np.maximum.reduceat(np.where(own, forest.ends, least)[nodes], begins)
    counts = np.add.reduceat((forest.shown & (forest.kinds != CHAPTER)).astype(np.int64)[nodes], begins)
    records = np.add.reduceat((own & (forest.kinds != MOVE)).astype(np.int64)[nodes], begins)
    for chapter, *told in zip(chapters, starts, ends, counts, records, strict=True):
        _date_one(chapter, *map(int, told))


def _date_one(chapter: Chapter, start: int, end: int, count: int, records: int) -> None:
    if records:
        chapter.start, chapter.end = start, end
    if chapter.was_read:
        chapter.count = count


def dated(chapters: Iterable[Chapter]) -> list[tuple[int, int]]:
    return [(chapter.start, chapter.end) for chapter in chapters]
