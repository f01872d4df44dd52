"""Row ids: unique within a flow, the same at every call, and readable back into the row they name.

c-<trace>            a chapter              c-<day>-<service>   logs of a service without a trace
s-<trace>-<span>     a span; `.2`, `.3` … follow for the other records under its ids
e-<span's part>-<n>  its nth event          l-<log id>          a log
t-<system>-<n>       the nth transition of a system
"""

import re
from urllib.parse import quote

from timeline.layout.tree import Tree

TRACE_CHAPTER = re.compile(r"c-([0-9a-f]{32})")
SPAN = re.compile(r"s-([0-9a-f]{32})-([0-9a-f]{16})(?:\.(\d{1,9}))?")
EVENT = re.compile(r"e-([0-9a-f]{32})-([0-9a-f]{16})(?:\.(\d{1,9}))?-(\d{1,9})")
LOG = re.compile(r"l-([0-9a-f]{32})")
OTHER = re.compile(r"(?:c--?\d{1,9}|t)-[A-Za-z0-9._~%-]{1,2000}")


def chapter_id(trace_id: bytes, day: int, service: str) -> str:
    return f"c-{trace_id.hex()}" if trace_id else f"c-{day}-{quote(service, safe='')}"


def node_id(tree: Tree, node: int) -> str:
    kind = tree.kind(node)
    if kind == "span":
        return "s-" + _span_part(tree, node)
    if kind == "event":
        bone = tree.event(node)
        parent = tree.parents[node]
        part = _span_part(tree, parent) if parent >= 0 else f"{bone.trace_id.hex()}-{bone.span_id.hex()}"
        return f"e-{part}-{bone.ordinal}"
    if kind == "log":
        return f"l-{tree.log(node).log_id.hex()}"
    move = tree.move(node)
    return f"t-{quote(move.system, safe='')}-{move.ordinal}"


def span_node(tree: Tree, row_id: str) -> int | None:
    """The span that a row id names, or None where this tree has no such span."""
    match = SPAN.fullmatch(row_id)
    if not match:
        return None
    head = tree.heads.get(bytes.fromhex(match[2]))
    if head is None or tree.spans[head].trace_id.hex() != match[1]:
        return None
    if not match[3]:
        return head
    others, rank = tree.versions.get(head, []), int(match[3])
    return others[rank - 2] if 2 <= rank < len(others) + 2 else None


def is_row_id(text: str) -> bool:
    return any(pattern.fullmatch(text) for pattern in (TRACE_CHAPTER, SPAN, EVENT, LOG, OTHER))


def _span_part(tree: Tree, node: int) -> str:
    bone, rank = tree.spans[node], tree.older.get(node)
    return f"{bone.trace_id.hex()}-{bone.span_id.hex()}" + (f".{rank}" if rank else "")
