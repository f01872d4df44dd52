"""The watcher's round: who is due is judged, and what became of it is written, a set of flows at a time.

Several watchers may run; one judges at a time, and what it writes holds only for the look it was due for, which a record
that comes meanwhile moves (`tracing.noting`). So a watcher that dies anywhere leaves nothing half done: the next one
finds the same flows due.
"""

import json
import logging
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from tracing import arrays
from tracing.clock import now_ns
from tracing.watch import courses, loading, memberships
from tracing.watch.flips import Flip, flips, sentence, turns
from tracing.watch.judging import judge
from tracing.watch.lore import Lore
from tracing.watch.standing import WRONG, Course, Standing

logger = logging.getLogger(__name__)

# "TLWJ": one watcher judges at a time.
JUDGE_LOCK = 0x544C574A
SET = 2_000
# A round ends after so many, so that the other duties get their turn.
MOST = 40_000
MINUTE_NS = 60_000_000_000
# A flow that was in order is looked at again when it moves, while there is time for that.
BUSY = 0.25
SPREAD_NS = 5_000_000_000

_DUE = """
SELECT flow_id, looks_ns, verdict, faults FROM expectation WHERE looks_ns <= %s ORDER BY looks_ns LIMIT %s
"""
_FOLLOWED = "SELECT DISTINCT flow_id FROM tracing_follow"
# In one order, as ingest takes them.
_HOLD = "SELECT 1 FROM expectation WHERE flow_id = ANY(%s) ORDER BY flow_id FOR NO KEY UPDATE"
# `+ 0` keeps the planner from looking the rows up by time: many may be due at the same nanosecond, and each would be
# searched among them all (a plan made without knowing the arrays does so).
_WRITE = """
UPDATE expectation e SET looks_ns = n.looks_ns, wakes = n.wakes = 1, verdict = n.verdict, verdict_since_ns = n.verdict_since_ns,
    step = n.step, system = n.system, since_ns = n.since_ns, heard_ns = n.heard_ns, awaited_step = n.awaited_step,
    awaited_system = n.awaited_system, expected_ns = n.expected_ns, late_ns = n.late_ns, stuck_ns = n.stuck_ns,
    source = n.source, reason = n.reason, quiet = n.quiet = 1, evidence = n.evidence::jsonb, judged_ns = %s, faults = 0
FROM unnest(%b::bytea[], %b::bigint[], %b::bigint[], %b::int[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::bigint[],
    %b::bigint[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::int[], %b::text[])
    AS n(flow_id, claimed_ns, looks_ns, wakes, verdict, verdict_since_ns, step, system, since_ns, heard_ns, awaited_step,
    awaited_system, expected_ns, late_ns, stuck_ns, source, reason, quiet, evidence)
WHERE e.flow_id = n.flow_id AND e.looks_ns + 0 = n.claimed_ns
RETURNING e.flow_id
"""
_FLIPS = """
INSERT INTO flip (flip_id, flow_id, at_ns, judged_ns, before, after, step, system, sentence, told)
SELECT n.*, NOT n.flow_id = ANY(%b::bytea[]) FROM unnest(%b::bytea[], %b::bytea[], %b::bigint[], %b::bigint[], %b::text[],
    %b::text[], %b::text[], %b::text[], %b::text[])
    AS n(flip_id, flow_id, at_ns, judged_ns, before, after, step, system, sentence)
ON CONFLICT DO NOTHING
"""
_PUT_OFF = """
UPDATE expectation SET looks_ns = %s + (60000000000 * 2 ^ least(faults, 10))::bigint, faults = least(faults + 1, 30)
WHERE flow_id = ANY(%s) AND looks_ns <= %s
"""
_GONE = "DELETE FROM expectation e WHERE flow_id = ANY(%s) AND NOT EXISTS (SELECT 1 FROM flow WHERE flow_id = e.flow_id)"


class Due(NamedTuple):
    flow_id: bytes
    looks_ns: int
    verdict: str | None
    faults: int


@dataclass(slots=True)
class Judged:
    """One flow's new standing, beside what was known of it."""

    due: Due
    course: Course
    standing: Standing


class Rounds:
    """Judges who is due. It remembers how busy it was, to know whether it has time for flows that are in order."""

    def __init__(self) -> None:
        self._share = 0.0  # of the time, spent judging
        self._ended = time.monotonic()
        self.rows = 0

    def work(self, connection: psycopg.Connection) -> bool:
        """Judge everybody who is due, up to a bound; whether more are waiting."""
        began = time.monotonic()
        self.rows = 0
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (JUDGE_LOCK,)).fetchone()
        if not row or not row[0]:
            return False
        try:
            more = self._judge(connection)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (JUDGE_LOCK,))
        now = time.monotonic()
        share = (now - began) / max(now - self._ended, 0.001)
        self._share = 0.8 * self._share + 0.2 * min(share, 1.0)
        self._ended = now
        return more

    def _judge(self, connection: psycopg.Connection) -> bool:
        now = now_ns()
        due = _due(connection, now)
        if not due:
            return False
        lore = loading.load(connection, now)
        followed = {bytes(row[0]) for row in connection.execute(_FOLLOWED).fetchall()}
        eager = self._share < BUSY
        while due and self.rows < MOST:
            judge_set(connection, due, lore, now, followed, eager=eager)
            self.rows += len(due)
            due = _due(connection, now) if len(due) == SET else []
        return bool(due)


