"""How long flows of each type stay at each step and what comes next, learned from how they went.

A duty: each type in its turn, the ones that changed most first, and no more often than learning it is cheap. What it
finds is written to `learned`; flows that are late under it although nobody would look yet are looked at at once.
"""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import psycopg

from tracing.clock import now_ns
from tracing.watch import histories, loading, survival
from tracing.watch.blindness import cut
from tracing.watch.customs import Customs, owned
from tracing.watch.histories import History
from tracing.watch.lore import Stretch
from tracing.watch.standing import Pace, Step, Way

MINUTE_NS = 60_000_000_000
# A type is learned anew after this, and after as long as fifty times what learning it took.
SOONEST_NS, LATEST_NS = MINUTE_NS, 10 * MINUTE_NS
PATIENCE = 50
MOST_STEPS, MOST_WAYS = 200, 8
STATE, MILESTONE = "state", "milestone"

_TYPES = """
SELECT type, environment, max(l.learned_ns), sum(n) FROM (
    SELECT type, environment, count(*) AS n FROM expectation GROUP BY 1, 2
) AS known LEFT JOIN (
    SELECT type, environment, max(learned_ns) AS learned_ns FROM learned GROUP BY 1, 2
) AS l USING (type, environment) GROUP BY 1, 2
"""
_WRITE = """
INSERT INTO learned (type, environment, step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s)
ON CONFLICT (type, environment, step, source) DO UPDATE SET passed = excluded.passed, waiting = excluded.waiting,
    threshold_ns = excluded.threshold_ns, level = excluded.level, is_end = excluded.is_end, facts = excluded.facts,
    learned_ns = excluded.learned_ns
"""
_FORGET = """
DELETE FROM learned WHERE type = %s AND environment = %s AND learned_ns < %s AND source <> 'series'
"""
# Who stands at a step whose end is known now, or was moved, and would be looked at only later.
_SOONER = """
UPDATE expectation SET looks_ns = greatest(%(now)s, since_ns + %(after)s)
WHERE type = %(type)s AND environment = %(environment)s AND step = %(step)s AND verdict IN ('moving', 'due')
    AND looks_ns > greatest(%(now)s, since_ns + %(after)s)
"""


@dataclass(slots=True)
class Stays:
    """What was seen of one step. Durations in nanoseconds, each with its age."""

    passed: list[int] = field(default_factory=list)
    passed_ages: list[int] = field(default_factory=list)
    waiting: list[int] = field(default_factory=list)
    waiting_ages: list[int] = field(default_factory=list)
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)
    systems: Counter[str] = field(default_factory=Counter)
    places: list[int] = field(default_factory=list)  # which step of its flow it was
    flows: set[bytes] = field(default_factory=set)


class Learner:
    """Remembers how long each type took to learn; what was learned is in the table."""

    def __init__(self) -> None:
        self._took_ns: dict[tuple[str, str], int] = {}

    def work(self, connection: psycopg.Connection) -> bool:
        """Learn the type that is most overdue; whether more are."""
        now = now_ns()
        due = [one for one in connection.execute(_TYPES).fetchall() if self._is_due(one, now)]
        if not due:
            return False
        type, environment, *_ = min(due, key=lambda one: (one[2] or 0, one[0], one[1]))
        began = time.monotonic_ns()
        learn(connection, type, environment, now)
        self._took_ns[type, environment] = time.monotonic_ns() - began
        return len(due) > 1

    def _is_due(self, row: tuple[Any, ...], now: int) -> bool:
        type, environment, learned_ns, _ = row
        if learned_ns is None:
            return True
        took_ns = self._took_ns.get((type, environment), 0)
        return bool(
            now - learned_ns >= min(max(SOONEST_NS, PATIENCE * took_ns), LATEST_NS) or now < learned_ns
        )


def learn(connection: psycopg.Connection, type: str, environment: str, now: int) -> dict[str, Pace]:
    """Learn one type from what is stored and write it down; the paces by step, "" for the whole type."""
    past = histories.read(connection, type, environment, now)
    customs = loading.customs(connection).get(type, Customs())
    blind = loading.blind(connection, now)
    before = loading.paces(connection)
    found: dict[str, Pace] = {}
    with connection.transaction():
        for source in (STATE, MILESTONE):
            of_source = [one for one in past if one.source == source]
            for step, (pace, facts) in paces_of(of_source, customs, blind).items():
                found[step] = pace
                _write(connection, (type, environment, step, source), pace, facts, now)
                _hasten(
                    connection,
                    (type, environment, step),
                    before.get((type, environment, step, source)),
                    pace,
                    now,
                )
        connection.execute(_FORGET, (type, environment, now))
    return found


