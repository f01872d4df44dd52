"""What each row of a plan says: its name, status, marks and folds, from its record and from where it stands.

`timeline.rows` reads the details and says what a row is; `timeline.painting` draws it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from timeline.bodies import first_line, readable, severity_word
from timeline.layout.forest import ASIDE, CHAPTER, EVENT, GROUP, LOG, MOVE, ROW_WORDS, SPAN, Forest, Group
from timeline.layout.ids import row_id
from timeline.layout.manner import oddity
from timeline.layout.order import TOP
from timeline.layout.plan import Plan
from timeline.layout.sieve import PATH
from timeline.layout.tables import FAILED_SEVERITY, NO_SPAN, NO_TRACE
from timeline.layout.timing import extent
from timeline.moments import took
from timeline.queries.record import STATUS
from timeline.queries.story import Story
from timeline.rows import Details, Part, Row, naming_span, parent_id, read_details
from tracing.attempts import declared_attempt
from tracing.records import is_plausible
from tracing.stating import REASON

MOST_PARTS = 100  # members of a group that are drawn one by one
OBSERVED, NO_TIME = 1, 2  # where a log's time comes from, when not from its sender's own clock


def read_rows(plan: Plan, story: Story, nodes: Sequence[int]) -> list[Row]:
    """The rows of these nodes, with everything they say."""
    details = read_details(plan.forest, story, nodes)
    rows = [_row(plan, story, node, details) for node in nodes]
    if plan.closed[nodes].any():
        forest = plan.forest
        holds = forest.any_inside(forest.failed & forest.shown & ~forest.context) & plan.closed
        for node, row in zip(nodes, rows, strict=True):
            row.holds_failure = bool(holds[node])
    return rows


def _row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest = plan.forest
    kind = int(forest.kinds[node])
    row = _MAKERS[kind](plan, story, node, details)
    above = parent_id(plan, node)
    row.id = row_id(forest, node)
    row.parent = row_id(forest, above) if above is not None else None
    row.depth = plan.depth(node)
    row.context = bool(forest.context[node])
    row.dim = row.context or (plan.flags is not None and plan.flags[node] == PATH)
    row.open = plan.is_open(node)
    row.hits = plan.hits_at(node)
    row.attempt = row.attempt or _nth_try(forest, node)
    _place(row, forest, node)
    if plan.has_extras(node):
        row.extra_open = bool(plan.extras[node])
    return row


def _place(row: Row, forest: Forest, node: int) -> None:
    """When the row is drawn."""
    kind, at = forest.kinds[node], forest.row_of(node)
    if kind == CHAPTER:
        row.drawn, row.drawn_end = extent(forest, node, forest.chapters[at])
        return
    row.drawn, row.drawn_end = int(forest.drawn[node]), int(forest.drawn_ends[node])
    if kind == SPAN:
        row.waits_from = int(forest.waits[at])
    elif kind == GROUP and len(members := forest.groups[at].members) <= MOST_PARTS:
        told = zip(forest.drawn[members], forest.drawn_ends[members], forest.groups[at].failed, strict=True)
        row.parts = [Part(int(start), int(end), bool(failed)) for start, end, failed in told]


def _nth_try(forest: Forest, node: int) -> int | None:
    """Which try of its group a span is, counted where it does not say so itself."""
    above = int(forest.parents[node])
    if above == TOP or forest.kinds[above] != GROUP or forest.group(above).row != "retries":
        return None
    return int(np.flatnonzero(forest.group(above).members == node)[0]) + 1


def _ids(forest: Forest, span: int) -> tuple[str, str]:
    one = forest.spans[span]
    return forest.tables.traces[one["trace"]].hex(), f"{int(one['span_id']):016x}"


def _chapter_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest, chapter = plan.forest, plan.forest.chapters[node]
    name, service = _chapter_name(story, node, details)
    sums = story.sums.get(chapter.id)
    row = Row("chapter", "", None, 0, chapter.trace_id.hex() or None, None, service, name, chapter.start)
    row.duration = max(0, chapter.end - chapter.start)
    row.count = chapter.count
    failed = bool(sums and sums.errors) or bool(failures(forest, node).any())
    row.status = _chapter_status(story, chapter.trace_id, failed)
    row.text = _linked_from(story, chapter.id)
    if chapter.was_read and not has_records(forest, node):
        row.marks.append("its records are no longer kept")
    if chapter.trace_id:
        row.href = f"/flow/request/trace/{row.trace_id}"
    return row


def has_records(forest: Forest, chapter: int) -> bool:
    """Whether anything but transitions stands in a chapter."""
    inside = _inside(forest, chapter)
    return bool(((forest.kinds[inside] != MOVE) & forest.shown[inside]).any())


def failures(forest: Forest, chapter: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """The nodes that failed in a chapter, its context and the exceptions of events aside."""
    inside = _inside(forest, chapter)
    kinds = forest.kinds[inside]
    own = forest.failed[inside] & forest.shown[inside] & ~forest.context[inside]
    return np.asarray(inside[own & ((kinds == SPAN) | (kinds == LOG))])


def _inside(forest: Forest, chapter: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    place, size = int(forest.order.places[chapter]), int(forest.order.sizes[chapter])
    return np.asarray(forest.order.nodes[place + 1 : place + size])


def _chapter_name(story: Story, node: int, details: Details) -> tuple[str, str]:
    forest = story.forest
    chapter = forest.chapters[node]
    if not chapter.trace_id:
        return "logs without a trace", chapter.service
    told = story.traces.get(chapter.trace_id)
    if told and told.root_name is not None:
        return told.root_name, told.root_service or ""
    naming = naming_span(forest, story, node)
    if naming is not None:
        first = details.span(naming)
        return first.name, first.service
    return f"trace {chapter.trace_id.hex()[:8]}", chapter.service


def _chapter_status(story: Story, trace_id: bytes, failed: bool) -> str:
    if failed:
        return "error"
    if not trace_id:
        return "unset"
    told = story.traces.get(trace_id)
    return "ok" if told and told.root_name is not None else "open"


def _linked_from(story: Story, chapter_id: str) -> str | None:
    """Which chapters this one's spans link back to, by name."""
    targets = story.links.get(chapter_id, [])
    if not targets:
        return None
    traces = [(trace_id, story.traces.get(trace_id)) for trace_id in targets[:3]]
    names = [(told and told.root_name) or f"trace {trace_id.hex()[:8]}" for trace_id, told in traces]
    more = f" and {len(targets) - 3} more" if len(targets) > 3 else ""
    return "← linked from " + ", ".join(names) + more


