"""Flows of which two systems say now what cannot be true at once: the shop says cancelled, the warehouse shipped.

`tracing.watch.incompatible` says which those are. A minute after the later statement it counts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.lengths import MINUTE_NS
from tracing.watch.detectors import walking
from tracing.watch.finding import NEEDS_A_PERSON, Affected, Finding
from tracing.watch.incompatible import USUAL, Pairs, conflicts, pairs_of
from tracing.watch.titles import counted, moment

SETTLES_NS = MINUTE_NS
MOST_FINDINGS = 200

_SETTINGS: LiteralString = "SELECT type, incompatible FROM tracing_typesettings WHERE incompatible <> '[]'"
# Of flows that were heard, and of those that are in conflict already; not those that a person closed.
_SAID: LiteralString = """
WITH heard AS (
    SELECT unnest(%s::bytea[]) AS flow_id
    UNION
    SELECT w.flow_id FROM problem p JOIN problem_flow w USING (problem_id)
    WHERE p.state <> 'resolved' AND p.kind = 'conflict' AND w.until_ns IS NULL
)
SELECT f.flow_id, f.kind, f.type, f.environment, one.system, one.state, one.since_ns, two.system, two.state, two.since_ns
FROM heard JOIN flow f USING (flow_id) JOIN current_state one USING (flow_id) JOIN current_state two USING (flow_id)
LEFT JOIN expectation e USING (flow_id)
WHERE one.system < two.system AND one.state <> two.state
    AND NOT (e.verdict IS NOT DISTINCT FROM 'ended' AND coalesce(e.evidence ? 'closed', false))
"""


class Said(NamedTuple):
    """What two systems say of a flow now."""

    flow_id: bytes
    kind: int
    type: str
    environment: str
    system: str
    state: str
    since_ns: int
    other_system: str
    other_state: str
    other_since_ns: int

    @property
    def later_ns(self) -> int:
        return max(self.since_ns, self.other_since_ns)


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    settings = {type_: pairs_of(pairs) for type_, pairs in connection.execute(_SETTINGS)}
    heard = walking.heard(connection, "conflict", now_ns)
    said = (Said(*row) for row in connection.execute(_SAID, (heard,)))
    found = findings(said, settings, now_ns)
    if len(found) > MOST_FINDINGS:
        found[0].evidence = {**found[0].evidence, "cut": True}
    return found[:MOST_FINDINGS]


def findings(said: Iterable[Said], settings: dict[str, Pairs], now_ns: int) -> list[Finding]:
    """Grouped by type and by who says what, most flows first."""
    same: dict[tuple[str, ...], list[Said]] = defaultdict(list)
    for one in said:
        pairs = settings.get(one.type, USUAL)
        if conflicts(one.state, one.other_state, pairs) and now_ns - one.later_ns >= SETTLES_NS:
            same[one.type, one.environment, one.system, one.state, one.other_system, one.other_state].append(
                one
            )
    return sorted(map(_finding, same.values()), key=lambda found: (-len(found.flows), found.identity))


def _finding(same: Sequence[Said]) -> Finding:
    same = sorted(same, key=lambda one: (one.later_ns, one.flow_id))
    first = same[0]
    return Finding(
        kind="conflict",
        type=first.type,
        environment=first.environment,
        step=f"{first.state}, {first.other_state}",
        system=f"{first.system}, {first.other_system}",
        title=f"{counted(len(same), first.type)}: {first.system} says {first.state}, "
        f"{first.other_system} says {first.other_state}",
        why=f"Both cannot be. First {first.system} at {moment(first.since_ns)}, "
        f"{first.other_system} at {moment(first.other_since_ns)}.",
        severity=NEEDS_A_PERSON,
        since_ns=first.later_ns,
        last_ns=same[-1].later_ns,
        flows=[Affected(one.flow_id, one.kind, one.later_ns) for one in same],
        evidence={"systems": {first.system: first.state, first.other_system: first.other_state}},
    )
