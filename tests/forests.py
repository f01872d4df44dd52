"""Records in one line each, for the tests of the layout: spans are named by one letter, times are small numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from timeline.layout.forest import ASIDE, CHAPTER, EVENT, GROUP, LOG, SPAN, Chapter, Forest, log_id
from timeline.layout.growing import grow
from timeline.layout.hints import Hint
from timeline.layout.plan import Plan
from timeline.layout.tables import EVENT as EVENT_TABLE
from timeline.layout.tables import LOG as LOG_TABLE
from timeline.layout.tables import SPAN as SPAN_TABLE
from timeline.layout.tables import Move, Table, Tables, Told

TRACE = bytes(15) + b"\x01"


class OneSpan(NamedTuple):
    name: str
    start: int
    end: int
    parent: str = ""
    status: int = 0
    version: int = 0
    trace: int = 0
    service: int = 1
    kind: int = 1
    operation: int = 0
    facts: int = 0


class OneEvent(NamedTuple):
    name: str
    ordinal: int
    time: int
    version: int = 0
    failed: bool = False
    trace: int = 0


class OneLog(NamedTuple):
    number: int
    time: int
    span: str = ""
    severity: int = 9
    exception: int = 0
    trace: int = 0
    service: int = 1


def sid(name: str) -> bytes:
    return name.encode().rjust(8, b".") if name else bytes(8)


def number(name: str) -> int:
    return int.from_bytes(sid(name), "big")


def told_by(name: str, ordinal: int, exception: int, *, version: int = 0) -> Told:
    return Told(0, number(name), _digest(version), ordinal, exception)


def move(ordinal: int, time: int, span_name: str, state: str = "paid", system: str = "shop") -> Move:
    return Move(time, system, ordinal, state, None, TRACE, sid(span_name), 0)


def tables(
    spans: Iterable[OneSpan] = (),
    events: Iterable[OneEvent] = (),
    logs: Iterable[OneLog] = (),
    moves: Sequence[Move] = (),
    exceptions: Sequence[Told] = (),
    traces: int = 1,
    hints: Mapping[str, Hint] | None = None,
) -> Tables:
    """Tables of these records; an event whose span is not among them is left out, as no such event is read.

    `hints` are what spans say, by their names.
    """
    spans = list(spans)
    names = [(one.trace, one.name, one.version) for one in spans]
    held = [one for one in events if (one.trace, one.name, one.version) in names]
    return Tables(
        [bytes(15) + bytes([place + 1]) for place in range(traces)],
        _table(map(_span_row, spans), SPAN_TABLE),
        _table(
            (
                (one.time, names.index((one.trace, one.name, one.version)), one.ordinal, one.failed)
                for one in held
            ),
            EVENT_TABLE,
        ),
        _table(map(_log_row, logs), LOG_TABLE),
        moves,
        exceptions,
        {1: "shop", 2: "billing", 3: "wms"},
        {row: hints[one.name] for row, one in enumerate(spans) if hints and one.name in hints},
    )  # fmt: skip


def whole(*parts: Any, has_row: bool = False, **more: Any) -> Forest:
    """The forest of one trace."""
    return grow(tables(*parts, **more), [Chapter("c", TRACE, has_row=has_row)])


def rows(plan: Plan) -> list[str]:
    """Rows as `  name`, indented by depth: a span's letter, `letter!n` an event, `#n` a log, `>state`, `§id`, `{first}`."""
    return ["  " * plan.depth(node) + label(plan.forest, node) for node in plan.nodes.tolist()]


def label(forest: Forest, node: int) -> str:
    kind, row = forest.kinds[node], forest.row_of(node)
    if kind == CHAPTER:
        return f"§{forest.chapters[row].id}"
    if kind == SPAN:
        rank = int(forest.kin.ranks[row])
        return _letter(forest.spans[row]) + (f".{rank}" if rank else "")
    if kind == EVENT:
        event = forest.tables.events[row]
        return f"{_letter(forest.spans[event['span']])}!{int(event['ordinal'])}"
    if kind == LOG:
        return f"#{int.from_bytes(log_id(forest.tables.logs[row]), 'big')}"
    if kind == GROUP:
        return "{" + label(forest, forest.groups[row].members[0]) + "}"
    return f"?{forest.asides[row].id}" if kind == ASIDE else f">{forest.move(node).state}"


def node(forest: Forest, name: str) -> int:
    return next(one for one in range(len(forest)) if label(forest, one) == name)


def _letter(span: Table) -> str:
    return int(span["span_id"]).to_bytes(8, "big").decode().strip(".")


def _digest(version: int) -> int:
    return int.from_bytes(bytes([version]) * 8, "big")


def _span_row(one: OneSpan) -> tuple[Any, ...]:
    return (
        one.start, one.end, number(one.name), _digest(one.version), number(one.parent), one.trace, one.status,
        one.kind, one.service, one.operation, 0, 0, one.facts,
    )  # fmt: skip


def _log_row(one: OneLog) -> tuple[Any, ...]:
    span = number(one.span) if one.trace >= 0 else 0
    return (one.time, 0, 0, one.number, one.trace, span, one.severity, one.service, 0, 0, one.exception)


def _table(rows: Iterable[tuple[Any, ...]], kind: np.dtype[Any]) -> Table:
    return np.array(list(rows), kind)
