"""Flows that wait too long, by type, environment, the step they stand at and the system they wait for.

The judge has said which are late or stuck (`expectation`); here they become one finding each kind of wait. A promised
retry that never came is a kind of its own.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

import psycopg

from tracing.lengths import spoken
from tracing.watch.detectors.folding import fold
from tracing.watch.finding import GREY, NEEDS_A_PERSON, WARNING, Affected, Finding
from tracing.watch.titles import counted, moment, verb

MOST_FLOWS = 2_000  # named in a finding: the oldest; the count is exact
MOST_FINDINGS = 500

# Where a flow stands and for whom it waits, as its problem names them; and since when it is late.
_STEP: LiteralString = """
CASE WHEN reason = 'retry' THEN coalesce(evidence ->> 'operation', awaited_step, '') ELSE coalesce(step, '') END
"""
_SYSTEM: LiteralString = (
    "coalesce(nullif(awaited_system, ''), CASE WHEN reason = 'retry' THEN system END, '')"
)
_LATE: LiteralString = "coalesce(late_ns, verdict_since_ns, judged_ns, 0)"
# As the index `expectation_wait` has it: flows that wait for the same have the same.
_SAME: LiteralString = rf"""
hashtextextended(type || E'\n' || environment || E'\n' || {_STEP} || E'\n' || {_SYSTEM}, 0)
"""
# Everything late or stuck, counted by what it waits for, and of each the flows that were late first. Counted before any
# is named: in a large outage to sort them all takes longer than a look may.
_WAITS: LiteralString = f"""
SELECT type, environment, retries, step, system, number, stuck, stuck_ns, quiet, reason, awaited, flow_ids, kinds, lates,
    last_ns, since_ns, stated
FROM (
    SELECT {_SAME} AS same, type, environment, reason IS NOT DISTINCT FROM 'retry' AS retries, {_STEP} AS step,
        {_SYSTEM} AS system, count(*) AS number, count(*) FILTER (WHERE verdict = 'stuck') AS stuck,
        min(stuck_ns) FILTER (WHERE verdict = 'stuck') AS stuck_ns, bool_and(quiet) AS quiet, max({_LATE}) AS last_ns,
        min(since_ns) AS since_ns, bool_and(source IS NOT DISTINCT FROM 'stated') AS stated
    FROM expectation WHERE verdict IN ('late', 'stuck')
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY number DESC, type, 5, environment, 6 LIMIT %(findings)s
) AS waiting CROSS JOIN LATERAL (
    SELECT mode() WITHIN GROUP (ORDER BY coalesce(reason, 'step')) AS reason,
        array_agg(coalesce(awaited_step, '')) AS awaited, array_agg(flow_id) AS flow_ids, array_agg(kind) AS kinds,
        array_agg(late_ns) AS lates
    FROM (
        SELECT reason, awaited_step, flow_id, kind, {_LATE} AS late_ns FROM expectation
        WHERE verdict IN ('late', 'stuck') AND {_SAME} = waiting.same
            AND (reason IS NOT DISTINCT FROM 'retry') = waiting.retries
        ORDER BY {_LATE}, flow_id LIMIT %(flows)s
    ) AS first
) AS named
ORDER BY number DESC, type, step, environment, system
"""
_SAID: LiteralString = "SELECT DISTINCT flow_id, trace_id FROM stated WHERE flow_id = ANY(%s)"
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
    _fold_promises(connection, [finding for finding in found if finding.evidence["stated"]])
    if len(rows) > MOST_FINDINGS:
        found[-1].evidence = {**found[-1].evidence, "cut": True}
    return found


def _fold_promises(connection: psycopg.Connection, stated: list[Finding]) -> None:
    """One promise made for an order and its mail is of one moment and one trace: the entity is what people know."""
    flow_ids = [one.flow_id for finding in stated for one in finding.flows]
    said = connection.execute(_SAID, (flow_ids,)).fetchall() if len(stated) > 1 else []
    traces: dict[bytes, set[bytes]] = defaultdict(set)
    for flow_id, trace_id in said:
        traces[flow_id].add(trace_id)
    stated.sort(key=lambda finding: (-finding.count, finding.flows[0].kind))
    fold(
        [
            (finding, {(one.since_ns, trace) for one in finding.flows for trace in traces[one.flow_id]})
            for finding in stated
        ]
    )


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
        title=_title(wait, _named(awaited)),
        why=_why(wait, oldest),
        severity=GREY if wait.quiet else loud,
        since_ns=wait.lates[0],
        last_ns=wait.last_ns,
        flows=[Affected(*one) for one in zip(wait.flow_ids, wait.kinds, wait.lates, strict=True)],
        count=wait.number,
        evidence=evidence,
    )


def _named(awaited: Mapping[str, int]) -> str:
    """What is awaited, the most frequent first: `printed`, `printed or stamped`; empty where nobody says."""
    names = [step for step in sorted(awaited, key=lambda step: (-awaited[step], step)) if step]
    return " or ".join(names[:2]) + (" or others" if len(names) > 2 else "")


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
    if wait.reason == "deadline":
        at = f" at {wait.step}" if wait.step else ""
        return (
            f"{flows} {verb(wait.number, 'is', 'are')} past {verb(wait.number, 'its', 'their')} deadline{at}"
        )
    if awaited or wait.system:
        whom = f" from {wait.system}" if wait.system else ""
        return f"{flows} {verb(wait.number, 'waits', 'wait')} for {awaited or 'anything'}{whom}"
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
        return f"{share}{passed} passed this point within {spoken(told['within_ns'])}."
    if told.get("rule"):
        return f"Expected by rule: {told['rule']}."
    if told.get("period_ns"):
        return f"It came every {spoken(told['period_ns'])}."
    return f"Stated by the flow: {told['said']}." if told.get("said") else ""
