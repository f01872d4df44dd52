"""The rows of one window as the JSON contract names them, with the marks a page draws beside them.

`layout.story` decides which rows there are and where; this reads what they say. `timeline.drawing` puts them on the
axis, `timeline.text` into lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from timeline.layout.bones import NO_SPAN, SpanBone, is_failed_log
from timeline.layout.ids import node_id
from timeline.layout.story import CHAPTER, Chapter, Fold, Place, Plan
from timeline.layout.tree import TOP, Tree
from timeline.queries.details import SPAN_KEY, LogDetail, SpanDetail, read_log_details, read_span_details
from timeline.queries.story import Story
from tracing.attempts import DECLARED, declared_attempt
from tracing.records import day_of, is_plausible

STATUS = {0: "unset", 1: "ok", 2: "error"}
NAME_LENGTH = 200


@dataclass(slots=True)
class Row:
    row: str
    id: str
    parent: str | None
    depth: int
    trace_id: str | None
    span_id: str | None
    service: str
    name: str
    start: int
    duration: int | None = None
    status: str = "unset"
    context: bool = False
    attempt: int | None = None
    count: int | None = None
    text: str | None = None
    marks: list[str] = field(default_factory=list)
    # What only a page needs.
    open: bool | None = None  # whether it is unfolded; None where nothing is inside
    extra_open: bool | None = None  # the same for other versions, and for a log that tells an event again
    dim: bool = False
    severity: str = ""
    href: str = ""  # of the record's own page
    record: str = ""  # id of the row whose record this one shows, where that is another

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "id": self.id,
            "parent": self.parent,
            "depth": self.depth,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "service": self.service,
            "name": self.name,
            "start": str(self.start),
            "duration": None if self.duration is None else str(self.duration),
            "status": self.status,
            "context": self.context,
            "attempt": self.attempt,
            "count": self.count,
            "text": self.text,
            "marks": self.marks,
        }


@dataclass(slots=True)
class Details:
    spans: dict[SPAN_KEY, SpanDetail]
    logs: dict[bytes, LogDetail]

    def span(self, bone: SpanBone) -> SpanDetail:
        return self.spans.get(key_of(bone)) or SpanDetail("span", "", 0, bone.status, "", {}, {}, [])


def key_of(bone: SpanBone) -> SPAN_KEY:
    return bone.trace_id, bone.span_id, bone.digest


def read_rows(plan: Plan, story: Story, first: int, last: int, fold: Fold) -> list[Row]:
    """The rows from `first` up to `last`, with everything they say."""
    places = [plan.place(index) for index in range(first, min(last, len(plan.places)))]
    details = _details(plan, story, places)
    return [_row(plan, story, place, details, fold) for place in places]


def _details(plan: Plan, story: Story, places: Sequence[Place]) -> Details:
    spans: dict[SPAN_KEY, bool] = {}
    logs: set[bytes] = set()
    days: set[int] = set()
    for chapter_index, node, _ in ((place.chapter, place.node, 0) for place in places):
        chapter = plan.chapters[chapter_index]
        tree = chapter.tree
        if tree is None:
            continue
        if node == CHAPTER:
            node = _naming_node(chapter, story)
        kind = tree.kind(node) if node != TOP else ""
        if kind == "log":
            logs.add(tree.log(node).log_id)
            days.add(day_of(tree.times[node]))
        elif kind in ("span", "event"):
            holder = node if kind == "span" else tree.parents[node]
            if holder != TOP:
                bone = tree.spans[holder]
                spans[key_of(bone)] = spans.get(key_of(bone), False) or kind == "event"
                days.add(day_of(bone.start))
    attempts = sorted(DECLARED)
    return Details(
        read_span_details(list(spans.items()), sorted(days), attempts),
        read_log_details(sorted(logs), sorted(days)),
    )


def _naming_node(chapter: Chapter, story: Story) -> int:
    """The span a chapter is called after while its root has not arrived, or TOP."""
    told = story.traces.get(chapter.trace_id)
    if chapter.tree is None or not chapter.tree.spans or (told and told.root_name is not None):
        return TOP
    return 0


def _row(plan: Plan, story: Story, place: Place, details: Details, fold: Fold) -> Row:
    chapter = plan.chapters[place.chapter]
    if place.node == CHAPTER:
        return _chapter_row(plan, story, place, details)
    tree = chapter.tree
    assert tree is not None
    kind = tree.kind(place.node)
    row = _MAKERS[kind](tree, place.node, details)
    above = tree.parents[place.node]
    row.id = node_id(tree, place.node)
    row.parent = node_id(tree, above) if above != TOP else (chapter.id if chapter.has_row else None)
    row.depth = place.depth
    row.context = kind == "span" and tree.spans[place.node].span_id in chapter.context
    flags = plan.flags.get(place.chapter)
    row.dim = row.context or (flags is not None and flags[place.node] == 2)
    _set_folds(row, tree, place.node, fold)
    return row


def _set_folds(row: Row, tree: Tree, node: int, fold: Fold) -> None:
    """What is inside is open unless folded; versions and repeated exceptions are folded unless opened."""
    inside = tree.children.get(node, ())
    extra = [child for child in inside if child in tree.older or child in tree.echoes]
    if len(extra) < len(inside):
        row.open = fold.expand or row.id not in fold.folded
    if extra:
        row.extra_open = fold.expand or row.id in fold.opened


def _chapter_row(plan: Plan, story: Story, place: Place, details: Details) -> Row:
    chapter = plan.chapters[place.chapter]
    name, service = _chapter_name(chapter, story, details)
    sums = story.sums.get(chapter.id)
    tree = chapter.tree
    row = Row(
        "chapter", chapter.id, None, 0, chapter.trace_id.hex() or None, None, service, name, chapter.start
    )
    row.duration = max(0, chapter.end - chapter.start)
    row.count = len(tree.times) if tree is not None else sums.spans + sums.logs if sums else 0
    row.status = _chapter_status(chapter, story, bool(sums and sums.errors) or bool(failures(chapter)))
    row.open = place.chapter in plan.open if row.count else None
    row.text = _linked_from(chapter, story)
    if tree is not None and not tree.spans and not tree.logs:
        row.marks.append("its records are no longer kept")
    if chapter.trace_id:
        row.href = f"/flow/request/trace/{row.trace_id}"
    return row


def failures(chapter: Chapter) -> list[int]:
    """What failed in a chapter, its context aside."""
    tree = chapter.tree
    if tree is None:
        return []
    return [
        node
        for node in tree.failed
        if node >= len(tree.spans) or tree.spans[node].span_id not in chapter.context
    ]


def _chapter_name(chapter: Chapter, story: Story, details: Details) -> tuple[str, str]:
    if not chapter.trace_id:
        return "logs without a trace", chapter.service
    told = story.traces.get(chapter.trace_id)
    if told and told.root_name is not None:
        return told.root_name, told.root_service or ""
    if chapter.tree is not None and chapter.tree.spans:
        first = details.span(chapter.tree.spans[0])
        return first.name, first.service
    return f"trace {chapter.trace_id.hex()[:8]}", chapter.service


def _chapter_status(chapter: Chapter, story: Story, failed: bool) -> str:
    if failed:
        return "error"
    if not chapter.trace_id:
        return "unset"
    told = story.traces.get(chapter.trace_id)
    return "ok" if told and told.root_name is not None else "open"


def _linked_from(chapter: Chapter, story: Story) -> str | None:
    """Which chapters this one's spans link back to, by name."""
    targets = story.links.get(chapter.id, [])
    if not targets:
        return None
    traces = [(trace_id, story.traces.get(trace_id)) for trace_id in targets[:3]]
    names = [(told and told.root_name) or f"trace {trace_id.hex()[:8]}" for trace_id, told in traces]
    more = f" and {len(targets) - 3} more" if len(targets) > 3 else ""
    return "← linked from " + ", ".join(names) + more


