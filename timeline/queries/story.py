"""A flow's records as chapters of trees, ready for `layout.story.plan`.

A request is its own single chapter. For entities and workflows each trace that mentions the flow is one, cut down to
what belongs (`tracing.membership`), and so are the traceless logs of each service and day. Everything is read as of one
snapshot. Flows beyond `HEAVY` records are read chapter by chapter, only where a reader opened one.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

from timeline.layout.bones import NO_SPAN, EventBone, LogBone, Loss, Move, SpanBone, Told
from timeline.layout.ids import chapter_id
from timeline.layout.moves import transitions
from timeline.layout.sieve import Sieve
from timeline.layout.story import Chapter, Fold
from timeline.layout.tree import Tree, grow
from timeline.queries import chapters as read
from timeline.queries.chapters import CHAPTER_KEY, Mentions, Sums, Trace
from timeline.queries.skeleton import read_exceptions, read_failures, read_logs, read_logs_named, read_spans
from timeline.summaries import FlowSummary
from tracing.membership import members

HEAVY = 200_000  # spans and logs in a flow's traces beyond which only opened chapters are read
MOST = 300_000  # spans of one answer; beyond it the earliest are shown and the page says so
TRACES_LINKED = 2_000  # chapters among which links are looked up
Bone = TypeVar("Bone", SpanBone, EventBone, LogBone, Told)


@dataclass(slots=True)
class Story:
    chapters: list[Chapter]
    moves: list[Move] = field(default_factory=list)
    sums: dict[str, Sums] = field(default_factory=dict)  # by chapter id
    traces: dict[bytes, Trace] = field(default_factory=dict)
    links: dict[str, list[bytes]] = field(default_factory=dict)  # chapter id -> traces that its spans link to
    losses: list[Loss] = field(default_factory=list)  # of the spans shown
    related: int | None = 0
    truncated: bool = False

    @property
    def trees(self) -> list[Tree]:
        return [chapter.tree for chapter in self.chapters if chapter.tree is not None]


def read_story(flow: FlowSummary, snapshot: str, fold: Fold, sieve: Sieve) -> Story:
    if flow.kind == "request":
        return _request(flow, snapshot, sieve)
    return _entity(flow, snapshot, fold, sieve)


def _request(flow: FlowSummary, snapshot: str, sieve: Sieve) -> Story:
    trace_id, days = flow.identity, flow.days
    limit = MOST if flow.spans > MOST else 0
    read_in = read_spans([trace_id], days, snapshot, sieve.services, limit)
    events = read_failures([trace_id], days, snapshot) if sieve.only == "errors" else read_in.events
    if limit:
        held = {(bone.span_id, bone.digest) for bone in read_in.spans}
        events = [bone for bone in events if (bone.span_id, bone.digest) in held]
    logs = read_logs([trace_id], days, snapshot, sieve.services) if flow.logs else []
    exceptions = read_exceptions(logs, days, snapshot) if events else []
    tree = grow(read_in.spans, events, logs, exceptions=exceptions)
    chapter = Chapter(chapter_id(trace_id, 0, ""), trace_id, "", 0, tree, has_row=False)
    return Story([chapter], losses=read_in.losses, truncated=bool(limit))


def _entity(flow: FlowSummary, snapshot: str, fold: Fold, sieve: Sieve) -> Story:
    mentions = read.read_mentions(flow.identity, snapshot)
    sums = read.read_sums(flow.identity, snapshot)
    moves = transitions(read.read_assertions(flow.identity, snapshot))
    keys = mentions.keys() | {key for key, told in sums.items() if told.settled}
    traces = read.read_traces([trace_id for trace_id, _, _ in keys if trace_id])
    heavy = sum(trace.spans + trace.logs for trace in traces.values()) > HEAVY
    wanted = [key for key in keys if not heavy or fold.expand or chapter_id(*key) in fold.opened]
    readable = _within(wanted, traces)
    bones = _Bones.read(readable, mentions, traces, snapshot, sieve)
    story = Story([], moves, {chapter_id(*key): told for key, told in sums.items()}, traces)
    story.truncated = len(readable) < len(wanted)
    related = 0
    moves_of: dict[bytes, list[Move]] = {}
    for move in moves:
        moves_of.setdefault(move.trace_id, []).append(move)
    for key in keys:
        told = mentions.get(key, Mentions())
        mine = moves_of.get(key[0], [])
        chapter = _chapter(key, told, bones, mine) if key in bones.read_keys else _closed(key)
        related += _related(chapter, told)
        _set_extent(chapter, sums.get(key))
        story.chapters.append(chapter)
    story.chapters.sort(key=lambda chapter: (chapter.start, chapter.id))
    story.related = None if heavy else related
    shown = {chapter.trace_id: chapter.tree.heads for chapter in story.chapters if chapter.tree is not None}
    story.losses = [loss for loss in bones.losses if loss.span_id in shown.get(loss.trace_id, ())]
    story.links = _links(story.chapters, bones)
    return story


def _within(keys: list[CHAPTER_KEY], traces: dict[bytes, Trace]) -> list[CHAPTER_KEY]:
    """The chapters that one answer has room for, the earliest first."""
    if sum(trace.spans for trace in traces.values()) <= MOST:
        return keys
    keys = sorted(keys, key=lambda key: (traces.get(key[0], Trace()).first_ns or 0, key))
    sizes = accumulate(traces.get(trace_id, Trace()).spans for trace_id, _, _ in keys)
    return [
        key for place, (key, size) in enumerate(zip(keys, sizes, strict=True)) if not place or size <= MOST
    ]


@dataclass(slots=True)
class _Bones:
    """The bones of several traces, by trace; of traceless logs by their chapter."""

    read_keys: set[CHAPTER_KEY]
    spans: dict[bytes, list[SpanBone]] = field(default_factory=dict)
    events: dict[bytes, list[EventBone]] = field(default_factory=dict)
    logs: dict[bytes, list[LogBone]] = field(default_factory=dict)
    loose: dict[bytes, LogBone] = field(default_factory=dict)
    exceptions: dict[bytes, list[Told]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    @classmethod
    def read(
        cls,
        keys: Collection[CHAPTER_KEY],
        mentions: dict[CHAPTER_KEY, Mentions],
        traces: dict[bytes, Trace],
        snapshot: str,
        sieve: Sieve,
    ) -> "_Bones":
        bones = cls(set(keys))
        wanted = [trace_id for trace_id, _, _ in keys if trace_id]
        days = sorted({day for trace_id in wanted for day in traces.get(trace_id, Trace()).days})
        if wanted:
            read_in = read_spans(wanted, days, snapshot, sieve.services)
            events = read_failures(wanted, days, snapshot) if sieve.only == "errors" else read_in.events
            logs = read_logs(wanted, days, snapshot, sieve.services)
            bones.spans, bones.events, bones.logs = (
                _by_trace(read_in.spans),
                _by_trace(events),
                _by_trace(logs),
            )
            bones.losses = read_in.losses
            bones.exceptions = _by_trace(read_exceptions(logs, days, snapshot))
        loose = [mentions[key] for key in keys if not key[0] and key in mentions]
        if loose:
            ids = [log_id for told in loose for log_id in told.log_ids]
            found = read_logs_named(
                ids, sorted({day for told in loose for day in told.days}), snapshot, sieve.services
            )
            bones.loose = {bone.log_id: bone for bone in found}
        return bones


def _chapter(key: CHAPTER_KEY, told: Mentions, bones: _Bones, moves: list[Move]) -> Chapter:
    trace_id, day, service = key
    if not trace_id:
        logs = [bones.loose[log_id] for log_id in told.log_ids if log_id in bones.loose]
        moves = [move for move in moves if move.record_id in told.log_ids]
        return Chapter(chapter_id(*key), b"", service, day, grow([], [], logs, moves))
    spans = bones.spans.get(trace_id, [])
    all_logs = bones.logs.get(trace_id, [])
    carriers = [bone.span_id for bone in all_logs if bone.log_id in told.log_ids and bone.span_id != NO_SPAN]
    pairs = ((bone.span_id, bone.parent_id) for bone in spans)
    belonging, context = members(pairs, told.span_ids, carriers)
    shown = belonging | context
    tree = grow(
        [bone for bone in spans if bone.span_id in shown],
        [bone for bone in bones.events.get(trace_id, ()) if bone.span_id in belonging],
        [bone for bone in all_logs if bone.log_id in told.log_ids or bone.span_id in belonging],
        moves,
        bones.exceptions.get(trace_id, ()),
    )
    return Chapter(chapter_id(*key), trace_id, "", 0, tree, context=frozenset(context))


def _closed(key: CHAPTER_KEY) -> Chapter:
    """A chapter of a very large flow, folded and unread."""
    trace_id, day, service = key
    return Chapter(chapter_id(*key), trace_id, service, day, None)


def _set_extent(chapter: Chapter, sums: Sums | None) -> None:
    """From the first to the last record that belongs; a chapter whose records are gone keeps what its row says."""
    tree = chapter.tree
    if tree is not None and (tree.spans or tree.logs):
        own = [
            node
            for node in range(len(tree.times))
            if node >= len(tree.spans) or tree.spans[node].span_id not in chapter.context
        ] or range(len(tree.times))
        chapter.start = min(tree.times[node] for node in own)
        chapter.end = max(tree.end(node) for node in own)
    elif sums is not None:
        chapter.start, chapter.end = sums.first_ns or 0, sums.last_ns or 0


def _related(chapter: Chapter, told: Mentions) -> int:
    """Spans and logs shown because they descend from what carries the key."""
    if chapter.tree is None:
        return 0
    tree, context = chapter.tree, chapter.context
    spans = sum(
        1
        for bone in tree.spans
        if bone.span_id not in context and bone.span_id + bone.digest[:4] not in told.versions
    )
    return spans + sum(1 for bone in tree.logs if bone.log_id not in told.log_ids)


def _links(chapters: list[Chapter], bones: _Bones) -> dict[str, list[bytes]]:
    """For each chapter the other chapters' traces that its shown spans link to, in the order of the story."""
    shown = {
        chapter.trace_id: chapter for chapter in chapters if chapter.trace_id and chapter.tree is not None
    }
    if len(shown) > TRACES_LINKED:
        return {}
    place = {trace_id: index for index, trace_id in enumerate(shown)}
    found: dict[str, set[bytes]] = {}
    for link in read.read_links(list(shown)):
        chapter = shown[link.source_trace]
        if chapter.tree is not None and link.source_span in chapter.tree.heads:
            found.setdefault(chapter.id, set()).add(link.target_trace)
    return {name: sorted(targets, key=place.__getitem__) for name, targets in found.items()}


def _by_trace(bones: Iterable[Bone]) -> dict[bytes, list[Bone]]:
    found: dict[bytes, list[Bone]] = {}
    for bone in bones:
        found.setdefault(bone.trace_id, []).append(bone)
    return found
