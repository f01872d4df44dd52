"""A short text that changes whenever a flow's page would: what a page that is looked at asks for every second.

Counts in rows that grow with each commit, so the answer costs a few look-ups however large the flow is. What is said
about a flow is told apart from its records: a new note does not make anybody read those again.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from django.db import connection

from timeline.queries.asides import COUNTED
from timeline.summaries import FlowSummary

# Everything in the flow's traces counts: what descends from its records carries no key, and is shown.
WITHIN = """
    SELECT count(*), sum(spans), sum(events), sum(logs) FROM request
    WHERE trace_id IN (SELECT trace_id FROM chapter WHERE flow_id = %s AND trace_id <> '')"""
AGAIN_MS = 1_000  # a page that is looked at asks again: what waits for its next step was quiet until now


VERSIONS = "SELECT digest FROM span WHERE trace_id = %s AND span_id = %s ORDER BY start_ns, digest LIMIT 1000"
BESIDE = "SELECT sum(spans), sum(events), sum(logs) FROM request WHERE trace_id = ANY(%s)"


class Pulse(NamedTuple):
    """`text` is 16 hex digits, equal while nothing new of the flow was stored; `records` are those of its traces.

    `said` is equal while nobody judged it otherwise, wrote a note or sent a message.
    """

    text: str
    records: int
    said: str = ""

    @property
    def whole(self) -> str:
        """What a page compares."""
        return self.text + self.said


def read_pulse(flow: FlowSummary, beside: Sequence[bytes] = ()) -> Pulse:
    """`beside` are the traces of requests that are drawn beside this one."""
    told = (
        flow.spans, flow.events, flow.logs, flow.errors, flow.chapters, flow.state, flow.step, flow.last_ns,
        flow.root_span_id, flow.retained, flow.systems,
    )  # fmt: skip
    records = flow.spans + flow.events + flow.logs
    if beside:
        with connection.cursor() as cursor:
            cursor.execute(BESIDE, [list(beside)])
            told += tuple(cursor.fetchone())
    if flow.kind != "request":
        with connection.cursor() as cursor:
            cursor.execute(WITHIN, [flow.identity])
            within = cursor.fetchone()
        told += tuple(within)
        records = max(records, sum(count or 0 for count in within[1:]))
    return Pulse(_digest(told), int(records), _digest((flow.judged, flow.troubles, *_counted(flow.identity))))


def span_pulse(trace_id: bytes, span_id: bytes) -> str:
    """16 hex digits, equal while nothing else came under these ids. A log is a pulse of its own: it never changes."""
    with connection.cursor() as cursor:
        cursor.execute(VERSIONS, [trace_id, span_id])
        return _digest(tuple(bytes(row[0]) for row in cursor.fetchall()))


def _counted(identity: bytes) -> tuple[str, ...]:
    with connection.cursor() as cursor:
        cursor.execute(COUNTED, {"flow": identity})
        return tuple(cursor.fetchone())


def _digest(told: tuple[object, ...]) -> str:
    return blake2b(repr(told).encode(), digest_size=8).hexdigest()
