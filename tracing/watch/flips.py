"""Which turns a flow took from its last verdict to this one, and what is written of them (pure).

A flow first looked at when it is stuck was late before; a turn is dated to the true moment, not to when it was noticed.
"""

from hashlib import blake2b
from typing import NamedTuple

from tracing.watch.evidence import why
from tracing.watch.standing import Course, Standing

# Turns that say nothing to anybody: a flow on its way, and one that ended as it should.
IN_ORDER = frozenset({None, "moving", "due"})


class Flip(NamedTuple):
    """A row of `flip`, of a flow."""

    flip_id: bytes
    flow_id: bytes
    at_ns: int
    judged_ns: int
    before: str | None
    after: str
    step: str | None
    system: str | None
    sentence: str


def turns(
    before: str | None, standing: Standing, *, followed: bool = False
) -> list[tuple[str | None, str, int]]:
    """(before, after, true moment) of each turn; none where nothing turned that anybody would want to read.

    That a flow ended is read by who follows it, and where a person ended it.
    """
    after = standing.verdict
    if after == before or (before in IN_ORDER and after in ("moving", "due")):
        return []
    if before in IN_ORDER and after == "ended" and not followed and standing.evidence.get("end") != "closed":
        return []
    wait = standing.expectation
    if after == "stuck" and before != "late" and wait is not None and wait.late_ns < wait.stuck_ns:
        return [(before, "late", wait.late_ns), ("late", "stuck", standing.since_ns)]
    return [(before, after, standing.since_ns)]


def flips(
    course: Course,
    before: str | None,
    standing: Standing,
    judged_ns: int,
    *,
    followed: bool = False,
) -> list[Flip]:
    """The rows of these turns, each with what was to be said of it at its moment."""
    step = standing.step
    return [
        Flip(
            _id(course.flow_id, was, after, at_ns, judged_ns), course.flow_id, at_ns, judged_ns, was, after,
            step.name if step else None, step.system if step else None, sentence(standing, at_ns, course.type),
        )
        for was, after, at_ns in turns(before, standing, followed=followed)
    ]  # fmt: skip


def _id(flow_id: bytes, before: str | None, after: str, at_ns: int, judged_ns: int) -> bytes:
    parts = f"{before}\0{after}\0{at_ns}\0{judged_ns}".encode()
    return blake2b(flow_id + parts, digest_size=16).digest()


def sentence(standing: Standing, now_ns: int, type: str = "") -> str:
    """Why the flow stands as it does, as it is kept with the flip. `type` names what passed: "412 orders"."""
    wait, step = standing.expectation, standing.step
    if standing.verdict == "ended":
        at_ns = step.at_ns if step else standing.since_ns
        return why(step.name if step else "", "", at_ns, now_ns, "", "ended", standing.evidence)
    if wait is None:
        return why("", "", standing.since_ns, now_ns, "", "", standing.evidence)
    facts = {**standing.evidence, "type": type, "quiet": wait.quiet}
    return why(wait.step, wait.system, wait.since_ns, now_ns, wait.source, wait.reason, facts)
