"""How long flows of each type stay at each step and what comes next, learned from how they went.

A duty: each type in its turn, the ones that changed most first, and no more often than learning it is cheap. What it
`paces` makes of them is written to `learned`; `hastening` looks at flows that are late under it although nobody would yet.
"""

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import psycopg

from tracing.clock import now_ns
from tracing.lengths import DAY_NS, MINUTE_NS
from tracing.watch import histories, loading, sight, survival
from tracing.watch.customs import Customs
from tracing.watch.hastening import Change, hasten
from tracing.watch.heartbeat import heartbeat
from tracing.watch.paces import DAYS, paces_of
from tracing.watch.standing import Pace

logger = logging.getLogger(__name__)

# "TLLN": one watcher learns at a time.
LEARN_LOCK = 0x544C4C4E
# A type is learned anew after a minute at the soonest; between two, learning rests as long as twenty times what it took.
SOONEST_NS, LATEST_NS = MINUTE_NS, 10 * MINUTE_NS
PATIENCE = 20
FEW = 15  # flows: too few to be worth a turn of their own
STATE, MILESTONE, SERIES = "state", "milestone", "series"
FEWEST_BEGINNINGS = 8  # as `judging.SURE_INTERVALS`: fewer look even by chance
EVEN = 0.1  # IQR / median: begun by a clock, not by people who come steadily

_TYPES = """
SELECT type, environment, max(l.learned_ns), max(k.flows), max((l.facts ->> 'known')::bigint) FROM (
    SELECT type, environment, sum(flows) AS flows FROM (
        SELECT type, environment, open + ended AS flows FROM backlog UNION ALL SELECT type, environment, 0 FROM learned
    ) AS each GROUP BY 1, 2
) AS k LEFT JOIN learned l USING (type, environment) GROUP BY 1, 2
"""
_WRITE = """
INSERT INTO learned (type, environment, step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
ON CONFLICT (type, environment, step, source) DO UPDATE SET passed = excluded.passed, waiting = excluded.waiting,
    threshold_ns = excluded.threshold_ns, level = excluded.level, is_end = excluded.is_end, facts = excluded.facts,
    learned_ns = excluded.learned_ns
"""
_BEFORE = """
SELECT step, source, passed, waiting, threshold_ns, level, is_end, facts FROM learned
WHERE type = %s AND environment = %s AND source <> 'series'
"""
_FLOWS = "SELECT coalesce(sum(open + ended), 0) FROM backlog WHERE type = %s AND environment = %s"
_BEGUN = """
SELECT first_ns FROM (
    SELECT first_ns, activity FROM flow WHERE type = %s AND environment = %s ORDER BY activity DESC, flow_id DESC LIMIT 60
) AS newest WHERE first_ns IS NOT NULL
"""
_NO_RHYTHM = "DELETE FROM learned WHERE type = %s AND environment = %s AND source = 'series'"
_FORGET = """
DELETE FROM learned WHERE type = %s AND environment = %s AND learned_ns < %s AND source <> 'series'
"""


class Learner:
    """Takes its turns; what was learned is in the table. Who doubled since is as good as new."""

    def __init__(self) -> None:
        self._rests_until_ns = 0
        # Types that could not be learned, with the moment until which they are passed over.
        self._failed: dict[tuple[str, str], int] = {}

    def work(self, connection: psycopg.Connection) -> bool:
        """Learn the type that is most overdue; whether another was never learned. One watcher does it at a time."""
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LEARN_LOCK,)).fetchone()
        if not row or not row[0]:
            return False
        try:
            return self._work(connection, now_ns())
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (LEARN_LOCK,))

    def _work(self, connection: psycopg.Connection, now: int) -> bool:
        known = [
            row
            for row in connection.execute(_TYPES).fetchall()
            if now >= self._failed.get((row[0], row[1]), 0)
        ]
        new = [row for row in known if row[2] is None or row[3] >= 2 * max(row[4] or 0, FEW)]
        if not new and self._rests_until_ns - LATEST_NS < now < self._rests_until_ns:
            return False
        due = new or [row for row in known if now - row[2] >= SOONEST_NS or now < row[2]]
        if not due:
            return False
        type, environment, *_ = min(due, key=lambda row: (row[2] or 0, row[0], row[1]))
        began = time.monotonic_ns()
        self._learn(connection, type, environment, now)
        self._rests_until_ns = now + min(PATIENCE * (time.monotonic_ns() - began), LATEST_NS)
        return len(new) > 1

    def _learn(self, connection: psycopg.Connection, type: str, environment: str, now: int) -> None:
        """One type that cannot be learned is passed over for a while, and the others are learned."""
        try:
            learn(connection, type, environment, now)
        except psycopg.OperationalError:
            raise
        except Exception:
            logger.exception("the type %s could not be learned", type)
            self._failed[type, environment] = now + LATEST_NS


