"""How many flows stand at which step, and since when the oldest: counted from the judge's rows, kept over time.

A duty. It is a pass over all open flows, so it takes as long a pause as thirty times what it took. `Now` and the pages
of types read `backlog`.
"""

import time

import psycopg

from tracing.clock import now_ns

BACKLOG_LOCK = 0x544C574C
EVERY_NS = 3_000_000_000
PATIENCE = 30
MOST_STEPS = 200
QUARTER_NS = 900_000_000_000
KEPT_QUARTERS = 15 * 96

# Names with ids in them would make a row each: beyond the most frequent steps of a type the rest count without a name.
# The oldest is found as text: PostgreSQL knows the least of bytes from 18 on only.
# A flow that was not judged since it moved counts where it was.
_COUNT = """
INSERT INTO backlog (kind, type, environment, step, open, ended, late, stuck, unknown, paused, oldest_ns, oldest_id,
    counted_ns)
SELECT kind, type, environment, CASE WHEN rank <= %(steps)s THEN step ELSE '' END, sum(open), sum(ended), sum(late),
    sum(stuck), sum(unknown), sum(paused), min(oldest_ns), decode(substring(min(oldest) FROM 17), 'hex'), %(now)s
FROM (
    SELECT kind, type, environment, coalesce(step, '') AS step, count(*) FILTER (WHERE open) AS open,
        count(*) FILTER (WHERE NOT open) AS ended, count(*) FILTER (WHERE verdict = 'late' AND NOT quiet) AS late,
        count(*) FILTER (WHERE verdict = 'stuck' AND NOT quiet) AS stuck,
        count(*) FILTER (WHERE verdict = 'unknown') AS unknown, count(*) FILTER (WHERE verdict = 'paused') AS paused,
        min(since_ns) FILTER (WHERE open) AS oldest_ns,
        min(encode(int8send(since_ns) || flow_id, 'hex') COLLATE "C") FILTER (WHERE open) AS oldest,
        row_number() OVER (PARTITION BY kind, type, environment ORDER BY count(*) DESC) AS rank
    FROM (SELECT *, verdict <> 'ended' AS open FROM expectation) AS e
    WHERE verdict IS NOT NULL AND length(environment) <= 200
    GROUP BY 1, 2, 3, 4
) AS counted
GROUP BY 1, 2, 3, 4
ON CONFLICT (type, environment, kind, step) DO UPDATE SET open = excluded.open, ended = excluded.ended, late = excluded.late,
    stuck = excluded.stuck, unknown = excluded.unknown, paused = excluded.paused, oldest_ns = excluded.oldest_ns,
    oldest_id = excluded.oldest_id, counted_ns = excluded.counted_ns
"""
_EMPTY = "DELETE FROM backlog WHERE counted_ns <> %s"
_HISTORY = """
INSERT INTO backlog_history (type, environment, step, quarter, open)
SELECT type, environment, step, %(quarter)s, sum(open) FROM backlog WHERE open > 0 GROUP BY 1, 2, 3
ON CONFLICT (type, environment, step, quarter) DO UPDATE SET open = greatest(backlog_history.open, excluded.open)
"""
_FORGET = "DELETE FROM backlog_history WHERE quarter < %s"


class Backlogs:
    """Counts when the last count is old enough."""

    def __init__(self) -> None:
        self._counted_ns = 0
        self._took_ns = 0

    def work(self, connection: psycopg.Connection) -> None:
        now = now_ns()
        pause_ns = max(EVERY_NS, PATIENCE * self._took_ns)
        if 0 <= now - self._counted_ns < pause_ns:
            return
        began = time.monotonic_ns()
        count(connection, now)
        self._counted_ns, self._took_ns = now, time.monotonic_ns() - began


def count(connection: psycopg.Connection, now: int) -> None:
    """Count all open flows by step, once, whichever watcher does it."""
    with connection.transaction():
        row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (BACKLOG_LOCK,)).fetchone()
        if not row or not row[0]:
            return
        quarter = now // QUARTER_NS
        connection.execute(_COUNT, {"now": now, "steps": MOST_STEPS})
        connection.execute(_EMPTY, (now,))
        connection.execute(_HISTORY, {"quarter": quarter})
        connection.execute(_FORGET, (quarter - KEPT_QUARTERS,))
