"""The watcher's round: who is due is judged, and what became of it is written, a set of flows at a time.

Several watchers may run; one judges at a time, and what it writes holds only for the look it was due for, which a record
that comes meanwhile moves (`tracing.noting`). So a watcher that dies anywhere leaves nothing half done: the next one
finds the same flows due.
"""

import json
import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

import psycopg

from tracing import arrays
from tracing.clock import now_ns
from tracing.flows import AHEAD_NS
from tracing.watch import courses, loading, memberships
from tracing.watch.busyness import Budget
from tracing.watch.flips import Flip, flips
from tracing.watch.judging import judge
from tracing.watch.looks import DEADLINE, IDLE, NEW
from tracing.watch.lore import Lore
from tracing.watch.standing import WRONG, Course, Standing

logger = logging.getLogger(__name__)

# "TLWJ": one watcher judges at a time.
JUDGE_LOCK = 0x544C574A
SET = 2_000
# A round ends after so many, so that the other duties get their turn.
MOST = 40_000
# Flows of a set that moved while they were judged, and are judged again each under its lock.
MOST_ALONE = 200
# Flows without a deadline which a round takes while there is no time for them.
SPARING = 100
SPREAD_NS = 5_000_000_000

# In the order of `Due`.
_COLUMNS = """
flow_id, looks_ns, verdict, faults, CASE WHEN verdict = 'ended' AND evidence ->> 'end' = 'learned' THEN step END, since_ns
"""
_DUE, _NEW, _IDLE = (
    f"SELECT {_COLUMNS} FROM expectation WHERE looks_ns <= %s AND {which} ORDER BY looks_ns LIMIT %s"
    for which in (DEADLINE, NEW, IDLE)
)
_FOLLOWED = "SELECT DISTINCT flow_id FROM tracing_follow"
# In one order, as ingest takes them.
_HOLD = "SELECT 1 FROM expectation WHERE flow_id = ANY(%s) ORDER BY flow_id FOR NO KEY UPDATE"
# `+ 0` keeps the planner from looking the rows up by time: many may be due at the same nanosecond, and each would be
# searched among them all (a plan made without knowing the arrays does so).
_WRITE = """
UPDATE expectation e SET looks_ns = n.looks_ns, wakes = n.wakes = 1, verdict = n.verdict, verdict_since_ns = n.verdict_since_ns,
    step = n.step, system = n.system, since_ns = n.since_ns, heard_ns = n.heard_ns, awaited_step = n.awaited_step,
    awaited_system = n.awaited_system, expected_ns = n.expected_ns, late_ns = n.late_ns, stuck_ns = n.stuck_ns,
    source = n.source, reason = n.reason, quiet = n.quiet = 1, evidence = n.evidence::jsonb, judged_ns = %s, faults = 0,
    hurried = n.hurried = 1
FROM unnest(%b::bytea[], %b::bigint[], %b::bigint[], %b::int[], %b::text[], %b::bigint[], %b::text[], %b::text[], %b::bigint[],
    %b::bigint[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::int[], %b::text[],
    %b::int[]) AS n(flow_id, claimed_ns, looks_ns, wakes, verdict, verdict_since_ns, step, system, since_ns, heard_ns,
    awaited_step, awaited_system, expected_ns, late_ns, stuck_ns, source, reason, quiet, evidence, hurried)
WHERE e.flow_id = n.flow_id AND e.looks_ns + 0 = n.claimed_ns
RETURNING e.flow_id
"""
_FLIPS = """
INSERT INTO flip (flip_id, flow_id, at_ns, judged_ns, before, after, step, system, sentence, told)
SELECT n.*, NOT EXISTS (SELECT 1 FROM tracing_follow t WHERE t.flow_id = n.flow_id)
FROM unnest(%b::bytea[], %b::bytea[], %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
    AS n(flip_id, flow_id, at_ns, judged_ns, before, after, step, system, sentence)
ON CONFLICT DO NOTHING
"""
# Of flows that ended those whose end somebody could read.
_TOLD = "SELECT DISTINCT flow_id FROM flip WHERE flow_id = ANY(%s) AND after = 'ended'"
_HELD = f"SELECT {_COLUMNS} FROM expectation WHERE flow_id = %s AND looks_ns <= %s FOR NO KEY UPDATE"
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
    stayed_at: str | None  # the step at which it was taken for ended, because most stay there
    since_ns: int | None


