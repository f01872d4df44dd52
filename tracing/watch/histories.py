"""Flows of a type as they went, for learning and for back-tests: each with its steps and until when it was watched.

A sample: of the flows that were active in the last two weeks the given number, chosen by their ids, which are hashes,
so that who moved lately is not preferred. Steps are states where a flow states any, else milestones (`moving`).
"""

from collections.abc import Sequence

import psycopg

from tracing.lengths import DAY_NS, MINUTE_NS
from tracing.sums import MAX_STEP
from tracing.watch import statements
from tracing.watch.paces import DAYS
from tracing.watch.standing import History, Step

MOST_FLOWS = 2_000
# Statements and records of one flow: a customer's thousands say no more of the usual than its latest.
LATEST = 200
# A type of so many is sampled from a part of them; ids are hashes, so a range of them is a fair part.
SCANNED = 40_000

# flow_type_recent serves the walk; the hash's order makes the sample.
_FLOWS = """
SELECT flow_id, key, first_ns, last_ns, states FROM (
    SELECT flow_id, key, first_ns, last_ns, state IS NOT NULL AS states FROM flow
    WHERE type = %s AND environment = %s AND activity >= %s AND flow_id < %s LIMIT %s
) AS newest ORDER BY flow_id LIMIT %s
"""
_COUNT = "SELECT sum(open) FROM backlog WHERE type = %s AND environment = %s"
# Milestones that carry the key: server, consumer and root spans, and logs that name an event. OFFSET 0 as in `courses`.
_MILESTONES = """
SELECT m.flow_id, s.start_ns, s.name, s.service FROM unnest(%(flows)s::bytea[]) AS n(flow_id), LATERAL (
    SELECT * FROM member WHERE flow_id = n.flow_id AND day >= %(day)s ORDER BY day DESC LIMIT %(latest)s
) AS m, LATERAL (
    SELECT substring(m.span_ids FROM place FOR 8) AS span_id, m.trace_id AS trace_id, m.day AS day
    FROM generate_series(1, length(m.span_ids), 8) AS place
) AS one, LATERAL (
    SELECT * FROM span WHERE trace_id = one.trace_id AND span_id = one.span_id AND day = one.day OFFSET 0
) AS s WHERE s.kind IN (2, 5) OR s.parent_span_id = ''::bytea
UNION ALL
SELECT m.flow_id, l.time_ns, l.event_name, l.service FROM unnest(%(flows)s::bytea[]) AS n(flow_id), LATERAL (
    SELECT * FROM member WHERE flow_id = n.flow_id AND day >= %(day)s AND log_ids <> ''::bytea ORDER BY day DESC LIMIT %(latest)s
) AS m, LATERAL (
    SELECT substring(m.log_ids FROM place FOR 16) AS log_id, m.day AS day
    FROM generate_series(1, length(m.log_ids), 16) AS place
) AS one, LATERAL (SELECT * FROM log WHERE log_id = one.log_id AND day = one.day OFFSET 0) AS l WHERE l.event_name <> ''
"""


def read(
    connection: psycopg.Connection, type: str, environment: str, now_ns: int, most: int = MOST_FLOWS
) -> list[History]:
    """A sample of the type's flows, in no order that means anything."""
    from_ns = now_ns - DAYS * DAY_NS
    rows = connection.execute(
        _FLOWS,
        (
            type,
            environment,
            from_ns // MINUTE_NS,
            _bound(connection, type, environment, most),
            SCANNED,
            most,
        ),
    ).fetchall()
    steps: dict[bytes, Sequence[Step]] = {}
    steps |= statements.read_steps(connection, [row[0] for row in rows if row[4]], LATEST)
    steps |= _milestones(connection, [row[0] for row in rows if not row[4]], from_ns)
    return [
        History(row[0], row[1], steps.get(row[0], ()), "state" if row[4] else "milestone", row[2], now_ns)
        for row in rows
    ]


def _bound(connection: psycopg.Connection, type: str, environment: str, most: int) -> bytes:
    """Ids below this are a part of all that holds about twice the sample."""
    row = connection.execute(_COUNT, (type, environment)).fetchone()
    count = int(row[0] or 0) if row else 0
    if count <= SCANNED // 2:
        return b"\xff" * 17
    return int(min(1.0, 4 * most / count) * (2**64 - 1)).to_bytes(8, "big")


def _milestones(
    connection: psycopg.Connection, flows: list[bytes], from_ns: int
) -> dict[bytes, Sequence[Step]]:
    found: dict[bytes, list[Step]] = {}
    for part in statements.parts(flows):
        asked = {"flows": part, "day": from_ns // DAY_NS, "latest": LATEST}
        for flow_id, at_ns, name, service in connection.execute(_MILESTONES, asked).fetchall():
            found.setdefault(flow_id, []).append(Step(name[:MAX_STEP], service, at_ns))
    return {flow_id: sorted(steps, key=lambda one: (one.at_ns, one.name)) for flow_id, steps in found.items()}
