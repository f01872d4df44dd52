"""Bones of records in one line each, for the tests of the layout: spans are named by one letter."""

from timeline.layout.bones import NO_SPAN, EventBone, LogBone, Move, SpanBone
from timeline.layout.story import CHAPTER, Chapter, Plan
from timeline.layout.tree import Tree

TRACE = bytes(15) + b"\x01"


def sid(name: str) -> bytes:
    return name.encode().rjust(8, b".") if name else NO_SPAN


def span(name: str, start: int, end: int, parent: str = "", *, status: int = 0, version: int = 0) -> SpanBone:
    return SpanBone(start, sid(name), bytes([version]) * 8, TRACE, sid(parent), end, status, False)


def event(name: str, ordinal: int, time: int, *, version: int = 0, failed: bool = False) -> EventBone:
    return EventBone(time, sid(name), ordinal, bytes([version]) * 8, TRACE, failed)


def log(number: int, time: int, span_name: str = "", *, severity: int = 9, exception: int = 0) -> LogBone:
    return LogBone(
        time, 0, number.to_bytes(16, "big"), TRACE, sid(span_name), severity, 0, 0, False, exception
    )


def move(ordinal: int, time: int, span_name: str, state: str = "paid", system: str = "shop") -> Move:
    return Move(time, system, ordinal, state, None, TRACE, sid(span_name), 0)


def chapter(tree: Tree | None, *, id: str = "c", has_row: bool = False, start: int = 0) -> Chapter:
    return Chapter(id, TRACE, "", 0, tree, start=start, has_row=has_row)


def told(plan: Plan) -> list[str]:
    """Rows as `  name`, indented by depth: a span's letter, `letter!n` an event, `#n` a log, `>state`, `§id`."""
    return ["  " * depth + _name(plan.chapters[index], node) for index, node, depth in plan.places]


def _name(of: Chapter, node: int) -> str:
    tree = of.tree
    if node == CHAPTER or tree is None:
        return f"§{of.id}"
    kind = tree.kind(node)
    if kind == "span":
        bone = tree.spans[node]
        return bone.span_id.decode().strip(".") + (f".{tree.older[node]}" if node in tree.older else "")
    if kind == "event":
        return f"{tree.event(node).span_id.decode().strip('.')}!{tree.event(node).ordinal}"
    if kind == "log":
        return f"#{int.from_bytes(tree.log(node).log_id, 'big')}"
    return f">{tree.move(node).state}"