@dataclass(slots=True)
class Judged:
    """One flow's new standing, beside what was known of it."""

    due: Due
    course: Course
    standing: Standing

    @property
    def is_taken_back(self) -> bool:
        """It did not move; what was learned of its step did, and it has not ended after all."""
        step = self.standing.step
        if step is None or self.standing.verdict == "ended" or step.name != self.due.stayed_at:
            return False
        return step.at_ns in (self.due.since_ns, self.course.later_ns)


class Rounds:
    """Judges who is due. `budget` says whether there is time for flows that have no deadline."""

    def __init__(self, budget: Budget | None = None) -> None:
        self._budget = budget or Budget()
        self._library = loading.Library()
        self.rows = 0
        self.judged = False  # whether the last call was this watcher's turn

    def work(self, connection: psycopg.Connection) -> bool:
        """Judge everybody who is due, up to a bound; whether more are waiting."""
        self.rows = 0
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (JUDGE_LOCK,)).fetchone()
        self.judged = bool(row and row[0])
        if not self.judged:
            return False
        self._budget.begin()
        try:
            return self._judge(connection)
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(%s)", (JUDGE_LOCK,))

    def _judge(self, connection: psycopg.Connection) -> bool:
        now = now_ns()
        due = _due(connection, _DUE, now, SET)
        waiting = self._waiting(connection, now)
        if not due and not waiting:
            return False
        lore = self._library.load(connection, now)
        followed = {bytes(row[0]) for row in connection.execute(_FOLLOWED).fetchall()}
        look = Look(lore, now, followed, self._budget.is_eager())
        while due and self.rows < MOST:
            with self._budget.spending():
                judge_set(connection, due, look)
            self.rows += len(due)
            due = _due(connection, _DUE, now, SET) if len(due) == SET else []
        # Before those without a deadline goes receiving, while the machine is busy.
        most = self.rows + MOST
        while waiting and self.rows < most:
            with self._budget.spending(waiting=True):
                judge_set(connection, waiting, look)
            self.rows += len(waiting)
            if not self._budget.has_time():
                break
            waiting = self._waiting(connection, now)
        return bool(due) or (bool(waiting) and self._budget.has_time())

    def _waiting(self, connection: psycopg.Connection, now: int) -> list[Due]:
        """Flows without a deadline: who is new and who was seen before, half of each, so that neither waits for ever."""
        half = (SET if self._budget.has_time() else SPARING) // 2
        return _due(connection, _NEW, now, half) + _due(connection, _IDLE, now, half)


class Look(NamedTuple):
    """What the flows of one round are judged with."""

    lore: Lore
    now_ns: int
    followed: set[bytes]
    eager: bool  # there is time for flows that are in order


def _due(connection: psycopg.Connection, question: LiteralString, now: int, most: int) -> list[Due]:
    return [Due(*row) for row in connection.execute(question, (now, most)).fetchall()]


def judge_set(connection: psycopg.Connection, due: Sequence[Due], look: Look) -> None:
    """Judge these flows and write it. What fails is tried by halves, so that one bad flow is put off alone."""
    try:
        missed = _judge_set(connection, due, look)
    except psycopg.OperationalError:
        raise
    except Exception:
        if len(due) == 1:
            if not due[0].faults:
                logger.exception("the flow %s could not be judged; it is put off", due[0].flow_id.hex())
            connection.execute(_PUT_OFF, (look.now_ns, [due[0].flow_id], look.now_ns))
            return
        middle = len(due) // 2
        judge_set(connection, due[:middle], look)
        judge_set(connection, due[middle:], look)
        return
    for flow_id in missed[:MOST_ALONE]:
        _judge_alone(connection, flow_id, look)


