"""Which flows the records of a laid-out copy carry: they are correlated again, by the rules in force.

Who the members of a flow were goes with their days, the flow's own row in the end, and a copy outlives both. `cleaning` lays
out copies and erases what is found here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, LiteralString, Self

import psycopg

from tracing import stored
from tracing.correlation import Rulebook
from tracing.flows import MARK
from tracing.mentions import Flow, flow_id
from tracing.records import Log, Span
from tracing.remarks import KINDS
from tracing.snapshots import staging

# Records that are read at once.
STEP = 2_000

_MEMBERS = """
SELECT trace_id, span_ids, span_marks, log_ids FROM stage.member_rows WHERE stage_id = %s AND flow_id = %s
"""
_FLOWS = "SELECT kind, type, environment FROM stage.flow_rows WHERE stage_id = %s AND key = %s"
_SPANS: LiteralString = f"SELECT {stored.SPAN_COLUMNS} FROM stage.span"
_LOGS: LiteralString = f"SELECT {stored.LOG_COLUMNS} FROM stage.log"


@dataclass(slots=True)
class Records:
    """Records as copies name them: versions of spans by trace id, span id and mark; logs by their id."""

    spans: set[tuple[bytes, bytes, bytes]] = field(default_factory=set)
    logs: set[bytes] = field(default_factory=set)

    @property
    def marks(self) -> set[bytes]:
        """By what copies that may hold them are found (`shares.SnapshotMark`)."""
        return self.logs.union(trace_id for trace_id, _, _ in self.spans)

    def add(self, others: Self) -> None:
        self.spans |= others.spans
        self.logs |= others.logs

    def add_members(self, trace_id: bytes, span_ids: bytes, span_marks: bytes, log_ids: bytes) -> None:
        """Those that one row of `member` names."""
        pairs = zip(stored.split(span_ids, 8), stored.split(span_marks, MARK), strict=True)
        self.spans |= {(trace_id, span_id, mark) for span_id, mark in pairs}
        self.logs |= set(stored.split(log_ids, 16))

    def within(self, others: Self) -> bool:
        return self.spans <= others.spans and self.logs <= others.logs


def sought(key: str) -> bytes:
    """What the rows of a copy hold wherever something carries this key, as JSON and COPY write it.

    A key may be put together of several values, and JSON writes some letters another way: the longest part without these.
    """
    return max(re.split(r'["\\/\x00-\x1f]', key), key=len).encode()


def members(connection: psycopg.Connection, stage_id: int, flow_id: bytes) -> Records:
    """What the copy itself knows as the records of this flow: nothing, unless it is a copy of the flow."""
    found = Records()
    for row in connection.execute(_MEMBERS, (stage_id, flow_id)).fetchall():
        found.add_members(*row)
    return found


def records(connection: psycopg.Connection, stage_id: int, flow_id: bytes, rules: Rulebook) -> Records:
    """The records of the copy that carry this flow's key. In the caller's transaction."""
    found = Records()
    for record, flows in _carrying(connection, stage_id, rules):
        if any(flow.flow_id == flow_id for flow in flows):
            if isinstance(record, Span):
                found.spans.add((record.trace_id, record.span_id, record.digest[:MARK]))
            else:
                found.logs.add(record.log_id)
    return found


def flows(connection: psycopg.Connection, stage_id: int, key: str, rules: Rulebook) -> set[Flow]:
    """The flows of this key that the copy has a row of, or records that carry it. In the caller's transaction."""
    words = {number: word for word, number in KINDS.items()}
    rows = connection.execute(_FLOWS, (stage_id, key)).fetchall()
    found = {_flow(words[kind], type, key, environment) for kind, type, environment in rows}
    for _, carried in _carrying(connection, stage_id, rules):
        found |= {flow for flow in carried if flow.key == key}
    return found


def _flow(kind: str, type: str, key: str, environment: str) -> Flow:
    return Flow(flow_id(kind, type, key, environment), kind, type, key, environment)


def _carrying(
    connection: psycopg.Connection, stage_id: int, rules: Rulebook
) -> Iterator[tuple[Span | Log, list[Flow]]]:
    """Every record of the copy with the flows whose key it carries, a part at a time."""
    staging.choose(connection, stage_id)
    resources = stored.Resources(connection, "stage", "resource")
    for rows in _parts(connection, _SPANS):
        for span, _ in stored.spans(rows, resources):
            yield span, [one.flow for one in rules.read_span(span).mentions]
    for rows in _parts(connection, _LOGS):
        for log, _ in stored.logs(rows, resources):
            yield log, [one.flow for one in rules.read_log(log).mentions]


def _parts(connection: psycopg.Connection, question: LiteralString) -> Iterator[list[tuple[Any, ...]]]:
    with connection.cursor("carrying") as reading:
        reading.execute(question)
        while rows := reading.fetchmany(STEP):
            yield rows
