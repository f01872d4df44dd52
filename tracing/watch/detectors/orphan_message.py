"""Messages that were sent and never consumed, where such messages usually are.

A producer span is consumed once another span links to it, or a child of it runs elsewhere. Of six hours a sample of traces is
read, evenly over time; an operation is judged once 27 of some 30 in a row were consumed, and a message late after 1.5 times
the 99th percentile of the waits, a minute at least. Which were unconsumed stay looked at for a day.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from tracing.lengths import DAY_NS, MINUTE_NS, spoken
from tracing.watch import sight
from tracing.watch.blindness import Stretch, overlap
from tracing.watch.finding import WARNING, Affected, Finding
from tracing.watch.titles import counted, moment

SLOT, SLOTS = 15, 24  # six hours in quarters
TRACES_A_SLOT = 200
IN_A_ROW, CONSUMED = 30, 27
FACTOR = 1.5

# The producers of the sampled traces and of those that are in such a problem, and when the first consumer began. What a
# try of Celery publishes for its next one is to lie about until that is due: the promise is watched, not the message.
# OFFSET 0 keeps these look-ups by primary key, whatever the planner knows of today's partitions.
_SENT: LiteralString = """
WITH traces AS (
    SELECT r.trace_id, r.day, r.environment, r.full
    FROM generate_series(%(first)s, %(first)s + %(slot)s * (%(slots)s - 1), %(slot)s) AS s (minute) CROSS JOIN LATERAL (
        SELECT trace_id, day, environment, count(*) OVER () >= %(traces)s AS full FROM (
            SELECT trace_id, day, environment FROM request
            WHERE activity >= s.minute AND activity < s.minute + %(slot)s AND day BETWEEN %(day)s - 1 AND %(day)s + 1
            ORDER BY activity DESC, trace_id DESC LIMIT %(traces)s
        ) AS newest
    ) AS r
    UNION
    SELECT r.trace_id, r.day, r.environment, false FROM problem p JOIN problem_flow w USING (problem_id)
    JOIN request r ON r.trace_id = w.flow_id AND r.day >= %(day)s - 2
    WHERE p.state <> 'resolved' AND p.kind = 'orphan_message' AND w.until_ns IS NULL
)
SELECT s.service, t.environment, s.name, s.trace_id, s.span_id, max(s.end_ns), least(
    (SELECT min(c.start_ns) FROM link l CROSS JOIN LATERAL (
        SELECT start_ns FROM span WHERE trace_id = l.trace_id AND span_id = l.span_id AND day = l.day OFFSET 0) AS c
     WHERE l.target_trace_id = s.trace_id AND l.target_span_id = s.span_id),
    (SELECT min(c.start_ns) FROM span c
     WHERE c.trace_id = s.trace_id AND c.parent_span_id = s.span_id AND (c.service <> s.service OR c.kind = 5))
), bool_or(t.full)
FROM traces t CROSS JOIN LATERAL (SELECT * FROM span WHERE trace_id = t.trace_id AND day = t.day OFFSET 0) AS s
WHERE s.kind = 4 AND s.status <> 2 AND NOT EXISTS (
    SELECT 1 FROM span p WHERE p.trace_id = s.trace_id AND p.span_id = s.parent_span_id AND p.day = s.day
    AND p.facts & 256 <> 0 AND p.attributes ? 'celery.retry.reason')
