"""The records of one flow as tables of numbers: what a layout needs of each, and no more.

`timeline.queries.skeleton` reads them in bulk; names and attributes are read later, for the rows of one window only.
Times are Unix nanoseconds as the sender gave them; ids are big-endian numbers, so that their order is the bytes'.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from timeline.layout.hints import Hint

# A column of records; mypy knows nothing of their fields.
Table = NDArray[Any]

NO_SPAN = 0  # "no parent", "no span": OTLP allows no id of zeros
NO_TRACE = -1

SPAN = np.dtype(
    [
        ("start", "i8"),
        ("end", "i8"),
        ("span_id", "u8"),
        ("digest", "u8"),  # its first 8 bytes, tells versions apart
        ("parent_id", "u8"),  # NO_SPAN for a root
        ("trace", "i4"),  # index of `Tables.traces`
        ("status", "i4"),  # OTLP: 2 is an error
        ("kind", "i4"),
        ("service", "i4"),  # hash of the name
        ("operation", "i8"),  # hash of service, kind and name
        ("dropped", "i8"),
        ("redacted", "i4"),
        ("facts", "i4"),  # bits of `tracing.facts`
    ]
)
EVENT = np.dtype(
    [
        ("time", "i8"),
        ("span", "i4"),  # its row among the spans
        ("ordinal", "i4"),
        ("failed", "?"),  # an exception
    ]
)
LOG = np.dtype(
    [
        ("time", "i8"),  # 0 where it has none
        ("tie", "i4"),  # hash of what it says
        ("high", "u8"),  # of the log id
        ("low", "u8"),
        ("trace", "i4"),  # NO_TRACE where it has none
        ("span_id", "u8"),  # NO_SPAN where it has none
        ("severity", "i4"),
        ("service", "i4"),
        ("dropped", "i8"),
        ("redacted", "i4"),
        ("exception", "i4"),  # hash of the exception's type and message, 0 where it tells none
    ]
)
FAILED_STATUS, FAILED_SEVERITY = 2, 17


class Told(NamedTuple):
    """Which exception an event tells: read only for spans whose logs tell one too."""

    trace: int
    span_id: int
    digest: int
    ordinal: int
    exception: int


class Move(NamedTuple):
    """A transition: where one system's statement changed."""

    time: int
    system: str
    ordinal: int  # among the transitions of its system
    state: str
    before: str | None
    trace_id: bytes  # empty for a log without a trace
    record_id: bytes  # span id or log id
    day: int


def no_rows(kind: np.dtype[Any]) -> Table:
    return np.zeros(0, kind)


@dataclass(slots=True)
class Tables:
    """What was read of a flow. Spans and logs may stand in any order: `settled` does that."""

    traces: list[bytes]
    spans: Table = field(default_factory=lambda: no_rows(SPAN))
    events: Table = field(default_factory=lambda: no_rows(EVENT))
    logs: Table = field(default_factory=lambda: no_rows(LOG))
    moves: Sequence[Move] = ()
    exceptions: Sequence[Told] = ()
    services: Mapping[int, str] = field(default_factory=dict)  # names by their hashes
    hints: Mapping[int, Hint] = field(default_factory=dict)  # what few spans say, by their rows


def settled(tables: Tables) -> Tables:
    """The same records in the order that any arrival gives: by time, then by what they are."""
    spans, logs = tables.spans, tables.logs
    order = _sorted(spans["start"], spans["span_id"], spans["digest"], spans["trace"])
    moved = np.empty(len(order), np.int32)
    moved[order] = np.arange(len(order), dtype=np.int32)
    events = tables.events.copy()
    events["span"] = moved[events["span"]] if len(events) else events["span"]
    events = events[_sorted(events["time"], events["span"], events["ordinal"])]
    logs = logs[_sorted(logs["time"], logs["tie"], logs["high"], logs["low"])]
    return Tables(
        tables.traces, spans[order], events, logs, sorted(tables.moves), tables.exceptions, tables.services,
        {int(moved[row]): hint for row, hint in tables.hints.items()},
    )  # fmt: skip


def rows_of(heads: Table, table: Table, keys: Sequence[str]) -> NDArray[np.int64]:
    """Which row of a table has the keys of each head; -1 where none has."""
    if not len(table):
        return np.full(len(heads), -1, np.int64)
    order = np.lexsort([table[key] for key in reversed(keys)])
    kind = np.dtype([(key, table.dtype[key]) for key in keys])
    ordered, wanted = np.zeros(len(table), kind), np.zeros(len(heads), kind)
    for key in keys:
        ordered[key], wanted[key] = table[key][order], heads[key]
    # Structured rows compare field by field, as they were sorted.
    at = np.minimum(np.searchsorted(ordered, wanted), len(table) - 1)
    return np.where(ordered[at] == wanted, order[at], -1)


def _sorted(first: NDArray[Any], *ties: NDArray[Any]) -> NDArray[np.intp]:
    """The order by several columns. Only what is tied in the first is sorted by all: a quarter of the time."""
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    same = ordered[1:] == ordered[:-1]
    tied = np.flatnonzero(np.concatenate(([False], same)) | np.concatenate((same, [False])))
    if len(tied) > 1:
        those = order[tied]
        order[tied] = those[np.lexsort((*(column[those] for column in reversed(ties)), first[those]))]
    return order