def paces_of(
    past: Sequence[History], customs: Customs, blind: Sequence[Stretch]
) -> dict[str, tuple[Pace, dict[str, Any]]]:
    """By step the pace and what else is kept of it; "" is the type as a whole. Pure."""
    stays = stays_of(past, customs, blind)
    if not stays:
        return {}
    life_ns = usual_life_ns(past)
    total = sum(1 for one in past if one.steps)
    found = {
        step: _paced(told, life_ns, total)
        for step, told in sorted(stays.items(), key=lambda one: -len(one[1].flows))[:MOST_STEPS]
    }
    whole = Stays()
    for step, told in stays.items():
        if step in found and not found[step][0].is_end:
            whole.passed += told.passed
            whole.passed_ages += told.passed_ages
            whole.waiting += told.waiting
            whole.waiting_ages += told.waiting_ages
            whole.flows |= told.flows
    found[""] = _paced(whole, life_ns, total)
    return found


def stays_of(past: Iterable[History], customs: Customs, blind: Sequence[Stretch]) -> dict[str, Stays]:
    """How long flows stayed at each step. Who ended is seen to the end and waits no more."""
    stays: defaultdict[str, Stays] = defaultdict(Stays)
    for history in past:
        steps = owned(history.steps, customs)
        for place, step in enumerate(steps):
            told = stays[step.name]
            told.flows.add(history.flow_id)
            told.places.append(place)
            told.systems[step.system] += 1
            following = steps[place + 1] if place + 1 < len(steps) else None
            if following is None and customs.end_of(step.name):
                continue
            _note(told, step, following, history.seen_until_ns, blind)
    return dict(stays)


def _note(
    told: Stays, step: Step, following: Step | None, seen_until_ns: int, blind: Sequence[Stretch]
) -> None:
    age_ns = max(0, seen_until_ns - step.at_ns)
    if following is not None:
        told.passed.append(max(0, following.at_ns - step.at_ns))
        told.passed_ages.append(age_ns)
        told.ways[following.name, following.system] += 1
    else:
        told.waiting.append(cut(step.at_ns, seen_until_ns, blind))
        told.waiting_ages.append(age_ns)


def _paced(told: Stays, life_ns: int | None, total: int) -> tuple[Pace, dict[str, Any]]:
    passed, waiting = survival.weights(told.passed_ages), survival.weights(told.waiting_ages)
    pace = survival.pace(told.passed, told.waiting, passed, waiting, life_ns)
    gone = sum(told.ways.values())
    ways = [Way(step, system, count / gone) for (step, system), count in told.ways.most_common(MOST_WAYS)]
    threshold = pace.threshold
    late = 0 if threshold is None else sum(one > threshold for one in told.passed)
    lost = 0 if threshold is None else sum(one > threshold for one in told.waiting)
    facts: dict[str, Any] = {
        "p50": pace.p50, "p90": pace.p90, "p95": pace.p95, "p99": pace.p99,
        "needed": pace.needed, "plateau": pace.plateau,
        "ways": [way._asdict() for way in ways],
        "system": told.systems.most_common(1)[0][0] if told.systems else "",
        "share": len(told.flows) / total if total else 0.0,
        "position": sum(told.places) / len(told.places) if told.places else 0.0,
        "flows": len(told.flows),
        "backtest": {"alarms": late + lost, "never_recovered": lost, "days": histories.DAYS},
    }  # fmt: skip
    return pace, facts


def usual_life_ns(past: Sequence[History]) -> int | None:
    """How long a flow of the type is under way, as a rule: the median from its first step to its last."""
    lives = [one.steps[-1].at_ns - one.steps[0].at_ns for one in past if len(one.steps) > 1]
    return int(median(lives)) if lives else None


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


def _hasten(
    connection: psycopg.Connection, key: tuple[str, str, str], before: Pace | None, pace: Pace, now: int
) -> None:
    """Bring looks forward where a threshold is new or much shorter, and where a step turned out to be an end."""
    known = before.threshold if before else None
    after = 0 if pace.is_end and not (before and before.is_end) else pace.threshold
    if after is None or (after and known is not None and after > 0.8 * known):
        return
    type, environment, step = key
    connection.execute(
        _SOONER, {"now": now, "after": after, "type": type, "environment": environment, "step": step}
    )