GROUP BY s.service, t.environment, s.name, s.trace_id, s.span_id
"""
# By its index an interval's newest are read and no more. A day that has just begun looks empty to the planner, and it
# would rather sort all of its traces. It holds for the transaction in which a detector looks.
_BY_INDEX: LiteralString = "SET LOCAL enable_sort = off; SET LOCAL enable_bitmapscan = off"
# What was learned of an operation before its consumer fell silent for good.
_LEARNED: LiteralString = """
SELECT system, environment, step, (evidence ->> 'p99_ns')::bigint FROM problem
WHERE kind = 'orphan_message' AND state <> 'resolved'
"""


class Sent(NamedTuple):
    """One message. `consumed_ns` is None while nobody took it."""

    service: str
    environment: str
    operation: str
    trace_id: bytes
    span_id: bytes
    sent_ns: int
    consumed_ns: int | None
    sampled: bool = False  # there were more traces around it than were read


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    minute = now_ns // MINUTE_NS
    asked = {
        "first": minute - SLOT * SLOTS + 1,
        "slot": SLOT,
        "slots": SLOTS,
        "traces": TRACES_A_SLOT,
        "day": now_ns // DAY_NS,
    }
    connection.execute(_BY_INDEX)
    sent = [Sent(*row) for row in connection.execute(_SENT, asked)]
    learned = {tuple(row[:3]): row[3] for row in connection.execute(_LEARNED) if row[3] is not None}
    blind = sight.blind(connection, now_ns - DAY_NS, now_ns)
    return findings(sent, learned, blind, now_ns)


def findings(
    sent: Iterable[Sent], learned: Mapping[tuple[Any, ...], int], blind: Sequence[Stretch], now_ns: int
) -> list[Finding]:
    """One for each operation of which messages lie about."""
    same: dict[tuple[str, str, str], list[Sent]] = defaultdict(list)
    for one in sent:
        same[one.service, one.environment, one.operation].append(one)
    found = []
    for key, messages in same.items():
        p99_ns = usual_wait(messages)
        p99_ns = learned.get(key) if p99_ns is None else p99_ns
        if p99_ns is None:
            continue
        lying = [one for one in messages if is_orphan(one, p99_ns, blind, now_ns)]
        if lying:
            found.append(_finding(lying, p99_ns, sum(one.consumed_ns is not None for one in messages)))
    return found


def usual_wait(messages: Iterable[Sent]) -> int | None:
    """p99 of how long messages waited (ns); None where too few are known to be consumed."""
    ordered = sorted(messages, key=lambda one: (one.sent_ns, one.span_id))
    taken = [one.consumed_ns is not None for one in ordered]
    in_a_row = (sum(taken[at : at + IN_A_ROW]) for at in range(len(taken) - IN_A_ROW + 1))
    if not any(consumed >= CONSUMED for consumed in in_a_row):
        return None
    waits = sorted(max(0, one.consumed_ns - one.sent_ns) for one in ordered if one.consumed_ns is not None)
    return waits[math.ceil(0.99 * len(waits)) - 1]


def is_orphan(one: Sent, p99_ns: int, blind: Sequence[Stretch], now_ns: int) -> bool:
    """Nobody took it for too long; not where we might have missed who did, and not after a day."""
    late_ns = one.sent_ns + max(MINUTE_NS, round(FACTOR * p99_ns))
    if one.consumed_ns is not None or not late_ns <= now_ns < one.sent_ns + DAY_NS:
        return False
    return not overlap(one.sent_ns, late_ns, blind)


def _finding(lying: Sequence[Sent], p99_ns: int, consumed: int) -> Finding:
    lying = sorted(lying, key=lambda one: (one.sent_ns, one.span_id))
    first, last = lying[0], lying[-1]
    waits_ns = max(MINUTE_NS, round(FACTOR * p99_ns))
    least = "At least " if any(one.sampled for one in lying) else ""
    title = f"{least}{counted(len(lying), 'message')} of {first.operation} never consumed"
    traces = {one.trace_id: one.sent_ns for one in reversed(lying)}
    return Finding(
        kind="orphan_message",
        type="",
        environment=first.environment,
        step=first.operation,
        system=first.service,
        title=title[0].upper() + title[1:],
        why=f"99 % of {counted(consumed, 'message')} were taken within {spoken(p99_ns)}. "
        f"Sent by {first.service}, the first at {moment(first.sent_ns)}.",
        severity=WARNING,
        since_ns=first.sent_ns + waits_ns,
        last_ns=last.sent_ns + waits_ns,
        flows=[Affected(trace_id, 0, sent_ns + waits_ns) for trace_id, sent_ns in traces.items()],
        evidence={"p99_ns": p99_ns, "messages": len(lying), "consumed": consumed, "sampled": bool(least)},
    )
