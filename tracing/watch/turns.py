"""How a problem lives from look to look: forming, open, quieted, resolved, come back (pure).

`problems` brings the rows and what the detectors found; each function here answers with the row as it is afterwards
and with the turns it took, which become rows of `flip`. Times are Unix nanoseconds; a look's own is our clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.lengths import HOUR_NS
from tracing.watch.finding import Finding

COMES_AND_GOES = "It comes and goes: this is the same problem again."


@dataclass(frozen=True, slots=True)
class Problem:
    """A row of `problem`, as far as a look changes it. A forming row that has a `resolved_ns` was one before."""

    problem_id: bytes
    identity: bytes
    kind: str
    type: str
    environment: str
    step: str
    system: str
    fingerprint: bytes
    title: str
    why: str
    severity: int
    state: str
    flows: int
    all_flows: int
    first_ns: int
    last_ns: int
    opened_ns: int
    resolved_ns: int | None
    bad: int
    good: int
    good_ns: int | None
    flaps: int
    cause_id: bytes | None
    quieted: Mapping[str, Any] | None
    evidence: Mapping[str, Any]


class Turn(NamedTuple):
    """A change of a problem's state. `after` is open, worse, resolved, reopened, acknowledged or muted."""

    before: str
    after: str
    at_ns: int  # the true moment
    sentence: str
    evidence: Mapping[str, Any] | None = None


class Facts(NamedTuple):
    """What a mute may wait for. `signature` is the set of awaited steps and of error fingerprints."""

    all_flows: int
    joined_hour: int  # flows that became wrong within the last hour and after it was muted
    errors: frozenset[str]
    signature: frozenset[str]


def seen(
    before: Problem | None, past: Problem | None, past_opened_ns: int | None, finding: Finding, now_ns: int
) -> tuple[Problem, list[Turn]]:
    """A look that found it. `past` is the latest resolved row of the same identity, opened last at `past_opened_ns` (ours)."""
    problem = before or _returning(past, past_opened_ns, finding, now_ns) or _begun(finding, past)
    turns: list[Turn] = []
    stood = problem
    problem = _told(problem, finding)
    if stood.state == "forming":
        problem = replace(problem, bad=stood.bad + 1)
        if problem.bad >= finding.bad_looks:
            problem, turn = _opened(problem, finding, now_ns)
            turns.append(turn)
        return problem, turns
    if (stood.kind, finding.kind) == ("late", "stuck"):
        at_ns = min(int(finding.evidence.get("worse_ns", now_ns)), now_ns)
        turns.append(Turn(stood.state, "worse", at_ns, _sentence(problem), dict(problem.evidence)))
    # Flows are judged as there is time: one that was wrong before those seen first dates the opening back.
    opened_ns = min(problem.opened_ns, finding.since_ns) if finding.flows else problem.opened_ns
    return replace(problem, opened_ns=opened_ns, good=0, good_ns=None), turns


def unseen(problem: Problem, gone_ns: int | None, now_ns: int) -> tuple[Problem | None, list[Turn]]:
    """A look that did not find it, though it could have. `gone_ns` is when the last of its flows was well again.

    None: it never was a problem and leaves no row.
    """
    if problem.state == "forming":
        return (replace(problem, state="resolved", bad=0) if problem.resolved_ns else None), []
    good_ns = problem.good_ns or now_ns
    good = problem.good + 1
    if good < int(problem.evidence.get("good_looks", 1)):
        return replace(problem, good=good, good_ns=good_ns), []
    at_ns = min(max(gone_ns or good_ns, problem.opened_ns), now_ns)
    after = replace(
        problem,
        state="resolved",
        resolved_ns=at_ns,
        flows=0,
        bad=0,
        good=good,
        good_ns=good_ns,
        cause_id=None,
        quieted=problem.quieted if _outlasts(problem.quieted, now_ns) else None,
    )
    return after, [Turn(problem.state, "resolved", at_ns, f"Resolved: {problem.title}")]


def lifted(problem: Problem, facts: Facts, now_ns: int) -> tuple[Problem, list[Turn]]:
    """A muted problem whose condition came true is open again."""
    said = problem.quieted or {}
    why = _came_true(said, facts, now_ns) if problem.state == "muted" else ""
    if not why:
        return problem, []
    until = said.get("until") or {}
    at_ns = min(int(until.get("time_ns", now_ns)), now_ns)
    turn = Turn("muted", "open", at_ns, f"No longer muted: {why}.", {"lifted": dict(said)})
    return replace(problem, state="open", quieted=None), [turn]


