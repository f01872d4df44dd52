"""Operations that happen once a flow, as its type's settings say, and succeeded twice: the card was charged again.

Told by the spans that carry the flow's key. Versions of a span are one, a span and its own child are one (the caller's
and the callee's view); two deliveries of one message are two, which is the point. After a day it is history.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.lengths import MINUTE_NS
from tracing.watch.finding import NEEDS_A_PERSON, Affected, Finding
from tracing.watch.titles import counted, moment

DAY_MINUTES = 1_440
MOST_FLOWS = 2_000  # of a type: those heard last
MOST_SPANS = 50_000

_ASKED: LiteralString = "SELECT EXISTS (SELECT 1 FROM tracing_typesettings WHERE once <> '[]')"
# The successes of such operations of the flows heard last, and of those in such a problem already. OFFSET 0 keeps it a
# look-up by primary key, whatever the planner knows of today's partitions.
_DONE: LiteralString = """
WITH asked AS (
    SELECT type, ARRAY(SELECT jsonb_array_elements_text(once)) AS once FROM tracing_typesettings WHERE once <> '[]'
), heard AS (
    SELECT f.flow_id FROM asked a CROSS JOIN LATERAL (
        SELECT flow_id FROM flow WHERE type = a.type AND activity >= %(since)s
        ORDER BY activity DESC, flow_id DESC LIMIT %(flows)s
    ) f
    UNION
    SELECT w.flow_id FROM problem p JOIN problem_flow w USING (problem_id)
    WHERE p.state <> 'resolved' AND p.kind = 'duplicate' AND w.until_ns IS NULL
), told AS (
    SELECT DISTINCT f.flow_id, f.kind, f.type, f.environment, a.once, m.trace_id, m.day,
        substring(m.span_ids FROM 8 * n + 1 FOR 8) AS span_id
    FROM heard JOIN flow f USING (flow_id) JOIN asked a USING (type)
    CROSS JOIN LATERAL (SELECT trace_id, day, span_ids FROM member WHERE flow_id = heard.flow_id OFFSET 0) AS m,
        generate_series(0, length(m.span_ids) / 8 - 1) AS n
)
SELECT t.flow_id, t.kind, t.type, t.environment, s.service, s.name, s.trace_id, s.span_id, s.parent_span_id, s.end_ns
FROM told t CROSS JOIN LATERAL (
    SELECT * FROM span WHERE trace_id = t.trace_id AND span_id = t.span_id AND day = t.day OFFSET 0
) AS s WHERE s.status <> 2 AND (s.name = ANY (t.once) OR s.service || ':' || s.name = ANY (t.once))
ORDER BY s.end_ns DESC LIMIT %(spans)s
"""


class Done(NamedTuple):
    """One success."""

    flow_id: bytes
    kind: int
    type: str
    environment: str
    service: str
    operation: str
    trace_id: bytes
    span_id: bytes
    parent_span_id: bytes
    end_ns: int


class Twice(NamedTuple):
    """A flow for which it happened more than once; `again` is the latest."""

    first: Done
    second: Done
    again: Done
    times: int


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    row = connection.execute(_ASKED).fetchone()
    if row is None or not row[0]:
        return []
    asked = {"since": now_ns // MINUTE_NS - DAY_MINUTES, "flows": MOST_FLOWS, "spans": MOST_SPANS}
    rows = connection.execute(_DONE, asked).fetchall()
    found = findings((Done(*row) for row in rows), now_ns)
    if found and len(rows) == MOST_SPANS:
        found[0].evidence = {**found[0].evidence, "cut": True}
    return found


def findings(done: Iterable[Done], now_ns: int) -> list[Finding]:
    """Grouped by type and operation, most flows first."""
    same: dict[tuple[str, str, str], list[Twice]] = defaultdict(list)
    for twice in twices(done):
        if now_ns - twice.again.end_ns < DAY_MINUTES * MINUTE_NS:
            same[twice.first.type, twice.first.environment, twice.first.operation].append(twice)
    return sorted(map(_finding, same.values()), key=lambda found: (-len(found.flows), found.identity))


def twices(done: Iterable[Done]) -> list[Twice]:
    """By flow and operation, where at least two successes are effects of their own."""
    by_flow: dict[tuple[bytes, str], dict[tuple[bytes, bytes], Done]] = defaultdict(dict)
    for one in done:
        spans = by_flow[one.flow_id, one.operation]
        version = spans.get((one.trace_id, one.span_id))
        if version is None or version.end_ns < one.end_ns:
            spans[one.trace_id, one.span_id] = one
    found = []
    for spans in by_flow.values():
        own = [one for one in spans.values() if (one.trace_id, one.parent_span_id) not in spans]
        own.sort(key=lambda one: (one.end_ns, one.span_id))
        if len(own) > 1:
            found.append(Twice(own[0], own[1], own[-1], len(own)))
    return found


def _finding(same: Sequence[Twice]) -> Finding:
    same = sorted(same, key=lambda twice: (twice.second.end_ns, twice.first.flow_id))
    first, second = same[0].first, same[0].second
    times = "twice" if all(twice.times == 2 for twice in same) else "more than once"
    return Finding(
        kind="duplicate",
        type=first.type,
        environment=first.environment,
        step=first.operation,
        system=first.service,
        title=f"{first.operation} happened {times} for {counted(len(same), first.type)}",
        why=f"It happens once, as the settings of {first.type} say. Done by {first.service} at {moment(first.end_ns)}, "
        f"again by {second.service} at {moment(second.end_ns)}.",
        severity=NEEDS_A_PERSON,
        since_ns=second.end_ns,
        last_ns=max(twice.again.end_ns for twice in same),
        flows=[Affected(twice.first.flow_id, twice.first.kind, twice.second.end_ns) for twice in same],
        evidence={
            "times": max(twice.times for twice in same),
            "traces": [first.trace_id.hex(), second.trace_id.hex()],
        },
    )
