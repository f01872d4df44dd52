"""Row ids: unique within a flow, the same at every call, and readable back into the row they name.

c-<trace>            a chapter              c-<day>-<service>   logs of a service without a trace
s-<trace>-<span>     a span; `.2`, `.3` … follow for the other records under its ids
e-<span's part>-<n>  its nth event          l-<log id>          a log
t-<system>-<n>       the nth transition of a system
g-<id of its first>  a group of siblings
f-… a flip   m-… a message   n-… a note   x-… what should come next
"""

import re
from collections.abc import Callable
from urllib.parse import quote

import numpy as np

from timeline.layout.forest import ASIDE, CHAPTER, EVENT, GROUP, LOG, MOVE, SPAN, Forest, log_id
from timeline.layout.order import TOP

TRACE_CHAPTER = re.compile(r"c-([0-9a-f]{32})")
_SPAN = r"s-([0-9a-f]{32})-([0-9a-f]{16})(?:\.(\d{1,9}))?"
SPAN_ID = re.compile(_SPAN)
EVENT_ID = re.compile(_SPAN.replace("s-", "e-", 1) + r"-(\d{1,9})")
LOG_ID = re.compile(r"l-([0-9a-f]{32})")
NOTE_ID = re.compile(r"n-(\d{1,17})")
OTHER = re.compile(r"(?:c--?\d{1,9}|[tfmnx])-[A-Za-z0-9._~%-]{1,3100}")


def chapter_id(trace_id: bytes, day: int, service: str) -> str:
    return f"c-{trace_id.hex()}" if trace_id else f"c-{day}-{quote(service, safe='')}"


def row_id(forest: Forest, node: int) -> str:
    kind, row = forest.kinds[node], forest.row_of(node)
    if kind == CHAPTER:
        return forest.chapters[row].id
    if kind == SPAN:
        return "s-" + _span_part(forest, row)
    if kind == EVENT:
        event = forest.tables.events[row]
        return f"e-{_span_part(forest, int(event['span']))}-{int(event['ordinal'])}"
    if kind == LOG:
        return f"l-{log_id(forest.tables.logs[row]).hex()}"
    if kind == GROUP:
        return f"g-{row_id(forest, forest.groups[row].members[0])}"
    if kind == ASIDE:
        return forest.asides[row].id
    move = forest.tables.moves[row]
    return f"t-{quote(move.system, safe='')}-{move.ordinal}"


def find_node(forest: Forest, told: str) -> int | None:
    """The node that a row id names, or None where this forest has no such row."""
    if told.startswith("g-"):
        member = find_node(forest, told[2:])
        above = forest.parents[member] if member is not None else TOP
        return int(above) if above != TOP and forest.kinds[above] == GROUP else None
    for pattern, find in _FINDERS:
        if match := pattern.fullmatch(told):
            return find(forest, match)
    named = (number for number, chapter in enumerate(forest.chapters) if chapter.id == told)
    asides = (forest.bases[ASIDE] + row for row, aside in enumerate(forest.asides) if aside.id == told)
    return next(named, next(asides, _move(forest, told)))


def is_row_id(text: str) -> bool:
    text = text.removeprefix("g-")
    return any(pattern.fullmatch(text) for pattern in (TRACE_CHAPTER, SPAN_ID, EVENT_ID, LOG_ID, OTHER))


def _span(forest: Forest, match: re.Match[str]) -> int | None:
    trace_id = bytes.fromhex(match[1])
    if trace_id not in forest.tables.traces:
        return None
    trace = np.array([forest.tables.traces.index(trace_id)], np.int32)
    head = int(forest.kin.find(trace, np.array([int(match[2], 16)], np.uint64))[0])
    if head == TOP or not match[3]:
        return None if head == TOP else forest.node_of(SPAN, head)
    others = np.flatnonzero(
        (forest.spans["span_id"] == forest.spans[head]["span_id"])
        & (forest.spans["trace"] == trace[0])
        & (forest.kin.ranks == int(match[3]))
    )
    return forest.node_of(SPAN, int(others[0])) if len(others) else None


def _event(forest: Forest, match: re.Match[str]) -> int | None:
    span = _span(forest, match)
    if span is None:
        return None
    events = forest.tables.events
    found = np.flatnonzero((events["span"] == forest.row_of(span)) & (events["ordinal"] == int(match[4])))
    return forest.node_of(EVENT, int(found[0])) if len(found) else None


def _log(forest: Forest, match: re.Match[str]) -> int | None:
    high, low = int(match[1][:16], 16), int(match[1][16:], 16)
    logs = forest.tables.logs
    found = np.flatnonzero((logs["high"] == high) & (logs["low"] == low))
    return forest.node_of(LOG, int(found[0])) if len(found) else None


def _move(forest: Forest, told: str) -> int | None:
    for number, move in enumerate(forest.tables.moves):
        if told == f"t-{quote(move.system, safe='')}-{move.ordinal}":
            return forest.node_of(MOVE, number)
    return None


_FINDERS: tuple[tuple[re.Pattern[str], Callable[[Forest, re.Match[str]], int | None]], ...] = (
    (SPAN_ID, _span),
    (EVENT_ID, _event),
    (LOG_ID, _log),
)


def _span_part(forest: Forest, row: int) -> str:
    span, rank = forest.spans[row], int(forest.kin.ranks[row])
    ids = f"{forest.tables.traces[span['trace']].hex()}-{int(span['span_id']):016x}"
    return ids + (f".{rank}" if rank else "")
