"""Flows that wait too long, by type, environment, the step they stand at and the system they wait for.

The judge has said which are late or stuck (`expectation`); here they become one finding each kind of wait. A promised
retry that never came is a kind of its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from tracing.watch.detectors.folding import fold
from tracing.watch.finding import GREY, NEEDS_A_PERSON, WARNING, Affected, Finding
from tracing.watch.titles import counted, lasting, moment, verb

MOST_FLOWS = 2_000  # named in a finding: the oldest; the count is exact
MOST_FINDINGS = 500

# Everything late or stuck, grouped, each group's flows in the order in which they became late.
_WAITS: LiteralString = """
SELECT type, environment, retries, step, system, count(*), count(*) FILTER (WHERE verdict = 'stuck'),
    min(stuck_ns) FILTER (WHERE verdict = 'stuck'), bool_and(quiet), mode() WITHIN GROUP (ORDER BY reason),
    (array_agg(awaited_step))[1:%(flows)s], (array_agg(flow_id))[1:%(flows)s], (array_agg(kind))[1:%(flows)s],
    (array_agg(late_ns))[1:%(flows)s], max(late_ns), min(since_ns), bool_and(stated)
FROM (
    SELECT flow_id, kind, type, environment, verdict, stuck_ns, quiet, coalesce(reason, 'step') AS reason,
        source IS NOT DISTINCT FROM 'stated' AS stated,
        coalesce(late_ns, verdict_since_ns, judged_ns, 0) AS late_ns, since_ns,
        reason IS NOT DISTINCT FROM 'retry' AS retries, coalesce(awaited_step, '') AS awaited_step,
        CASE WHEN reason = 'retry' THEN coalesce(evidence ->> 'operation', awaited_step, '') ELSE coalesce(step, '') END AS step,
        coalesce(nullif(awaited_system, ''), CASE WHEN reason = 'retry' THEN system END, '') AS system
    FROM expectation WHERE verdict IN ('late', 'stuck')
    ORDER BY type, environment, retries, step, system, late_ns, flow_id
) AS wrong
GROUP BY type, environment, retries, step, system ORDER BY count(*) DESC, type, step, environment, system LIMIT %(findings)s
"""
# The numbers behind each group's oldest.
_EVIDENCE: LiteralString = "SELECT flow_id, evidence FROM expectation WHERE flow_id = ANY(%s)"


class Wait(NamedTuple):
    """A row of `_WAITS`."""

    type: str
    environment: str
    retries: bool
    step: str
    system: str
    number: int
    stuck: int
    stuck_ns: int | None
    quiet: bool
    reason: str
    awaited: Sequence[str]
    flow_ids: Sequence[bytes]
    kinds: Sequence[int]
    lates: Sequence[int]
    last_ns: int
    since_ns: int | None
    stated: bool


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    rows = connection.execute(_WAITS, {"flows": MOST_FLOWS, "findings": MOST_FINDINGS + 1}).fetchall()
    oldest = {row[11][0] for row in rows}
    evidence: dict[bytes, Mapping[str, Any] | None] = dict(
        connection.execute(_EVIDENCE, (list(oldest),)).fetchall()
    )
    found = [_finding(Wait(*row), evidence.get(row[11][0]) or {}) for row in rows[:MOST_FINDINGS]]
    # One promise made for an order and its mail is one moment: the entity is what people know.
    stated = [finding for finding in found if finding.evidence["stated"]]
    stated.sort(key=lambda finding: (-finding.count, finding.flows[0].kind))
    fold([(finding, {one.since_ns for one in finding.flows}) for finding in stated])
    if len(rows) > MOST_FINDINGS:
        found[-1].evidence = {**found[-1].evidence, "cut": True}
    return found


def _finding(wait: Wait, oldest: Mapping[str, Any]) -> Finding:
    kind = "abandoned_retry" if wait.retries else "stuck" if wait.stuck else "late"
    awaited: dict[str, int] = {}
    for step in wait.awaited:
        awaited[step] = awaited.get(step, 0) + 1
    evidence: dict[str, Any] = {
        "awaited": {step: number for step, number in sorted(awaited.items()) if step},
        "stuck": wait.stuck,
        "reason": wait.reason,
        "stated": wait.stated,
        "oldest": dict(oldest),
    }
    if wait.stuck_ns is not None:
        evidence["worse_ns"] = wait.stuck_ns
    loud = NEEDS_A_PERSON if wait.retries or wait.stuck else WARNING
    return Finding(
        kind=kind,
        type=wait.type,
        environment=wait.environment,
        step=wait.step,
        system=wait.system,
        title=_title(wait, max(awaited, key=lambda step: awaited[step])),
        why=_why(wait, oldest),
        severity=GREY if wait.quiet else loud,
        since_ns=wait.lates[0],
        last_ns=wait.last_ns,
        flows=[Affected(*one) for one in zip(wait.flow_ids, wait.kinds, wait.lates, strict=True)],
        count=wait.number,
        evidence=evidence,
    )


def _title(wait: Wait, awaited: str) -> str:
    flows = counted(wait.number, wait.type)
    if wait.retries and wait.system:
        return f"{wait.system} never tried {wait.step or 'it'} again for {flows}"
    if wait.retries:
        return f"{wait.step or 'What failed'} was never tried again for {flows}"
    if wait.reason == "heartbeat":
        return f"{flows} missed {verb(wait.number, 'its', 'their')} beat" + (
            f" from {wait.system}" if wait.system else ""
        )
    if awaited or wait.system:
        whom = f" from {wait.system}" if wait.system else ""
        return f"{flows} {verb(wait.number, 'waits', 'wait')} for {awaited or 'anything'}{whom}"
    if wait.reason == "deadline":
        return f"{flows} {verb(wait.number, 'is', 'are')} past {verb(wait.number, 'its', 'their')} deadline"
    return f"{flows} {verb(wait.number, 'has', 'have')} not moved on" + (
        f" from {wait.step}" if wait.step else ""
    )


def _why(wait: Wait, oldest: Mapping[str, Any]) -> str:
    """The numbers behind the oldest one's deadline, as the judge kept them."""
    parts = [_expected(wait, oldest)]
    if 0 < wait.stuck < wait.number:
        parts.append(f"{wait.stuck:,} of them stuck.")
    if wait.since_ns:
        parts.append(f"The oldest waits since {moment(wait.since_ns)}.")
    return " ".join(part for part in parts if part)


def _expected(wait: Wait, told: Mapping[str, Any]) -> str:
    if wait.retries and told.get("attempt"):
        of = f" of {told['most']}" if told.get("most") else ""
        return f"Attempt {told['attempt']}{of} was promised and did not come."
    if told.get("passed") and told.get("within_ns"):
        share = f"{100 * told['share']:.0f} % of " if isinstance(told.get("share"), float) else ""
        passed = counted(told["passed"], wait.type)
        return f"{share}{passed} passed this point within {lasting(told['within_ns'])}."
    if told.get("rule"):
        return f"Expected by rule: {told['rule']}"
    if told.get("period_ns"):
        return f"It came every {lasting(told['period_ns'])}."
    return f"Stated by the flow: {told['said']}." if told.get("said") else ""