def _due(connection: psycopg.Connection, now: int) -> list[Due]:
    return [Due(*row) for row in connection.execute(_DUE, (now, SET)).fetchall()]


def judge_set(
    connection: psycopg.Connection,
    due: Sequence[Due],
    lore: Lore,
    now: int,
    followed: set[bytes] = frozenset(),  # type: ignore[assignment]  # read only
    *,
    eager: bool = True,
) -> None:
    """Judge these flows and write it. A flow whose judging fails is put off alone."""
    read = courses.read(connection, [one.flow_id for one in due])
    judged, broken = _judged(due, read, lore, now)
    turning = [one for one in judged if _turns_wrong(one)]
    if turning:
        _look_closer(connection, turning, lore, now)
    gone = [one.flow_id for one in due if one.flow_id not in read]
    if gone:
        connection.execute(_GONE, (gone,))
    if broken:
        connection.execute(_PUT_OFF, (now, broken, now))
    _write_all(connection, judged, now, followed, eager)


def _judged(
    due: Sequence[Due], read: Mapping[bytes, Course], lore: Lore, now: int
) -> tuple[list[Judged], list[bytes]]:
    """What is to be said of each, and the flows that could not be judged."""
    judged, broken = [], []
    for one in due:
        if one.flow_id not in read:
            continue
        try:
            judged.append(Judged(one, read[one.flow_id], judge(read[one.flow_id], lore, now)))
        except Exception:
            if not one.faults:
                logger.exception("the flow %s could not be judged; it is put off", one.flow_id.hex())
            broken.append(one.flow_id)
    return judged, broken


def _turns_wrong(one: Judged) -> bool:
    return one.standing.verdict in WRONG and one.due.verdict not in WRONG


def _look_closer(connection: psycopg.Connection, turning: Sequence[Judged], lore: Lore, now: int) -> None:
    """Before a flow is called late, what belongs to it without carrying its key is looked at."""
    latest = memberships.latest_milestones(connection, [one.due.flow_id for one in turning])
    for one in turning:
        course = one.course
        course.later_ns = latest.get(one.due.flow_id)
        if course.later_ns is not None:
            one.standing = judge(course, lore, now)


def _write_all(
    connection: psycopg.Connection, judged: Sequence[Judged], now: int, followed: set[bytes], eager: bool
) -> None:
    """Write a set; where the database refuses a row, by halves, so that one bad row is put off alone."""
    if not judged:
        return
    try:
        _write(connection, judged, now, followed, eager)
    except psycopg.DataError:
        if len(judged) == 1:
            logger.exception(
                "the verdict on %s could not be written; it is put off", judged[0].due.flow_id.hex()
            )
            connection.execute(_PUT_OFF, (now, [judged[0].due.flow_id], now))
            return
        middle = len(judged) // 2
        _write_all(connection, judged[:middle], now, followed, eager)
        _write_all(connection, judged[middle:], now, followed, eager)


def _write(
    connection: psycopg.Connection, judged: Sequence[Judged], now: int, followed: set[bytes], eager: bool
) -> None:
    ordered = sorted(judged, key=lambda one: one.due.flow_id)
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_HOLD, ([one.due.flow_id for one in ordered],))
        rows = [_row(one, followed, eager) for one in ordered]
        cursor.execute(_WRITE, [now, *arrays.columns("bqqitqttqqttqqqttit", rows)])
        written = {bytes(row[0]) for row in cursor.fetchall()}
        turned = [flip for one in ordered if one.due.flow_id in written for flip in _flips(one, now)]
        if turned:
            cursor.execute(
                _FLIPS, [arrays.array("b", sorted(followed)), *arrays.columns("bbqqttttt", turned)]
            )


def _row(one: Judged, followed: set[bytes], eager: bool) -> tuple[Any, ...]:
    standing, step, wait = one.standing, one.standing.step, one.standing.expectation
    in_order = standing.verdict == "moving"
    wakes = not in_order or eager or one.due.flow_id in followed
    # Spread a little, so that what came together is not due together for ever.
    looks_ns = standing.looks_ns
    if looks_ns is not None and wait is None:
        looks_ns += random.randrange(SPREAD_NS)
    # fmt: off
    return (
        one.due.flow_id, one.due.looks_ns, looks_ns, int(wakes), standing.verdict, standing.since_ns,
        step.name if step else None, step.system if step else None, step.at_ns if step else None, one.course.last_ns,
        wait.step if wait else None, wait.system if wait else None, wait.expected_ns if wait else None,
        wait.late_ns if wait else None, wait.stuck_ns if wait else None, wait.source if wait else None,
        wait.reason if wait else None, int(wait.quiet) if wait else 0, json.dumps(dict(standing.evidence)),
    )
    # fmt: on


def _flips(one: Judged, now: int) -> list[Flip]:
    # Most turn to nothing, and a sentence is a tenth of what judging a flow costs.
    if not turns(one.due.verdict, one.standing):
        return []
    return flips(one.course, one.due.verdict, one.standing, now, sentence(one.standing, now, one.course.type))
