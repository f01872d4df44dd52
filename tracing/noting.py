"""Writes what a batch tells the watcher: whom to look at, failures, statements about the future, volumes.

Part of a storing transaction (`tracing.summing` calls it); `tracing.remarks` collected it. A flow that is new is looked
at soon; of those known already only the ones whose judge waits for a record (`wakes`), so that most cost a look-up.
"""

from typing import Any

import psycopg

from tracing import arrays
from tracing.clock import now_ns
from tracing.failing import Failure
from tracing.flows import Fold
from tracing.remarks import KINDS, Remarks, Scope

__all__ = ["FIRST_LOOK_NS", "KINDS", "add", "expect"]

Cursor = psycopg.Cursor[tuple[Any, ...]]
# The rest of what a service sends together comes within a moment.
FIRST_LOOK_NS = 3_000_000_000
AGAIN_NS = 500_000_000
# Hardly a storing transaction takes longer.
LONGEST_NS = 5_000_000_000

_EXPECT = """
INSERT INTO expectation (flow_id, kind, type, environment, looks_ns, hurried)
SELECT flow_id, kind, type, environment, looks_ns, flow_id = ANY(%b::bytea[])
FROM unnest(%b::bytea[], %b::smallint[], %b::text[], %b::text[], %b::bigint[])
    AS n(flow_id, kind, type, environment, looks_ns)
ORDER BY flow_id ON CONFLICT (flow_id) DO NOTHING
"""
# Who says something of the future is looked at whatever was expected before. Who is due is perhaps being judged: another
# time to look undoes that, so that what was read without this record is not written over it; by the least there is, or
# a flow that never rests would never be judged. Also who is due before
# this transaction may be over. Held in order first, as the judge holds them.
_WAKE = """
UPDATE expectation e SET wakes = false, hurried = e.hurried OR e.flow_id = ANY(%(saying)b::bytea[]), looks_ns = CASE
    WHEN (e.wakes OR e.flow_id = ANY(%(saying)b::bytea[])) AND (e.looks_ns IS NULL OR e.looks_ns > %(soon)s) THEN %(soon)s
    ELSE e.looks_ns + 1 END
FROM (
    SELECT flow_id FROM expectation
    WHERE flow_id = ANY(%(grown)b::bytea[]) AND (wakes OR looks_ns <= %(due)s OR flow_id = ANY(%(saying)b::bytea[]))
    ORDER BY flow_id FOR NO KEY UPDATE
) AS held WHERE e.flow_id = held.flow_id
"""
_STATED = """
INSERT INTO stated (flow_id, said_ns, digest, what, by_ns, step, system, operation, attempt, most, trace_id, record_id,
    day, rule_id, received_ns, xid)
SELECT n.*, %s::xid8 FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[], %b::text[], %b::bigint[], %b::text[], %b::text[],
    %b::text[], %b::int[], %b::int[], %b::bytea[], %b::bytea[], %b::int[], %b::int[], %b::bigint[]) AS n
ON CONFLICT DO NOTHING
"""
_FAILURES = """
INSERT INTO failure (scope_id, kind, fingerprint, at_ns, trace_id, record_id, environment, service, operation, error_type,
    message, day, received_ns, xid)
SELECT n.*, %s::xid8 FROM unnest(%b::bytea[], %b::smallint[], %b::bytea[], %b::bigint[], %b::bytea[], %b::bytea[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::int[], %b::bigint[]) AS n
ON CONFLICT DO NOTHING
"""
# Appended, not added up: rows that every receiver changes would make them wait for each other.
_TALLIES = """
INSERT INTO tally (minute, arrived, service, environment, operation, records, errors, retries, lengths, delays)
SELECT * FROM unnest(%b::int[], %b::int[], %b::text[], %b::text[], %b::text[], %b::int[], %b::int[], %b::int[],
    %b::bytea[], %b::bytea[])
"""


def expect(cursor: Cursor, fold: Fold, grown: list[bytes]) -> None:
    """Have the fold's flows judged; `grown` are those that were known before."""
    now = now_ns()
    soon_ns, first_ns = now + AGAIN_NS, now + FIRST_LOOK_NS
    saying = {row.flow_id for row in fold.remarks.stated.values()}
    told = arrays.array("b", sorted(saying))
    if grown:
        asked = {
            "soon": soon_ns,
            "due": now + LONGEST_NS,
            "grown": arrays.array("b", sorted(grown)),
            "saying": told,
        }
        cursor.execute(_WAKE, asked)
    if len(grown) < len(fold.flows):
        known = set(grown)
        rows = [
            (
                flow_id,
                KINDS[sums.flow.kind],
                sums.flow.type,
                sums.flow.environment,
                soon_ns if flow_id in saying else first_ns,
            )
            for flow_id, sums in sorted(fold.flows.items())
            if sums.flow and flow_id not in known
        ]
        cursor.execute(_EXPECT, [told, *arrays.columns("bhttq", rows)])


def add(cursor: Cursor, remarks: Remarks, xid: int) -> None:
    """Write the rest."""
    if remarks.stated:
        rows = [row for _, row in sorted(remarks.stated.items())]
        cursor.execute(_STATED, [str(xid), *arrays.columns("bqbtqtttiibbiiq", rows)])
    if remarks.failures:
        failed = sorted(_failure_row(scope, *told) for (scope, _, _), told in remarks.failures.items())
        cursor.execute(_FAILURES, [str(xid), *arrays.columns("bhbqbbtttttiq", failed)])
    if remarks.tallies:
        told = [
            (*key, one.records, one.errors, one.retries, one.lengths, one.delays)
            for key, one in sorted(remarks.tallies.items())
        ]
        cursor.execute(_TALLIES, arrays.columns("iitttiiibb", told))


def _failure_row(scope: Scope, failure: Failure, received_ns: int) -> tuple[Any, ...]:
    # fmt: off
    return (
        scope.scope_id, scope.kind, failure.fingerprint, failure.at_ns, failure.trace_id, failure.record_id,
        scope.environment, failure.service, failure.operation, failure.error_type, failure.message, failure.day, received_ns,
    )
    # fmt: on