def _span_row(tree: Tree, node: int, details: Details) -> Row:
    bone = tree.spans[node]
    told = details.span(bone)
    start = int(told.exact.get("start", bone.start))
    row = Row(
        "span", "", None, 0, bone.trace_id.hex(), bone.span_id.hex(), told.service, told.name, start,
        duration=int(told.exact.get("end", bone.end)) - start,
        status=STATUS.get(told.status, "unset"),
        attempt=declared_attempt(told.attributes),
        text=told.message or None,
        marks=_span_marks(tree, node),
        href=f"/record/{bone.trace_id.hex()}/{bone.span_id.hex()}",
    )  # fmt: skip
    if node in tree.older:
        row.href += f"?version={tree.older[node]}"
    return row


def _span_marks(tree: Tree, node: int) -> list[str]:
    bone, marks = tree.spans[node], []
    if node in tree.orphans:
        marks.append("its parent never came")
    if node in tree.cycles:
        itself = bone.parent_id == bone.span_id
        marks.append("names itself as its parent" if itself else "its parents go in a circle, cut here")
    if node in tree.versions:
        marks.append(f"{len(tree.versions[node]) + 1} versions")
    if node in tree.older:
        marks.append(f"version {tree.older[node]}")
    if bone.end < bone.start:
        marks.append("ends before it starts")
    if not is_plausible(bone.start) or not is_plausible(bone.end):
        marks.append("its clock is wrong")
    return marks


