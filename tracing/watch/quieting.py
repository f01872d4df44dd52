"""What people say of a problem: acknowledged until it resolves, or muted until something comes true.

The pages call `acknowledge`, `mute` and `unmute`, with Django's connection or psycopg's; each is one statement, so that
a look that runs meanwhile is before or after it. `problems` asks `mute_facts` whether a mute is over.
"""

from collections.abc import Mapping
from typing import Any, LiteralString, Protocol

import orjson
import psycopg

from tracing.clock import now_ns
from tracing.lengths import HOUR_NS
from tracing.unfit import Unfit
from tracing.watch.turns import Facts, Problem, flip_id

LONGEST_REASON = 300
LONGEST_NAME = 100

# "TLWD": a look that writes and a person's word wait for each other; locking the rows would write them at each look.
WORD_LOCK = 0x544C5744

# A word on a problem that is not over, and its flip. The row is locked after the wait, so as the look left it.
_SAY: LiteralString = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(%(lock)s)),
was AS (
    SELECT p.problem_id, p.state FROM alone, problem p WHERE p.problem_id = %(id)s AND p.state = ANY(%(from)s)
    FOR UPDATE OF p
),
said AS (
    UPDATE problem p SET state = %(state)s, xid = pg_current_xact_id(),
        quieted = CASE WHEN %(state)s <> 'open' THEN %(said)s::jsonb || jsonb_build_object(
            'flows_then', p.all_flows, 'errors_then', %(errors)s::text[], 'signature_then', %(signature)s::text[]) END
    FROM was WHERE p.problem_id = was.problem_id RETURNING p.step, p.system, was.state
)
INSERT INTO flip (flip_id, problem_id, at_ns, judged_ns, before, after, step, system, sentence, evidence)
SELECT %(flip)s, %(id)s, %(now)s, %(now)s, state, %(state)s, step, system, %(sentence)s, %(said)s::jsonb FROM said
RETURNING flip_id
"""
_JOINED: LiteralString = """
SELECT count(DISTINCT flow_id) FROM problem_flow WHERE problem_id = %s AND since_ns >= %s
"""
# Which errors the flows have that are wrong now.
_ERRORS: LiteralString = """
SELECT DISTINCT encode(f.fingerprint, 'hex') FROM problem_flow p JOIN failure f ON f.scope_id = p.flow_id
WHERE p.problem_id = %s AND p.until_ns IS NULL LIMIT 1000
"""
_AWAITED: LiteralString = "SELECT jsonb_object_keys(evidence -> 'awaited') FROM problem WHERE problem_id = %s"


class Connection(Protocol):
    """Django's connection, or psycopg's."""

    def cursor(self) -> Any: ...


def acknowledge(connection: Connection, problem_id: bytes, name: str, reason: str) -> None:
    """Somebody is at it: quiet until it resolves. Raises Unfit."""
    said = _said("ack", name, reason)
    _say(connection, problem_id, "acknowledged", ["open", "muted"], said)


def mute(connection: Connection, problem_id: bytes, name: str, reason: str, until: Mapping[str, Any]) -> None:
    """Quiet until `until` comes true: {"time_ns"}, {"rate": flows per hour}, {"more": flows}, {"new": "error"|"variant"}.

    A mute until a time outlasts that the problem resolves and comes back; the others end with it. Raises Unfit.
    """
    said = _said("mute", name, reason)
    said["until"] = _condition(until, said["at_ns"])
    _say(connection, problem_id, "muted", ["open", "acknowledged"], said)


def unmute(connection: Connection, problem_id: bytes, name: str, reason: str = "") -> None:
    """Take back a mute or an acknowledgement. Raises Unfit."""
    said = _said("open", name, reason or "no longer quiet")
    _say(connection, problem_id, "open", ["muted", "acknowledged"], said)


def mute_facts(connection: psycopg.Connection, problem: Problem, now: int) -> Facts:
    """What a mute of this problem may wait for; asks the tables only for what its condition needs."""
    said = problem.quieted or {}
    until = said.get("until") or {}
    joined = 0
    if "rate" in until:
        since_ns = max(now - HOUR_NS, int(said.get("at_ns", 0)))
        row = connection.execute(_JOINED, (problem.problem_id, since_ns)).fetchone()
        joined = int(row[0]) if row else 0
    errors, signature = _variants(connection, problem.problem_id) if "new" in until else ([], [])
    return Facts(problem.all_flows, joined, frozenset(errors), frozenset(signature))


def _said(what: str, name: str, reason: str) -> dict[str, Any]:
    reason, name = " ".join(reason.split()), " ".join(name.split())
    if not reason:
        raise Unfit("reason", "Say why, so that the next person need not ask.")
    if len(reason) > LONGEST_REASON:
        raise Unfit("reason", f"A reason has at most {LONGEST_REASON} characters; the rest is a note.")
    return {"what": what, "name": name[:LONGEST_NAME], "reason": reason, "at_ns": now_ns()}


def _condition(until: Mapping[str, Any], now: int) -> dict[str, Any]:
    """The condition as it is kept. Raises Unfit for one that cannot come true, or has already."""
    if len(until) != 1:
        raise Unfit("until", "Say until what it is muted: one condition.")
    ((what, value),) = until.items()
    if what == "new" and value in ("error", "variant"):
        return {what: value}
    if what not in ("time_ns", "rate", "more") or not isinstance(value, int) or isinstance(value, bool):
        raise Unfit(
            "until", "A problem is muted until a time, a rate, a number of flows more, or something new."
        )
    if what == "time_ns" and value <= now:
        raise Unfit("until", "That time has passed already.")
    if what != "time_ns" and value < 1:
        raise Unfit("until", "Fewer than one flow would never be quiet.")
    return {what: value}


def _say(
    connection: Connection, problem_id: bytes, state: str, before: list[str], said: dict[str, Any]
) -> None:
    errors, signature = _variants(connection, problem_id)
    verb = {"acknowledged": "Acknowledged", "muted": "Muted", "open": "Open again"}[state]
    by = f" by {said['name']}" if said["name"] else ""
    values = {
        "lock": WORD_LOCK,
        "id": problem_id,
        "from": before,
        "state": state,
        "said": orjson.dumps(said).decode(),
        "errors": errors,
        "signature": signature,
        "flip": flip_id(problem_id, state, said["at_ns"]),
        "now": said["at_ns"],
        "sentence": f"{verb}{by}: {said['reason']}",
    }
    with connection.cursor() as cursor:
        cursor.execute(_SAY, values)
        if cursor.fetchone() is None:
            raise Unfit("problem", f"Only a problem that is {' or '.join(before)} can become {state}.")


def _variants(connection: Connection, problem_id: bytes) -> tuple[list[str], list[str]]:
    """The error fingerprints of its flows; and with the awaited steps, its signature."""
    with connection.cursor() as cursor:
        cursor.execute(_ERRORS, (problem_id,))
        errors = sorted(row[0] for row in cursor.fetchall())
        cursor.execute(_AWAITED, (problem_id,))
        awaited = sorted(row[0] for row in cursor.fetchall())
    return errors, [*errors, *(f"step {one}" for one in awaited)]
