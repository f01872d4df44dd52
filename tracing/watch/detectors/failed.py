"""Flows whose last word is a failure, by error and type; and requests that keep failing the same way.

A flow is well again once it went on in another trace, its failing request ended well after all, or it ended well. One that
says that it failed stays. The failures of a day are looked at: what brings nothing new for so long is over.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.lengths import DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS
from tracing.watch.customs import is_bad_end
from tracing.watch.detectors import bad_ends
from tracing.watch.finding import NEEDS_A_PERSON, WARNING, Affected, Finding
from tracing.watch.titles import counted, moment, short

MOST_ROWS = 20_000
MOST_FINDINGS = 200
# A retry within the minute is no matter for a person. An engine that ends a run badly has done with its retries.
SETTLES_NS = MINUTE_NS
# Spans end from the inside out: a failure within so long of its caller's is the same story.
CHAIN_NS = 10 * SECOND_NS
WORKFLOW = 2
# One request that fails is nobody's flow: so many within an hour are a problem.
REQUESTS_AN_HOUR = 3
# A type whose flows have so many times as many chapters holds the other: its flows come again anyway.
BROADER = 2

# Of the newest failures each flow's and each request's last. Who called what failed fails a moment later: the first of
# them is shown. And what was heard of it since; the root's row of a trace may lie on the day before.
_LAST: LiteralString = """
WITH recent AS (
    SELECT * FROM failure WHERE received_ns > %(since)s AND received_ns <= %(now)s AND at_ns > %(since)s
    ORDER BY received_ns DESC LIMIT %(rows)s
), latest AS (
    SELECT DISTINCT ON (scope_id) scope_id, trace_id, at_ns AS last_ns, received_ns AS told_ns FROM recent
    ORDER BY scope_id, at_ns DESC, record_id
), last AS (
    SELECT DISTINCT ON (scope_id) r.*, last_ns, told_ns FROM recent r JOIN latest USING (scope_id, trace_id)
    WHERE at_ns >= last_ns - %(chain)s ORDER BY scope_id, at_ns, record_id
)
SELECT l.scope_id, l.kind, l.fingerprint, l.at_ns, l.last_ns, l.told_ns, l.trace_id, l.environment, l.service,
    l.operation, l.error_type, l.message, coalesce(f.type, 'trace'), coalesce(f.environment, l.environment),
    greatest(f.state_since_ns, f.step_ns),
    (SELECT max(c.last_ns) FROM chapter c WHERE c.flow_id = f.flow_id AND c.trace_id = l.trace_id AND l.trace_id <> ''),
    (SELECT max(r.root_status) FROM request r
     WHERE r.trace_id = l.trace_id AND l.trace_id <> '' AND r.day BETWEEN l.day - 1 AND l.day),
    CASE WHEN e.verdict = 'ended' THEN e.evidence ->> 'end' END, e.step, coalesce(f.chapters, 0),
    (SELECT count(*) FROM recent)