def _span_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest, at = plan.forest, plan.forest.row_of(node)
    one, told = forest.spans[at], details.span(at)
    trace_id, span_id = _ids(forest, at)
    start = int(told.exact.get("start", one["start"]))
    row = Row(
        "span", "", None, 0, trace_id, span_id, told.service, told.name, start,
        duration=int(told.exact.get("end", one["end"])) - start,
        status=STATUS.get(told.status, "unset"),
        attempt=declared_attempt(told.attributes),
        text=told.message or _reason(told.attributes),
        marks=_span_marks(forest, at),
        href=f"/record/{trace_id}/{span_id}",
    )  # fmt: skip
    if forest.kin.ranks[at]:
        row.href += f"?version={int(forest.kin.ranks[at])}"
    if at in forest.kin.standing:
        # It tells a beginning only: the span itself comes when it ends.
        row.status, row.duration = "open", None
    return row


def _reason(attributes: dict[str, Any]) -> str | None:
    """Why it is tried again, where an engine says so beside a status it leaves unset."""
    reason = attributes.get(REASON)
    return first_line(reason) if isinstance(reason, str) and reason else None


def _span_marks(forest: Forest, at: int) -> list[str]:
    one, kin, marks = forest.spans[at], forest.kin, []
    if kin.orphans[at]:
        marks.append("its parent never came")
    if kin.cut[at]:
        itself = one["parent_id"] == one["span_id"]
        marks.append("names itself as its parent" if itself else "its parents go in a circle, cut here")
    if at in kin.begun_counts:
        marks.append("told again as it began")
    versions = kin.versions.get(at, 0)
    if versions:
        marks.append(f"{versions + 1} versions")
    if kin.ranks[at]:
        marks.append(f"version {int(kin.ranks[at])}")
    if one["end"] < one["start"]:
        marks.append("ends before it starts")
    if not is_plausible(int(one["start"])) or not is_plausible(int(one["end"])):
        marks.append("its clock is wrong")
    return marks


def _event_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest = plan.forest
    event = forest.tables.events[forest.row_of(node)]
    holder = details.span(int(event["span"]))
    trace_id, span_id = _ids(forest, int(event["span"]))
    told = holder.event(int(event["ordinal"]))
    again = forest.echo_counts.get(node, 0)
    return Row(
        "event", "", None, 0, trace_id, span_id, holder.service, told.name, int(event["time"]),
        status="error" if told.name == "exception" else "unset",
        text=told.text,
        marks=["told again by a log" if again == 1 else f"told again by {again} logs"] if again else [],
        href=f"/record/{trace_id}/{span_id}",
    )  # fmt: skip


