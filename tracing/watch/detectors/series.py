"""What should have begun and has not: tonight's sync, the hourly export.

A rule of a person (`ExpectationRule` with the subject series) or the rhythm in which flows of a type began so far
(`learned`, source series). After a stretch in which we were blind a whole window more is given, and where nobody at all
sent anything nothing is missed.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from tracing.lengths import MINUTE_NS, spoken
from tracing.watch import loading, sight
from tracing.watch.finding import NEEDS_A_PERSON, WARNING, Finding
from tracing.watch.lore import Stretch, beyond
from tracing.watch.rulings import Ruling
from tracing.watch.titles import moment

STEP = "begin"

_RHYTHMS: LiteralString = """
SELECT type, environment, (facts ->> 'period_ns')::bigint, (facts ->> 'beats')::int FROM learned
WHERE source = 'series' AND facts ? 'period_ns'
"""
# flow_type_recent: the ones active last hold the one that began last, or one that is old enough to say the same.
_LAST: LiteralString = """
SELECT max(first_ns) FROM (
    SELECT first_ns FROM flow WHERE type = %s AND environment = %s ORDER BY activity DESC, flow_id DESC LIMIT 500
) AS newest
"""
_HEARD: LiteralString = "SELECT max(minute) FROM arrival"
_ENVIRONMENTS: LiteralString = "SELECT DISTINCT environment FROM backlog WHERE type = %s"


class Series(NamedTuple):
    """One series: when its next is due after the last, in nanoseconds of the sender's clock."""

    type: str
    environment: str
    last_ns: int
    late_ns: int
    stuck_ns: int
    words: str  # how we know
    facts: dict[str, Any]


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    blind = sight.blind(connection, now_ns - loading.LOOKED_BACK_NS, now_ns)
    row = connection.execute(_HEARD).fetchone()
    heard_ns = (row[0] + 1) * MINUTE_NS if row and row[0] is not None else 0
    ruled = list(_ruled(connection))
    known = {(one.type, one.environment) for one in ruled}
    rhythms = [one for one in _rhythmic(connection) if (one.type, one.environment) not in known]
    return [
        _finding(one, now_ns)
        for one in (_graced(each, blind) for each in (*ruled, *rhythms))
        if one.late_ns <= min(now_ns, heard_ns)
    ]


def _graced(one: Series, blind: Sequence[Stretch]) -> Series:
    """With a whole window more after what we could not see."""
    window_ns = one.late_ns - one.last_ns
    late_ns = beyond(blind, one.last_ns, one.late_ns, window_ns)
    stuck_ns = beyond(blind, late_ns, one.stuck_ns + late_ns - one.late_ns, window_ns)
    return one._replace(late_ns=late_ns, stuck_ns=stuck_ns)


def _ruled(connection: psycopg.Connection) -> list[Series]:
    found = []
    for type, rules in loading.rulings(connection).items():
        for rule in (one for one in rules if one.series):
            for environment in _environments(connection, type, rule):
                last_ns = _last_begun(connection, type, environment)
                if last_ns is not None:
                    found.append(_by_rule(rule, environment, last_ns))
    return found


def _environments(connection: psycopg.Connection, type: str, rule: Ruling) -> list[str]:
    if rule.environment:
        return [rule.environment]
    return [row[0] for row in connection.execute(_ENVIRONMENTS, (type,)).fetchall()]


def _by_rule(rule: Ruling, environment: str, last_ns: int) -> Series:
    allowed_ns = rule.within_ns + rule.grace_ns
    words = f"A rule expects one every {spoken(rule.within_ns)}."
    late_ns, stuck_ns = rule.add(last_ns, allowed_ns), rule.add(last_ns, 2 * allowed_ns)
    return Series(rule.type, environment, last_ns, late_ns, stuck_ns, words, {"within_ns": rule.within_ns})


def _rhythmic(connection: psycopg.Connection) -> list[Series]:
    found = []
    for type, environment, period_ns, beats in connection.execute(_RHYTHMS).fetchall():
        last_ns = _last_begun(connection, type, environment)
        if last_ns is not None:
            words = f"The last {beats} began every {spoken(period_ns)}. Learned."
            facts = {"period_ns": period_ns, "beats": beats}
            found.append(
                Series(
                    type, environment, last_ns, last_ns + 2 * period_ns, last_ns + 3 * period_ns, words, facts
                )
            )
    return found


def _last_begun(connection: psycopg.Connection, type: str, environment: str) -> int | None:
    row = connection.execute(_LAST, (type, environment)).fetchone()
    return row[0] if row else None


def _finding(one: Series, now_ns: int) -> Finding:
    stuck = one.stuck_ns <= now_ns
    return Finding(
        kind="stuck" if stuck else "late",
        type=one.type,
        environment=one.environment,
        step=STEP,
        system="",
        title=f"The next {one.type} has not begun",
        why=f"The last began at {moment(one.last_ns)}. {one.words}",
        severity=NEEDS_A_PERSON if stuck else WARNING,
        since_ns=one.late_ns,
        last_ns=one.stuck_ns if stuck else one.late_ns,
        evidence={"last_ns": one.last_ns, **one.facts, **({"worse_ns": one.stuck_ns} if stuck else {})},
    )