def _judge_set(connection: psycopg.Connection, due: Sequence[Due], look: Look) -> list[bytes]:
    """The flows that moved while they were judged, and were not written."""
    read = courses.read(connection, [one.flow_id for one in due])
    judged = _judged(due, read, look)
    wrong = [one for one in judged if one.standing.verdict in WRONG]
    if wrong:
        _look_closer(connection, wrong, look)
    gone = [one.flow_id for one in due if one.flow_id not in read]
    if gone:
        connection.execute(_GONE, (gone,))
    if not judged:
        return []
    with connection.transaction():
        written = _write(connection, judged, look)
    return [one.due.flow_id for one in judged if one.due.flow_id not in written]


def _judge_alone(connection: psycopg.Connection, flow_id: bytes, look: Look) -> None:
    """A flow that gets records faster than a set is judged: its row is held meanwhile, and whoever stores waits a moment."""
    with connection.transaction():
        row = connection.execute(_HELD, (flow_id, look.now_ns)).fetchone()
        if row is not None:
            due = [Due(*row)]
            judged = _judged(due, courses.read(connection, [flow_id]), look)
            if judged:
                _write(connection, judged, look)


def _judged(due: Sequence[Due], read: Mapping[bytes, Course], look: Look) -> list[Judged]:
    """What is to be said of each that is still there."""
    return [
        Judged(one, read[one.flow_id], judge(read[one.flow_id], look.lore, look.now_ns))
        for one in due
        if one.flow_id in read
    ]


def _look_closer(connection: psycopg.Connection, wrong: Sequence[Judged], look: Look) -> None:
    """Before a flow is called late, what belongs to it without carrying its key is looked at; and while it stays so."""
    since_ns = min(one.standing.step.at_ns if one.standing.step else 0 for one in wrong)
    flow_ids = [one.due.flow_id for one in wrong]
    latest = memberships.latest_milestones(connection, flow_ids, since_ns, look.now_ns + AHEAD_NS)
    for one in wrong:
        one.course.later_ns = latest.get(one.due.flow_id)
        if one.course.later_ns is not None:
            one.standing = judge(one.course, look.lore, look.now_ns)


def _write(connection: psycopg.Connection, judged: Sequence[Judged], look: Look) -> set[bytes]:
    """The flows whose standing was written: those that were not moved since they were read."""
    ordered = sorted(judged, key=lambda one: one.due.flow_id)
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, ([one.due.flow_id for one in ordered],))
        rows = [_row(one, look) for one in ordered]
        cursor.execute(_WRITE, [look.now_ns, *arrays.columns("bqqitqttqqttqqqttiti", rows)])
        written = {bytes(row[0]) for row in cursor.fetchall()}
        never = _never_ended(connection, ordered)
        turned = [flip for one in ordered if one.due.flow_id in written for flip in _flips(one, look, never)]
        if turned:
            cursor.execute(_FLIPS, arrays.columns("bbqqttttt", turned))
    return written


def _never_ended(connection: psycopg.Connection, judged: Sequence[Judged]) -> set[bytes]:
    """The flows whose end was taken back before a turn said that they ended: they were on their way all the time."""
    back = {one.due.flow_id for one in judged if one.is_taken_back}
    if not back:
        return back
    return back - {bytes(row[0]) for row in connection.execute(_TOLD, (list(back),)).fetchall()}


def _row(one: Judged, look: Look) -> tuple[Any, ...]:
    standing, step, wait = one.standing, one.standing.step, one.standing.expectation
    # Woken flows of which nothing is awaited are looked at while there is time; those with a deadline at once.
    in_order = standing.verdict == "moving" and wait is not None
    followed = one.due.flow_id in look.followed
    wakes = not in_order or look.eager or followed
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
        wait.reason if wait else None, int(wait.quiet) if wait else 0, json.dumps(dict(standing.evidence)), int(followed),
    )
    # fmt: on


def _flips(one: Judged, look: Look, never_ended: set[bytes]) -> list[Flip]:
    followed = one.due.flow_id in look.followed
    before = "moving" if one.due.flow_id in never_ended else one.due.verdict
    return flips(one.course, before, one.standing, look.now_ns, followed=followed)