def _came_true(said: Mapping[str, Any], facts: Facts, now_ns: int) -> str:
    """The condition in words; empty while it is not true."""
    until = said.get("until") or {}
    if "time_ns" in until:
        return "the time is over" if now_ns >= int(until["time_ns"]) else ""
    if "rate" in until:
        return f"{facts.joined_hour} within an hour" if facts.joined_hour >= until["rate"] else ""
    if "more" in until:
        more = facts.all_flows - int(said.get("flows_then", 0))
        return f"{more} more since then" if more >= until["more"] else ""
    if until.get("new") == "error":
        return "an error that was not there" if facts.errors - set(said.get("errors_then", ())) else ""
    changed = facts.signature != set(said.get("signature_then", ()))
    return "a new variant" if until.get("new") == "variant" and facts.signature and changed else ""


def problem_id(identity: bytes, since_ns: int) -> bytes:
    """12 bytes. The same wrongness from the same moment on is the same problem, whoever sees it first."""
    return blake2b(identity + since_ns.to_bytes(9, "big", signed=True), digest_size=12).digest()


def flip_id(problem: bytes, after: str, at_ns: int, flaps: int = 0) -> bytes:
    """16 bytes. One turn is never two; a problem that came back may turn the same way at the same true moment again."""
    text = problem + after.encode() + at_ns.to_bytes(9, "big", signed=True) + flaps.to_bytes(4, "big")
    return blake2b(text, digest_size=16).digest()


def _returning(
    past: Problem | None, past_opened_ns: int | None, finding: Finding, now_ns: int
) -> Problem | None:
    """The resolved row that this finding continues: the same moment again, or the third turn within an hour."""
    if past is None:
        return None
    flapping = past_opened_ns is not None and now_ns - past_opened_ns <= HOUR_NS
    if flapping or past.problem_id == problem_id(finding.identity, finding.since_ns):
        return replace(past, state="forming", bad=0, good=0, good_ns=None)
    return None


def _begun(finding: Finding, past: Problem | None) -> Problem:
    return Problem(
        problem_id=problem_id(finding.identity, finding.since_ns),
        identity=finding.identity,
        kind=finding.kind,
        type=finding.type,
        environment=finding.environment,
        step=finding.step,
        system=finding.system,
        fingerprint=finding.fingerprint,
        title="",
        why="",
        severity=finding.severity,
        state="forming",
        flows=0,
        all_flows=0,
        first_ns=finding.since_ns,
        last_ns=finding.last_ns,
        opened_ns=finding.since_ns,
        resolved_ns=None,
        bad=0,
        good=0,
        good_ns=None,
        flaps=0,
        cause_id=None,
        # A mute until a time is kept over a resolve: whoever said "until tomorrow" meant the night.
        quieted=past.quieted if past else None,
        evidence={},
    )


def _told(problem: Problem, finding: Finding) -> Problem:
    """The row with what the finding says now."""
    evidence = dict(finding.evidence)
    if finding.good_looks > 1:
        evidence["good_looks"] = finding.good_looks
    if finding.causes_system:
        evidence["causes_system"] = finding.causes_system
    if finding.follows:
        evidence["follows"] = finding.follows.hex()
    # A window that moves on moves no beginning.
    stays = not finding.flows and problem.state != "forming"
    return replace(
        problem,
        kind=finding.kind,
        # Of an error these may change without its being another.
        type=finding.type,
        step=finding.step,
        system=finding.system,
        title=finding.title,
        why=f"{finding.why} {COMES_AND_GOES}".strip() if problem.flaps else finding.why,
        severity=finding.severity,
        flows=finding.count or len(finding.flows),
        first_ns=min(problem.first_ns, finding.since_ns) if stays else finding.since_ns,
        last_ns=max(problem.last_ns, finding.last_ns),
        evidence=evidence,
    )


def _opened(problem: Problem, finding: Finding, now_ns: int) -> tuple[Problem, Turn]:
    quiet = _outlasts(problem.quieted, now_ns)
    state = "muted" if quiet else "open"
    problem = replace(problem, state=state, quieted=problem.quieted if quiet else None, good=0, good_ns=None)
    if problem.resolved_ns is None:
        at_ns = min(finding.since_ns, now_ns)
        problem, before, after = replace(problem, opened_ns=at_ns), "forming", "open"
    else:
        at_ns = min(max(finding.since_ns, problem.resolved_ns), now_ns)
        why = problem.why if problem.flaps else f"{problem.why} {COMES_AND_GOES}".strip()
        problem = replace(problem, resolved_ns=None, flaps=problem.flaps + 1, why=why)
        before, after = "resolved", "reopened"
    # Who muted it until a time is not told of it before.
    return problem, Turn(before, "muted" if quiet else after, at_ns, _sentence(problem), problem.evidence)


def _outlasts(quieted: Mapping[str, Any] | None, now_ns: int) -> bool:
    """Whether a person's word holds although the problem resolved: a mute until a time that is still to come."""
    until = (quieted or {}).get("until") or {}
    return (quieted or {}).get("what") == "mute" and int(until.get("time_ns", 0)) > now_ns


def _sentence(problem: Problem) -> str:
    return f"{problem.title}. {problem.why}".strip()
