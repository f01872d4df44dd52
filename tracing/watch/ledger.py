"""The rows of problems: read, and written where they changed; their flows, and the flips of their turns.

What happens to a problem is decided in `turns`; `problems` calls both. All of it runs in one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from tracing.watch.finding import Affected
from tracing.watch.turns import Problem, Turn, flip_id

# In the order of `turns.Problem`.
_COLUMNS: LiteralString = """problem_id, identity, kind, type, environment, step, system, fingerprint, title, why,
severity, state, flows, all_flows, first_ns, last_ns, opened_ns, resolved_ns, bad, good, good_ns, flaps, cause_id,
quieted, evidence"""
# All that is not over.
_STANDING: LiteralString = f"SELECT {_COLUMNS} FROM problem WHERE state <> 'resolved' ORDER BY problem_id"
# The latest of each identity that is over, and when it opened last by our clock.
_PAST: LiteralString = f"""
SELECT DISTINCT ON (identity) {_COLUMNS},
    (SELECT max(judged_ns) FROM flip WHERE flip.problem_id = problem.problem_id AND after IN ('open', 'reopened', 'muted'))
FROM problem WHERE state = 'resolved' AND identity = ANY(%s) ORDER BY identity, resolved_ns DESC, problem_id
"""
_FLOWS: LiteralString = """
SELECT problem_id, flow_id, since_ns FROM problem_flow WHERE problem_id = ANY(%s) AND until_ns IS NULL
"""
_WRITE: LiteralString = f"""
INSERT INTO problem ({_COLUMNS}, checked_ns) VALUES ({", ".join(["%s"] * 26)})
ON CONFLICT (problem_id) DO UPDATE SET kind = excluded.kind, type = excluded.type,
    step = excluded.step, system = excluded.system, title = excluded.title, why = excluded.why,
    severity = excluded.severity, state = excluded.state, flows = excluded.flows, all_flows = excluded.all_flows,
    first_ns = excluded.first_ns, last_ns = excluded.last_ns, opened_ns = excluded.opened_ns,
    resolved_ns = excluded.resolved_ns, bad = excluded.bad, good = excluded.good, good_ns = excluded.good_ns,
    flaps = excluded.flaps, cause_id = excluded.cause_id, quieted = excluded.quieted, evidence = excluded.evidence,
    checked_ns = excluded.checked_ns, xid = pg_current_xact_id()