def _log_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest, at = plan.forest, plan.forest.row_of(node)
    log, told = forest.tables.logs[at], details.log(at)
    body = readable(told.body)
    row = Row(
        "log", "", None, 0,
        forest.tables.traces[log["trace"]].hex() if log["trace"] != NO_TRACE else None,
        f"{int(log['span_id']):016x}" if log["span_id"] != NO_SPAN else None, told.service,
        told.event_name or first_line(body) or "log", int(told.exact.get("time", log["time"])),
        status="error" if log["severity"] >= FAILED_SEVERITY else "unset",
        text=body or None,
        severity=severity_word(int(log["severity"]), told.severity_text),
        level=int(log["severity"]),
        href=f"/record/log/{int(log['high']):016x}{int(log['low']):016x}",
    )  # fmt: skip
    if forest.loose[node] and row.trace_id:
        row.marks.append("its span never came" if row.span_id else "names no span")
    if told.time_source:
        row.marks.append("observed time" if told.time_source == OBSERVED else "has no time of its own")
    if told.time_source == NO_TIME:
        row.received_ns = told.received_ns or None
    return row


def _transition_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    move = plan.forest.move(node)
    span = move.record_id if len(move.record_id) == 8 else b""
    trace = move.trace_id.hex()
    odd = oddity(move.before, move.state, story.manner)
    return Row(
        "transition", "", None, 0, trace or None, span.hex() or None, move.system, move.state, move.time,
        text=f"{move.before} → {move.state}" if move.before is not None else None,
        marks=[odd] if odd else [],
        href=f"/record/{trace}/{span.hex()}" if span else f"/record/log/{move.record_id.hex()}",
        record=f"s-{trace}-{span.hex()}" if span else f"l-{move.record_id.hex()}",
    )  # fmt: skip


def _group_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    forest, group = plan.forest, plan.forest.group(node)
    first = forest.row_of(group.members[0])
    told = details.span(first)
    trace_id, _ = _ids(forest, first)
    row = Row(
        group.row, "", None, 0, trace_id, None, told.service, told.name, int(forest.times[node]),
        duration=int(forest.ends[node] - forest.times[node]),
        count=len(group.members),
    )  # fmt: skip
    if group.row == "retries":
        row.status = "error" if group.failed[-1] else "ok"
        row.text = _tries(forest, group)
    else:
        row.status = "error" if group.failed.any() else "unset"
        row.text = _spread(forest, group)
    row.marks.append("declared" if group.declared else "inferred")
    row.why = group.why
    return row


def _aside_row(plan: Plan, story: Story, node: int, details: Details) -> Row:
    told = plan.forest.asides[plan.forest.row_of(node)]
    row = Row(
        told.row, "", None, 0, None, None, told.service, told.name, told.start,
        status=told.status,
        attempt=told.attempt,
        text=told.text or None,
        marks=list(told.marks),
        record=told.record,
    )  # fmt: skip
    if told.row == "ghost" and told.expected_ns is not None:
        row.expected_ns = told.expected_ns
        row.duration = max(0, told.expected_ns - told.start)
    return row


def _tries(forest: Forest, group: Group) -> str:
    """`2 failed, then ok; 8 s waiting`."""
    members, failed = group.members, group.failed
    count = int(failed[:-1].sum())
    last = "failed too" if failed[-1] else "then ok"
    ended = np.maximum.accumulate(forest.ends[members])[:-1]
    waiting = int(np.maximum(0, forest.times[members[1:]] - ended).sum())
    told = f"{count} failed, {last}" if count or failed[-1] else f"{len(members)} tries, the last ok"
    return f"{told}; {took(waiting)} waiting" if waiting else told


def _spread(forest: Forest, group: Group) -> str:
    """`p50 2 ms, p99 9 ms, longest 12 ms`, and how many failed."""
    lengths = np.sort(forest.ends[group.members] - forest.times[group.members])
    rank = [int(lengths[min(len(lengths) - 1, int(len(lengths) * share))]) for share in (0.5, 0.99)]
    failed = int(group.failed.sum())
    told = f"p50 {took(rank[0])}, p99 {took(rank[1])}, longest {took(int(lengths[-1]))}"
    return f"{told}; {failed:,} failed" if failed else told


Maker = Callable[[Plan, Story, int, Details], Row]
_MAKERS: dict[int, Maker] = {
    CHAPTER: _chapter_row,
    SPAN: _span_row,
    EVENT: _event_row,
    LOG: _log_row,
    MOVE: _transition_row,
    GROUP: _group_row,
    ASIDE: _aside_row,
}
assert len(_MAKERS) == len(ROW_WORDS)