def _event_row(tree: Tree, node: int, details: Details) -> Row:
    bone, parent = tree.event(node), tree.parents[node]
    holder = details.span(tree.spans[parent]) if parent != TOP else None
    told = holder.event(bone.ordinal) if holder else None
    again = sum(1 for event in tree.echoes.values() if event == node)
    name = told.name if told else "event"
    return Row(
        "event", "", None, 0, bone.trace_id.hex(), bone.span_id.hex(), holder.service if holder else "", name,
        bone.time,
        status="error" if name == "exception" else "unset",
        text=told.text if told else None,
        marks=["told again by a log" if again == 1 else f"told again by {again} logs"] if again else [],
        href=f"/record/{bone.trace_id.hex()}/{bone.span_id.hex()}",
    )  # fmt: skip


def _log_row(tree: Tree, node: int, details: Details) -> Row:
    bone = tree.log(node)
    told = details.logs.get(bone.log_id) or LogDetail("", bone.severity, "", "", 0, 0, {}, "")
    row = Row(
        "log", "", None, 0, bone.trace_id.hex() if any(bone.trace_id) else None,
        bone.span_id.hex() if bone.span_id != NO_SPAN else None, told.service,
        told.event_name or _first_line(told.body) or "log", int(told.exact.get("time", bone.time)),
        status="error" if is_failed_log(bone.severity) else "unset",
        text=told.body or None,
        severity=severity_word(bone.severity, told.severity_text),
        href=f"/record/log/{bone.log_id.hex()}",
    )  # fmt: skip
    if node in tree.loose_logs and row.trace_id:
        row.marks.append("its span never came" if row.span_id else "names no span")
    if told.time_source:
        row.marks.append("observed time" if told.time_source == 1 else "has no time of its own")
    return row


def _transition_row(tree: Tree, node: int, details: Details) -> Row:
    move = tree.move(node)
    span = move.record_id if len(move.record_id) == 8 else b""
    trace = move.trace_id.hex()
    return Row(
        "transition", "", None, 0, trace or None, span.hex() or None, move.system, move.state, move.time,
        text=f"{move.before} → {move.state}" if move.before is not None else None,
        href=f"/record/{trace}/{span.hex()}" if span else f"/record/log/{move.record_id.hex()}",
        record=f"s-{trace}-{span.hex()}" if span else f"l-{move.record_id.hex()}",
    )  # fmt: skip


_MAKERS = {"span": _span_row, "event": _event_row, "log": _log_row, "transition": _transition_row}


def severity_word(severity: int, text: str) -> str:
    """The level as the sender wrote it, else by OTLP's ranges of four."""
    if text:
        return text[:12]
    words = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
    return words[(severity - 1) // 4] if 1 <= severity <= 24 else ""


def _first_line(body: str) -> str:
    line = body.strip().split("\n", 1)[0]
    return line if len(line) <= NAME_LENGTH else line[: NAME_LENGTH - 1] + "…"