"""
_FLIP: LiteralString = """
INSERT INTO flip (flip_id, problem_id, at_ns, judged_ns, before, after, step, system, sentence, evidence)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (flip_id) DO NOTHING
"""
# The same turn with another moment: it keeps its id, so nobody is told of it again.
_DATE_BACK: LiteralString = """
UPDATE flip SET at_ns = %(opened)s, xid = pg_current_xact_id()
WHERE problem_id = %(problem)s AND before = 'forming' AND at_ns > %(opened)s
"""
# The same flow from the same moment on is the same row again.
_JOIN: LiteralString = """
INSERT INTO problem_flow (problem_id, flow_id, kind, since_ns)
SELECT %s, * FROM unnest(%s::bytea[], %s::smallint[], %s::bigint[])
ON CONFLICT (problem_id, flow_id, since_ns) DO UPDATE SET until_ns = NULL
"""
_LEAVE: LiteralString = """
UPDATE problem_flow p SET until_ns = n.until_ns FROM unnest(%s::bytea[], %s::bigint[]) AS n (flow_id, until_ns)
WHERE p.problem_id = %s AND p.flow_id = n.flow_id AND p.until_ns IS NULL
"""
# How a flow stands that is no longer found: when it was well again, or that nobody can say.
_STANDS: LiteralString = """
SELECT p.problem_id, p.flow_id, p.since_ns, e.verdict, e.verdict_since_ns, f.last_ns
FROM problem_flow p LEFT JOIN expectation e USING (flow_id) LEFT JOIN flow f USING (flow_id)
WHERE p.problem_id = ANY(%s) AND p.until_ns IS NULL
"""
_OLD: LiteralString = "SELECT problem_id FROM problem WHERE state = 'resolved' AND resolved_ns < %s LIMIT %s"
# The problem last: cut short, the rest is found again.
_OF_A_PROBLEM: tuple[LiteralString, ...] = tuple(
    f"DELETE FROM {table} WHERE problem_id = ANY(%s)"
    for table in ("problem_flow", "flip", "message", "tracing_note", "problem")
)
CHUNK = 200

Flows = dict[bytes, int]  # id -> since


def standing(connection: psycopg.Connection) -> dict[bytes, Problem]:
    """By identity: every problem that is not resolved."""
    return {row[1]: Problem(*row) for row in connection.execute(_STANDING).fetchall()}


def past(
    connection: psycopg.Connection, identities: Sequence[bytes]
) -> dict[bytes, tuple[Problem, int | None]]:
    """By identity: the latest resolved problem, and when it opened last by our clock."""
    if not identities:
        return {}
    rows = connection.execute(_PAST, (list(identities),)).fetchall()
    return {row[1]: (Problem(*row[:-1]), row[-1]) for row in rows}


def flows(connection: psycopg.Connection, ids: Sequence[bytes]) -> dict[bytes, Flows]:
    """By problem: the flows that are wrong in its way, as of the last look."""
    found: dict[bytes, Flows] = {one: {} for one in ids}
    for problem_id, flow_id, since_ns in connection.execute(_FLOWS, (list(ids),)):
        found[problem_id][flow_id] = since_ns
    return found


def endings(
    connection: psycopg.Connection, ids: Sequence[bytes], now_ns: int
) -> dict[bytes, dict[bytes, int | None]]:
    """By problem and flow: when it was well again as its own records tell, else now; None where nobody can say."""
    found: dict[bytes, dict[bytes, int | None]] = {one: {} for one in ids}
    for problem_id, flow_id, since_ns, verdict, turned_ns, last_ns in connection.execute(
        _STANDS, (list(ids),)
    ):
        if verdict in ("unknown", "paused"):
            found[problem_id][flow_id] = None
        elif verdict not in (None, "late", "stuck") and turned_ns and turned_ns > since_ns:
            found[problem_id][flow_id] = turned_ns
        else:
            found[problem_id][flow_id] = last_ns if last_ns and last_ns > since_ns else now_ns
    return found


def join(connection: psycopg.Connection, problem_id: bytes, joined: Iterable[Affected]) -> None:
    new = list(joined)
    if new:
        columns = ([one.flow_id for one in new], [one.kind for one in new], [one.since_ns for one in new])
        connection.execute(_JOIN, (problem_id, *columns))


def leave(connection: psycopg.Connection, problem_id: bytes, left: Mapping[bytes, int]) -> None:
    if left:
        connection.execute(_LEAVE, (list(left), list(left.values()), problem_id))


def ever(connection: psycopg.Connection, problem_id: bytes) -> int:
    """How many flows have been wrong in this way."""
    question = "SELECT count(DISTINCT flow_id) FROM problem_flow WHERE problem_id = %s"
    row = connection.execute(question, (problem_id,)).fetchone()
    return int(row[0]) if row else 0


def write(connection: psycopg.Connection, problem: Problem, turns: Iterable[Turn], now_ns: int) -> None:
    values: list[Any] = [getattr(problem, name) for name in Problem.__slots__]
    values[-1] = Jsonb(problem.evidence)
    values[-2] = None if problem.quieted is None else Jsonb(problem.quieted)
    connection.execute(_WRITE, (*values, now_ns))
    for turn in turns:
        flip = flip_id(problem.problem_id, turn.after, turn.at_ns, problem.flaps)
        evidence = None if turn.evidence is None else Jsonb(turn.evidence)
        told = (turn.before, turn.after, problem.step, problem.system, turn.sentence, evidence)
        connection.execute(_FLIP, (flip, problem.problem_id, turn.at_ns, now_ns, *told))


def date_back(connection: psycopg.Connection, problem: Problem) -> None:
    """Its opening was earlier than was known when it was written."""
    connection.execute(_DATE_BACK, {"problem": problem.problem_id, "opened": problem.opened_ns})


def forget(connection: psycopg.Connection, problem: Problem) -> None:
    """It was forming and never opened."""
    connection.execute("DELETE FROM problem_flow WHERE problem_id = %s", (problem.problem_id,))
    connection.execute(
        "DELETE FROM problem WHERE problem_id = %s AND state = 'forming'", (problem.problem_id,)
    )


def drop_old(connection: psycopg.Connection, before_ns: int) -> int:
    """Forget what was resolved before that time, with its flows, flips, notes and messages; returns how many problems.

    In chunks, so that no lock is held long. `connection` is in autocommit.
    """
    dropped = 0
    while True:
        rows = connection.execute(_OLD, (before_ns, CHUNK)).fetchall()
        ids = [row[0] for row in rows]
        if not ids:
            return dropped
        with connection.transaction():
            for statement in _OF_A_PROBLEM:
                connection.execute(statement, (ids,))
        dropped += len(ids)
