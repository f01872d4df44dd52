"""A flow's records as a forest of chapters, ready for `layout.plan`.

A request is its own single chapter. For entities and workflows each trace that mentions the flow is one, cut down to
what belongs (`belonging`), and so are the traceless logs of each service and day. Everything is read as of one
snapshot. Flows beyond `HEAVY` records are read chapter by chapter, only where a reader opened one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from timeline.layout.belonging import Mentioned, cut_down, date_chapters
from timeline.layout.forest import Chapter, Forest
from timeline.layout.groups import find_groups
from timeline.layout.growing import grow, with_groups
from timeline.layout.ids import TRACE_CHAPTER, chapter_id
from timeline.layout.manner import ANY, Manner
from timeline.layout.moves import transitions
from timeline.layout.plan import Fold
from timeline.layout.tables import LOG, Move, Tables, no_rows
from timeline.layout.timing import timed
from timeline.queries import chapters as read
from timeline.queries.chapters import CHAPTER_KEY, Mentions, Sums, Trace
from timeline.queries.hints import read_hints
from timeline.queries.links import Link, find_links, linked_chapters
from timeline.queries.skeleton import (
    mark_failures,
    read_exceptions,
    read_logs,
    read_logs_named,
    read_services,
    read_spans,
)
from timeline.summaries import FlowSummary

HEAVY = 200_000  # spans and logs in a flow's traces beyond which only opened chapters are read
TRACES_BESIDE, MOST_BESIDE = 20, 50_000  # other requests drawn beside one, and spans of each
MOST = 2_000_000  # spans of one answer; beyond it the earliest are shown and the page says so


@dataclass(slots=True)
class Story:
    forest: Forest
    moves: Sequence[Move] = ()
    sums: dict[str, Sums] = field(default_factory=dict)  # by chapter id
    traces: dict[bytes, Trace] = field(default_factory=dict)
    links: dict[str, list[bytes]] = field(default_factory=dict)  # chapter id -> traces that its spans link to
    related: int | None = 0
    heavy: bool = False  # of so many records that only the chapters asked for were read
    truncated: bool = False
    manner: Manner = ANY  # how flows of its type go; read with each window


Tell = Callable[[str, float], None]


def _nobody(stage: str, share: float) -> None:
    """Who is not asked how far it is tells nobody."""


def read_story(flow: FlowSummary, snapshot: str, fold: Fold, tell: Tell = _nobody) -> Story:
    """`tell` hears what is done next, and about how much of the whole is done by then."""
    tell("reading its records", 0.02)
    if flow.kind == "request":
        return _request(flow, snapshot, fold, tell)
    return _entity(flow, snapshot, fold, tell)


def _request(flow: FlowSummary, snapshot: str, fold: Fold, tell: Tell) -> Story:
    trace_id = flow.identity
    limit = MOST if flow.spans > MOST else 0
    beside = traces_beside(flow, fold)
    told = read.read_traces([trace_id, *beside]) if beside else {}
    traces = [trace_id, *(one for one in beside if one in told and told[one].spans <= MOST_BESIDE)]
    days = sorted({*flow.days, *(day for one in traces[1:] for day in told[one].days)})
    tables = _read(
        traces, days, snapshot, limit=limit, logs=bool(flow.logs) or len(traces) > 1, expected=flow.spans
    )
    several = len(traces) > 1
    tell("putting them in order", 0.55)
    forest = grow(tables, [Chapter(chapter_id(one, 0, ""), one, has_row=several) for one in traces])
    if several:
        date_chapters(forest)
    tell("looking for tries and repeats", 0.85)
    grouped = _grouped(forest, fold)
    tell("comparing clocks", 0.95)
    links = find_links(forest)
    story = Story(_timed(grouped, links, fold), traces=told, truncated=bool(limit))
    story.links = linked_chapters(forest, links) if several else {}
    return story


def traces_beside(flow: FlowSummary, fold: Fold) -> list[bytes]:
    """Other requests that the address opens beside a request: those it links with, as a rule."""
    if flow.kind != "request":
        return []
    named = sorted(match[1] for row in fold.opened if (match := TRACE_CHAPTER.fullmatch(row)))
    return [one for one in map(bytes.fromhex, named) if one != flow.identity][:TRACES_BESIDE]


def _grouped(forest: Forest, fold: Fold) -> Forest:
    """With tries and repeats in groups; whoever wants everything gets the records as they lie."""
    return forest if fold.expand else with_groups(forest, find_groups(forest))


def _timed(forest: Forest, links: Sequence[Link], fold: Fold) -> Forest:
    return timed(forest, [(link.target, link.source) for link in links], raw=fold.raw_clocks)


def _read(
    traces: list[bytes],
    days: Sequence[int],
    snapshot: str,
    *,
    limit: int = 0,
    logs: bool = True,
    expected: int = 0,
) -> Tables:
    """Everything in some traces, transitions aside."""
    if not traces:
        return Tables([])
    spans, events = read_spans(traces, days, snapshot, limit, expected)
    exceptions = read_exceptions(spans, traces)
    mark_failures(events, spans, exceptions)
    found = read_logs(traces, days, snapshot) if logs else no_rows(LOG)
    services = read_services(np.unique(np.concatenate((spans["service"], found["service"]))))
    return Tables(
        traces, spans, events, found, (), exceptions, services, read_hints(spans, traces)
    )  # fmt: skip


def _entity(flow: FlowSummary, snapshot: str, fold: Fold, tell: Tell) -> Story:
    mentions = read.read_mentions(flow.identity, snapshot)
    sums = read.read_sums(flow.identity, snapshot)
    moves = transitions(read.read_assertions(flow.identity, snapshot))
    keys = mentions.keys() | {key for key, told in sums.items() if told.settled}
    traces = read.read_traces([trace_id for trace_id, _, _ in keys if trace_id])
    heavy = sum(trace.spans + trace.logs for trace in traces.values()) > HEAVY
    wanted = [key for key in keys if not heavy or _is_asked(chapter_id(*key), fold)]
    readable = _within(wanted, traces)
    tables = _tables(readable, mentions, traces, snapshot)
    tell("putting them in order", 0.55)
    tables.moves = [move for move in moves if _is_read(move, readable, mentions)]
    by_id = {chapter_id(*key): key for key in keys}
    chapters = [
        _chapter(name, by_id[name], by_id[name] in readable, mentions, sums) for name in sorted(by_id)
    ]
    forest, related = cut_down(grow(tables, chapters), _mentioned(readable, mentions, tables))
    links = find_links(forest)
    tell("looking for tries and repeats", 0.85)
    story = Story(
        _timed(_grouped(forest, fold), links, fold),
        moves,
        {chapter_id(*key): told for key, told in sums.items()},
        traces,
    )
    story.truncated = len(readable) < len(wanted)
    story.heavy = heavy
    story.related = None if heavy else related
    story.links = linked_chapters(forest, links)
    return story


def _is_asked(chapter: str, fold: Fold) -> bool:
    return chapter not in fold.folded and (fold.expand or chapter in fold.opened)


def _tables(
    keys: set[CHAPTER_KEY],
    mentions: dict[CHAPTER_KEY, Mentions],
    traces: dict[bytes, Trace],
    snapshot: str,
) -> Tables:
    wanted = sorted(trace_id for trace_id, _, _ in keys if trace_id)
    days = sorted({day for trace_id in wanted for day in traces.get(trace_id, Trace()).days})
    tables = _read(wanted, days, snapshot)
    loose = [mentions[key] for key in keys if not key[0] and key in mentions]
    if loose:
        ids = sorted({log_id for told in loose for log_id in told.log_ids})
        found = read_logs_named(ids, sorted({day for told in loose for day in told.days}), snapshot)
        tables.logs = np.concatenate((tables.logs, found))
        tables.services = {**tables.services, **read_services(np.unique(found["service"]))}
    return tables


def _is_read(move: Move, keys: set[CHAPTER_KEY], mentions: dict[CHAPTER_KEY, Mentions]) -> bool:
    if move.trace_id:
        return (move.trace_id, 0, "") in keys
    return any(move.record_id in mentions[key].log_ids for key in keys if not key[0] and key in mentions)


def _chapter(
    name: str,
    key: CHAPTER_KEY,
    was_read: bool,
    mentions: dict[CHAPTER_KEY, Mentions],
    sums: dict[CHAPTER_KEY, Sums],
) -> Chapter:
    """A chapter before its records are known: dated and counted by its row, which is all that may be left of it."""
    trace_id, day, service = key
    told = sums.get(key, Sums())
    loose = frozenset() if trace_id else frozenset(mentions.get(key, Mentions()).log_ids)
    return Chapter(
        name, trace_id, service, day,
        was_read=was_read,
        start=told.first_ns or 0, end=told.last_ns or 0, count=told.spans + told.logs,
        log_ids=loose,
    )  # fmt: skip


def _mentioned(keys: set[CHAPTER_KEY], mentions: dict[CHAPTER_KEY, Mentions], tables: Tables) -> Mentioned:
    place = {trace_id: index for index, trace_id in enumerate(tables.traces)}
    told = [(place[key[0]], mentions[key]) for key in keys if key[0] and key in mentions]
    loose = [mentions[key].log_ids for key in keys if not key[0] and key in mentions]
    return Mentioned(
        versions={(trace, version) for trace, one in told for version in one.versions},
        log_ids={log_id for _, one in told for log_id in one.log_ids}.union(*loose),
    )


def _within(keys: list[CHAPTER_KEY], traces: dict[bytes, Trace]) -> set[CHAPTER_KEY]:
    """The chapters that one answer has room for, the earliest first."""
    if sum(trace.spans for trace in traces.values()) <= MOST:
        return set(keys)
    keys = sorted(keys, key=lambda key: (traces.get(key[0], Trace()).first_ns or 0, key))
    sizes = accumulate(traces.get(trace_id, Trace()).spans for trace_id, _, _ in keys)
    return {
        key for place, (key, size) in enumerate(zip(keys, sizes, strict=True)) if not place or size <= MOST
    }
