"""The duty that keeps the problems: what all detectors found, reconciled with what stands in the tables.

`detectors` says what is wrong now, `turns` what becomes of a problem, `holding` which may not resolve, `ledger` reads and
writes; one watcher does it at a time. What people say of a problem is `quieting`, offered here for the pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import psycopg

from tracing.clock import now_ns
from tracing.watch import detectors, ledger, turns
from tracing.watch.detectors import Answers
from tracing.watch.finding import Finding
from tracing.watch.holding import held
from tracing.watch.quieting import WORD_LOCK, acknowledge, mute, mute_facts, unmute
from tracing.watch.turns import Problem, Turn

__all__ = ["acknowledge", "keep", "mute", "reconcile", "unmute"]

# "TLPR": one watcher looks at a time, or an old look would undo a younger one.
PROBLEMS_LOCK = 0x544C5052
FOLLOWS = frozenset({"late", "stuck", "abandoned_retry", "orphan_message"})


def keep(connection: psycopg.Connection) -> None:
    """One look. `connection` is in autocommit."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (PROBLEMS_LOCK,)).fetchone()
    if row is None or not row[0]:
        return
    try:
        now = now_ns()
        reconcile(connection, detectors.ask(connection, now), now)
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (PROBLEMS_LOCK,))


def reconcile(connection: psycopg.Connection, answers: Answers, now: int) -> None:
    """Bring problems, their flows and flips to what was found; all or nothing."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (WORD_LOCK,))
        standing = ledger.standing(connection)
        found = {finding.identity: finding for finding in reversed(answers.findings)}
        new = [identity for identity in found if identity not in standing]
        past = ledger.past(connection, new)
        seen = [problem.problem_id for problem in standing.values() if problem.identity in found]
        named = ledger.flows(connection, seen)
        for identity, finding in found.items():
            before = standing.get(identity)
            last, opened_ns = past.get(identity, (None, None))
            problem, turned = turns.seen(before, last, opened_ns, finding, now)
            names = named.get(problem.problem_id, {})
            problem = _move_flows(connection, problem, names, finding, now)
            if before is not None and problem.opened_ns < before.opened_ns:
                ledger.date_back(connection, problem)
            if problem != before or turned:
                ledger.write(connection, problem, turned, now)
        unseen = [one for one in standing.values() if one.identity not in found and one.kind in answers.kinds]
        _resolve(connection, unseen, answers, now)
        _name_causes(connection, now)
        _lift_mutes(connection, now)


def _move_flows(
    connection: psycopg.Connection, problem: Problem, named: Mapping[bytes, int], finding: Finding, now: int
) -> Problem:
    """Flows that became wrong join, those that are no longer found leave; `all_flows` follows."""
    found = {one.flow_id: one for one in finding.flows}
    joined = [one for one in found.values() if one.flow_id not in named]
    ledger.join(connection, problem.problem_id, joined)
    gone = set() if finding.count > len(found) else named.keys() - found.keys()
    if gone:
        ends = ledger.endings(connection, [problem.problem_id], now)[problem.problem_id]
        left = {flow_id: _ended(ends.get(flow_id), named[flow_id], now) for flow_id in gone}
        ledger.leave(connection, problem.problem_id, left)
    if not joined:
        return replace(problem, all_flows=max(problem.all_flows, problem.flows))
    return replace(problem, all_flows=max(ledger.ever(connection, problem.problem_id), problem.flows))


def _ended(told_ns: int | None, since_ns: int, now: int) -> int:
    return now if told_ns is None else max(since_ns, min(told_ns, now))


def _resolve(connection: psycopg.Connection, unseen: Sequence[Problem], answers: Answers, now: int) -> None:
    """What was not found: one good look more for each that could have been found."""
    kept = held(connection, unseen, answers.cut, now)
    asked = [problem for problem in unseen if problem.problem_id not in kept]
    ends = ledger.endings(connection, [problem.problem_id for problem in asked], now) if asked else {}
    for before in asked:
        # Nobody can say how a flow stands that we were blind for, or that is in maintenance.
        told = {flow_id: end for flow_id, end in ends[before.problem_id].items() if end is not None}
        if len(told) < len(ends[before.problem_id]):
            continue
        problem, turned = turns.unseen(before, max(told.values(), default=None), now)
        if problem is None:
            ledger.forget(connection, before)
            continue
        if problem.state == "resolved":
            ledger.leave(connection, before.problem_id, {one: min(end, now) for one, end in told.items()})
        ledger.write(connection, problem, turned, now)


def _name_causes(connection: psycopg.Connection, now: int) -> None:
    """Flows that wait for a silent service are its effect; so is what tells the same of other flows."""
    known = ledger.standing(connection)
    standing = known.values()
    causes = {
        (one.evidence["causes_system"], one.environment): one.problem_id
        for one in standing
        if one.state != "forming" and one.evidence.get("causes_system")
    }
    for problem in standing:
        cause = causes.get((problem.system, problem.environment)) if problem.kind in FOLLOWS else None
        lead = known.get(bytes.fromhex(problem.evidence.get("follows", "")))
        if cause is None and lead is not None and lead.state != "forming":
            cause = lead.problem_id
        if cause != problem.cause_id:
            ledger.write(connection, replace(problem, cause_id=cause), (), now)


def _lift_mutes(connection: psycopg.Connection, now: int) -> None:
    muted = [one for one in ledger.standing(connection).values() if one.state == "muted"]
    for problem in muted:
        turned: list[Turn]
        after, turned = turns.lifted(problem, mute_facts(connection, problem, now), now)
        if turned:
            ledger.write(connection, after, turned, now)
