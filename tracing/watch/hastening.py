"""Brings looks forward where what was learned of steps says that they come too late, and back to those thought ended.

After `learning` has committed: the flows are found without holding any, then moved in chunks in the order in which ingest
and judge hold them. One pass over the flows of the type, whatever the number of its steps.
"""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing import arrays
from tracing.watch.looks import IDLE
from tracing.watch.standing import Pace

CHUNK = 2_000
# A threshold that shrank by less moves nobody.
SHRUNK = 0.8

_SOONER: LiteralString = f"""
SELECT e.flow_id, greatest(%s, e.since_ns + n.after_ns) FROM expectation e
JOIN unnest(%b::text[], %b::bigint[]) AS n(step, after_ns) ON n.step = e.step
WHERE e.type = %s AND e.environment = %s AND e.verdict IN ('moving', 'due')
    AND (e.looks_ns > greatest(%s, e.since_ns + n.after_ns) OR {IDLE})
"""
# Who is called late by what was known before.
_WRONG = """
SELECT flow_id, %s::bigint FROM expectation
WHERE type = %s AND environment = %s AND step = ANY(%b::text[]) AND verdict IN ('late', 'stuck') AND source IN ('learned', 'type')
    AND looks_ns > %s
"""
_ENDED = """
SELECT flow_id, %s::bigint FROM expectation
WHERE type = %s AND environment = %s AND step = ANY(%b::text[]) AND verdict = 'ended' AND evidence ->> 'end' = 'learned'
"""
_MOVE: LiteralString = f"""
UPDATE expectation e SET looks_ns = held.sooner, hurried = true FROM (
    SELECT e.flow_id, least(e.looks_ns, n.sooner) AS sooner FROM expectation e
    JOIN unnest(%b::bytea[], %b::bigint[]) AS n(flow_id, sooner) ON n.flow_id = e.flow_id
    WHERE e.looks_ns IS NULL OR e.looks_ns > n.sooner OR {IDLE}
    ORDER BY e.flow_id FOR NO KEY UPDATE OF e
) AS held WHERE e.flow_id = held.flow_id
"""


class Change(NamedTuple):
    """What was learned anew of a step; `before` is None for the first time."""

    step: str
    before: Pace | None
    pace: Pace


def hasten(
    connection: psycopg.Connection, type: str, environment: str, changes: Sequence[Change], now: int
) -> None:
    """Move the looks of those that stand at these steps. `connection` is in autocommit."""
    sooner = sorted(
        {one.step: after for one in changes if (after := _after(one.before, one.pace)) is not None}.items()
    )
    found = []
    if sooner:
        found += connection.execute(
            _SOONER, (now, *arrays.columns("tq", sooner), type, environment, now)
        ).fetchall()
    reopened = [one.step for one in changes if one.before and one.before.is_end and not one.pace.is_end]
    if reopened:
        found += connection.execute(_ENDED, (now, type, environment, arrays.array("t", reopened))).fetchall()
    other = [one.step for one in changes if _is_other(one.before, one.pace)]
    if other:
        asked = (now, type, environment, arrays.array("t", other), now)
        found += connection.execute(_WRONG, asked).fetchall()
    found.sort()
    for at in range(0, len(found), CHUNK):
        connection.execute(_MOVE, arrays.columns("bq", found[at : at + CHUNK]))


def _is_other(before: Pace | None, pace: Pace) -> bool:
    """Whether a threshold moved so much that those it called late are to be looked at again."""
    known, found = before.threshold if before else None, pace.threshold
    if known is None or found is None:
        return known is not found
    return not SHRUNK * known <= found <= known / SHRUNK


def _after(before: Pace | None, pace: Pace) -> int | None:
    """How long after arriving at the step a flow is to be looked at; None where nothing new brings anybody forward."""
    if pace.is_end:
        return None if before and before.is_end else 0
    known = before.threshold if before else None
    if pace.threshold is None or (known is not None and pace.threshold > SHRUNK * known):
        return None
    return pace.threshold