def learn(connection: psycopg.Connection, type: str, environment: str, now: int) -> dict[str, Pace]:
    """Learn one type from what is stored and write it down; the paces by step, "" for the whole type."""
    past = histories.read(connection, type, environment, now)
    customs = loading.customs(connection).get(type, Customs())
    blind = sight.blind(connection, now - DAYS * DAY_NS, now)
    before = _known(connection, type, environment)
    count = known_flows(connection, type, environment)
    total = sum(1 for one in past if one.steps)
    changes: list[Change] = []
    with connection.transaction():
        # A type without a step is known to have none.
        _write(connection, (type, environment, "", MILESTONE), Pace(0, 0), {"known": count}, now)
        for source in (STATE, MILESTONE):
            of_source = [one for one in past if one.source == source]
            for step, (pace, facts) in paces_of(of_source, customs, blind, total).items():
                known, held_since_ns = before.get((step, source), (None, None))
                kept = _held(known, held_since_ns, pace, now)
                if kept is not pace:
                    facts["held_since_ns"] = held_since_ns or now
                _write(connection, (type, environment, step, source), kept, {**facts, "known": count}, now)
                changes.append(Change(step, known, kept))
        connection.execute(_FORGET, (type, environment, now))
        _learn_rhythm(connection, type, environment, now)
    hasten(connection, type, environment, changes, now)
    return {one.step: one.pace for one in changes}


def known_flows(connection: psycopg.Connection, type: str, environment: str) -> int:
    """How many flows of the type there are, as last counted."""
    row = connection.execute(_FLOWS, (type, environment)).fetchone()
    return int(row[0]) if row else 0


def _learn_rhythm(connection: psycopg.Connection, type: str, environment: str, now: int) -> None:
    """Whether flows of the type begin at even intervals, and at which."""
    begun = [row[0] for row in connection.execute(_BEGUN, (type, environment)).fetchall()]
    beat = heartbeat(begun)
    if beat is None or beat.intervals < FEWEST_BEGINNINGS or beat.spread > EVEN:
        connection.execute(_NO_RHYTHM, (type, environment))
        return
    facts = {"period_ns": beat.period_ns, "beats": beat.intervals + 1, "spread": beat.spread}
    _write(connection, (type, environment, "", SERIES), Pace(beat.intervals, 0), facts, now)


def _known(
    connection: psycopg.Connection, type: str, environment: str
) -> dict[tuple[str, str], tuple[Pace, int | None]]:
    """By step and source what was learned last, and since when its threshold is held although less is known."""
    rows = connection.execute(_BEFORE, (type, environment)).fetchall()
    return {(row[0], row[1]): (loading.as_pace(*row[2:]), row[7].get("held_since_ns")) for row in rows}


def _held(known: Pace | None, held_since_ns: int | None, pace: Pace, now: int) -> Pace:
    """A queue makes what is learned of a step uncertain just while it matters: what was known before holds on.

    Unless it was learned of so few that it was a guess.
    """
    if known is None or known.threshold is None or pace.passed >= 2 * known.passed:
        return pace
    return survival.held(known, pace, 0 if held_since_ns is None else now - held_since_ns)


def _write(
    connection: psycopg.Connection,
    key: tuple[str, str, str, str],
    pace: Pace,
    facts: Mapping[str, Any],
    now: int,
) -> None:
    connection.execute(
        _WRITE,
        (*key, pace.passed, pace.waiting, pace.threshold, pace.level, pace.is_end, json.dumps(facts), now),
    )
