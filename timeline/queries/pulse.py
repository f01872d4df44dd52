"""A short text that changes whenever a flow's page would: what a page that is looked at asks for every second.

Counts in rows that grow with each commit, so the answer costs two look-ups however large the flow is.
"""

from hashlib import blake2b
from typing import NamedTuple

from django.db import connection

from timeline.summaries import FlowSummary
from tracing.clock import now_ns

# Everything in the flow's traces counts: what descends from its records carries no key, and is shown.
WITHIN = """
    SELECT count(*), sum(spans), sum(events), sum(logs) FROM request
    WHERE trace_id IN (SELECT trace_id FROM chapter WHERE flow_id = %s AND trace_id <> '')"""
BUSY_NS = 15 * 60_000_000_000
OFTEN_MS, SELDOM_MS = 1_000, 10_000


class Pulse(NamedTuple):
    """`text` is 16 hex digits, equal while nothing new of the flow was stored; `records` are those of its traces."""

    text: str
    records: int


def read_pulse(flow: FlowSummary) -> Pulse:
    told = (
        flow.spans, flow.events, flow.logs, flow.errors, flow.chapters, flow.state, flow.step, flow.last_ns,
        flow.root_span_id, flow.retained, flow.systems,
    )  # fmt: skip
    records = flow.spans + flow.events + flow.logs
    if flow.kind != "request":
        with connection.cursor() as cursor:
            cursor.execute(WITHIN, [flow.identity])
            within = cursor.fetchone()
        told += tuple(within)
        records = max(records, sum(count or 0 for count in within[1:]))
    return Pulse(blake2b(repr(told).encode(), digest_size=8).hexdigest(), int(records))


def asked_again_ms(flow: FlowSummary) -> int:
    """After how long a page asks again: often while the flow moves or its root is missing, else now and then."""
    quiet_ns = now_ns() - flow.activity * 60_000_000_000
    return OFTEN_MS if quiet_ns < BUSY_NS or flow.status == "open" else SELDOM_MS
