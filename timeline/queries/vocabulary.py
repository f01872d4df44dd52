"""The words of a type as its newest flows use them: states by system, steps, systems, operations.

Forms offer them, and tell a person who types another one. `tracing.watch.proposing` makes proposals of the states.
"""

from dataclasses import dataclass, field

from django.db import connection

NEWEST = 500  # flows asked
STATEMENTS = 20_000

# Of the newest flows of a type: how many were told each state by each system. Served by flow_type_recent and the
# primary key of assertion.
_SAID = """
SELECT s.system, s.state, count(DISTINCT s.flow_id) FROM (
    SELECT a.flow_id, a.system, a.state FROM (
        SELECT flow_id FROM flow WHERE type = %(type)s ORDER BY activity DESC, flow_id DESC LIMIT %(newest)s
    ) AS newest JOIN assertion a ON a.flow_id = newest.flow_id LIMIT %(statements)s
) AS s GROUP BY 1, 2
"""
# The steps of a type, in every environment, and who makes them.
_STEPS = """
SELECT DISTINCT step, facts ->> 'system' FROM learned WHERE type = %(type)s AND step <> '' AND source <> 'series'
UNION SELECT DISTINCT step, '' FROM backlog WHERE type = %(type)s AND step <> ''
"""
# Steps that came next after a step, as they were learned.
_WAYS = """
SELECT DISTINCT l.step, w.step, w.system FROM learned l,
    jsonb_to_recordset(coalesce(l.facts -> 'ways', '[]')) AS w(step text, system text)
WHERE l.type = %(type)s AND l.step <> ''
"""
_SERVICES = "SELECT DISTINCT unnest(services) FROM (SELECT services FROM flow WHERE type = %(type)s LIMIT 500) AS any_of_them"


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Empty where the type was never seen."""

    said: dict[str, dict[str, int]] = field(default_factory=dict)  # system -> state -> flows
    steps: frozenset[str] = frozenset()
    systems: frozenset[str] = frozenset()
    ways: frozenset[tuple[str, str, str]] = frozenset()  # step, next step, who made that

    @property
    def states(self) -> frozenset[str]:
        """All that a flow of the type may be said to be in: states, and steps of those without."""
        return frozenset(state for states in self.said.values() for state in states) | self.steps


def vocabulary(type: str) -> Vocabulary:
    """Four queries, each bounded."""
    asked: dict[str, str | int] = {"type": type, "newest": NEWEST, "statements": STATEMENTS}
    said: dict[str, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SAID, asked)
        for system, state, flows in cursor.fetchall():
            said.setdefault(system, {})[state] = flows
        cursor.execute(_STEPS, asked)
        steps = cursor.fetchall()
        cursor.execute(_WAYS, asked)
        ways = frozenset(cursor.fetchall())
        cursor.execute(_SERVICES, asked)
        services = {service for (service,) in cursor.fetchall()}
    makers = {system for _, system in steps if system} | {system for _, _, system in ways if system}
    return Vocabulary(
        said, frozenset(step for step, _ in steps), frozenset(services | makers | said.keys()), ways
    )