FROM last l LEFT JOIN flow f ON l.kind > 0 AND f.flow_id = l.scope_id
LEFT JOIN expectation e ON l.kind > 0 AND e.flow_id = l.scope_id
"""
ERROR = 2


class Failure(NamedTuple):
    """The last failure of a flow or request, and what was heard since. Times in ns; None is unknown."""

    scope_id: bytes
    kind: int
    fingerprint: bytes
    at_ns: int
    last_ns: int  # when the last of those who called it failed
    received_ns: int
    trace_id: bytes
    environment: str
    service: str
    operation: str
    error_type: str
    message: str
    type: str
    flow_environment: str
    went_ns: int | None  # the flow's latest state or step
    chapter_ns: int | None  # the last that its failing trace brought for it
    root_status: int | None  # of the failing trace
    end: str | None  # of a flow that ended: good, bad, closed by a person, learned
    state: str | None  # in which the judge saw it
    chapters: int = 0  # of the flow: a customer has more of them than an order


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    asked = {"since": now_ns - DAY_NS, "now": now_ns, "rows": MOST_ROWS, "chain": CHAIN_NS}
    rows = connection.execute(_LAST, asked).fetchall()
    found = findings([Failure(*row[:-1]) for row in rows], now_ns)
    if found and (rows[0][-1] >= MOST_ROWS or len(found) > MOST_FINDINGS):
        found[0].evidence = {**found[0].evidence, "cut": True}
    named = {one.flow_id for finding in found for one in finding.flows}
    return found[:MOST_FINDINGS] + bad_ends.find(connection, now_ns, named)


def findings(failures: Sequence[Failure], now_ns: int) -> list[Finding]:
    """Grouped by error and environment, most flows first."""
    flows: dict[tuple[bytes, str], list[Failure]] = defaultdict(list)
    # What failed with a flow is that flow's matter, also after it recovered.
    with_flow = {one.trace_id for one in failures if one.kind and not ended_before(one)}
    failures = undecided(failures)
    for one in failures:
        if one.kind and is_settled(one, now_ns) and is_failed(one):
            flows[one.fingerprint, one.flow_environment].append(one)
    found = [_finding(same) for same in flows.values()]
    found += _requests((one for one in failures if not one.kind and one.trace_id not in with_flow), now_ns)
    return sorted(found, key=lambda finding: (-len(finding.flows), finding.since_ns, finding.identity))


def is_settled(one: Failure, now_ns: int) -> bool:
    """Whether nothing is to be waited for that may follow at once and mend it."""
    return (one.kind == WORKFLOW and one.end == "bad") or now_ns - one.received_ns >= SETTLES_NS


def is_failed(one: Failure) -> bool:
    """Whether the failure is the last word of the flow."""
    if ended_as_failed(one) or one.end in ("good", "closed"):
        return one.end == "bad"
    if one.went_ns is not None and one.went_ns > max(one.chapter_ns or 0, one.last_ns):
        return False
    # A try that failed inside a request that then ended well.
    return one.root_status is None or one.root_status == ERROR


def ended_as_failed(one: Failure) -> bool:
    """Its end is a word of failure. One that was cancelled later went on, though not well."""
    return one.end == "bad" and bad_ends.is_failure(one.state or "")


def ended_before(one: Failure) -> bool:
    """A flow that is over and was looked at afterwards: what fails then is a request like any other."""
    return one.end in ("good", "closed") and one.went_ns is not None and one.went_ns < one.at_ns


def undecided(failures: Sequence[Failure]) -> list[Failure]:
    """Without those of which a narrower flow, that the same error of the same trace tells, decides that they are well.

    The order that failed with its customer: what became of the order decides, for the customer comes again anyway.
    """
    beside: dict[tuple[bytes, bytes], list[Failure]] = defaultdict(list)
    types: dict[str, list[Failure]] = defaultdict(list)
    for one in failures:
        types[one.type].append(one)
        if one.kind and one.trace_id:
            beside[one.trace_id, one.fingerprint].append(one)
    breadths = {type: _breadth(many) for type, many in types.items()}
    return [
        one
        for one in failures
        if not one.kind
        or all(
            is_failed(other) or BROADER * breadths[other.type] >= breadths[one.type]
            for other in beside[one.trace_id, one.fingerprint]
        )
    ]


def _breadth(many: Sequence[Failure]) -> float:
    """Chapters of a flow, on average."""
    return sum(one.chapters for one in many) / len(many)


def _requests(failures: Iterable[Failure], now_ns: int) -> list[Finding]:
    """Requests of one error that failed often within an hour, while the last of them is not an hour old."""
    same: dict[tuple[bytes, str], list[Failure]] = defaultdict(list)
    for one in failures:
        if one.root_status == ERROR:
            same[one.fingerprint, one.environment].append(one)
    return [_finding(found) for found in same.values() if keeps_failing([one.at_ns for one in found], now_ns)]


def keeps_failing(times: Iterable[int], now_ns: int) -> bool:
    """So many within some hour, and the last one within this hour."""
    ordered = sorted(times)
    often = any(
        last - first <= HOUR_NS for first, last in zip(ordered, ordered[REQUESTS_AN_HOUR - 1 :], strict=False)
    )
    return often and ordered[-1] > now_ns - HOUR_NS


def _finding(same: Sequence[Failure]) -> Finding:
    same = sorted(same, key=lambda one: (one.at_ns, one.scope_id))
    first, last = same[0], same[-1]
    types = Counter(one.type for one in same)
    ends = Counter(one.type for one in same if is_bad_end(one.end, one.state or ""))
    # Named after the flows that end by it, of these the ones that are more than one trace: the order, not its payment;
    # else after the ones that hold the least: the order, not its customer.
    breadths = {one: _breadth([each for each in same if each.type == one]) for one in types}
    type = max(
        sorted(types), key=lambda one: (ends[one], breadths[one] if ends[one] else -breadths[one], types[one])
    )
    noun = type if first.kind else "request"
    services = sorted({one.service for one in same})
    operations = sorted({one.operation for one in same})
    ended = ends[type]
    # Who came to an end because of it, though a bad one, waits for nobody.
    loud = NEEDS_A_PERSON if first.kind and ended < types[type] else WARNING
    why = f"{first.operation} failed in {services[0]}; nothing that went well has followed."
    if not first.kind:
        why = f"{first.operation} failed at least {REQUESTS_AN_HOUR} times within an hour."
    if ended:
        why += f" {ended:,} of them ended badly."
    others = [counted(count, other) for other, count in sorted(types.items()) if other != type]
    if others:
        why += f" With {' and '.join(others)}."
    return Finding(
        kind="failed",
        type=type,
        environment=first.flow_environment,
        step=operations[0],
        system=services[0],
        title=f"{counted(types[type], noun)} failed: {named(first.error_type, first.message)} in {services[0]}",
        why=f"{why} The first at {moment(first.at_ns)}.",
        severity=loud,
        since_ns=first.at_ns,
        last_ns=last.at_ns,
        flows=[Affected(one.scope_id, one.kind, one.at_ns) for one in same],
        fingerprint=first.fingerprint,
        evidence={**_evidence(first, services, operations), "types": dict(types)},
    )


def _evidence(first: Failure, services: list[str], operations: list[str]) -> Mapping[str, object]:
    return {
        "error_type": first.error_type,
        "message": short(first.message, 500),
        "services": services[:10],
        "operations": operations[:10],
        "trace_id": first.trace_id.hex(),
    }


def named(error_type: str, message: str) -> str:
    """`carrier 503 (CarrierError)`; what is there of the two."""
    message = short(message)
    if not message or message == error_type:
        return error_type or "an error"
    return f"{message} ({short(error_type)})" if error_type else message
