"""What a flow waits for and until when, by each source of a deadline but its rhythm (pure).

`judging` asks them in order. Times are the sender's clock; `late_ns` is where a person would begin to ask, `stuck_ns`
where as much time has passed again.
"""

from collections.abc import Sequence

from tracing.lengths import SECOND_NS
from tracing.watch.lore import Lore
from tracing.watch.rulings import Ruling
from tracing.watch.standing import Course, Expectation, Pace, Stated, Step, Way

# A step may be said to begin while the record that promised it has not ended yet.
SLACK_NS = 300 * SECOND_NS
# How long after its promised time a try, a step or an end may come without a question.
PROMISE_GRACE_NS = SECOND_NS
LEAST_STUCK_NS = 60 * SECOND_NS
TYPE_FACTOR = 3
LIKELY = 0.5


def by_statement(course: Course, step: Step) -> Expectation | None:
    """The earliest promise of the flow that was not kept yet."""
    latest: dict[tuple[str, str], Stated] = {}
    for told in sorted(course.stated, key=lambda one: (one.said_ns, one.by_ns)):
        latest[told.what, told.operation] = told
    left = [one for one in latest.values() if not _is_kept(one, course, step)]
    if not left:
        return None
    told = min(left, key=lambda one: (one.by_ns, one.what))
    return _promised(told)


def _is_kept(told: Stated, course: Course, step: Step) -> bool:
    """Whether what was promised came. A deadline is kept by an end only, and an ended flow is not asked."""
    if told.what == "deadline":
        return False
    if told.what == "step" and told.step:
        return any(one.name == told.step and one.at_ns >= told.said_ns - SLACK_NS for one in course.steps)
    if any(name == told.operation and at_ns > told.said_ns for name, at_ns in course.operations):
        return True
    if told.what == "retry" and course.later_ns == step.at_ns:
        # Found by looking around: what a task handed on before it gave up is no try of its own, what comes in time may be.
        return step.at_ns >= told.by_ns - PROMISE_GRACE_NS
    return step.at_ns > told.said_ns


def _promised(told: Stated) -> Expectation:
    # A try is told when it has ended.
    late_ns = told.by_ns + PROMISE_GRACE_NS + told.lasts_ns
    allowed_ns = max(told.by_ns - told.said_ns, 0)
    stuck_ns = late_ns if told.what == "retry" else late_ns + min(max(allowed_ns, SECOND_NS), LEAST_STUCK_NS)
    said = {"deadline": "flow.deadline", "step": "flow.expect", "retry": "retry"}[told.what]
    facts = {
        "said": said,
        "operation": told.operation,
        "attempt": None if told.attempt is None else told.attempt + 1,  # the awaited one
        "most": told.most,
        "by_ns": told.by_ns,
    }
    return Expectation(
        told.step or ("" if told.what != "retry" else told.operation), "" if told.what == "step" else told.system,
        told.said_ns, told.by_ns, late_ns, stuck_ns, "stated", told.what, False,
        {name: value for name, value in facts.items() if value not in (None, "")},
    )  # fmt: skip


def by_rules(course: Course, lore: Lore, step: Step) -> Expectation | None:
    """The earliest deadline that a person's rules set for the flow where it is."""
    found = [_ruled(rule, course, step) for rule in lore.rules(course) if _fits(rule, course, step)]
    return min(found, key=lambda one: one.late_ns, default=None)


def _fits(rule: Ruling, course: Course, step: Step) -> bool:
    if rule.step and rule.step != step.name and not rule.from_start:
        return False
    if rule.from_start and course.first_ns is None:
        return False
    return not (rule.awaited_step and _came(rule, course, step))


def _came(rule: Ruling, course: Course, step: Step) -> bool:
    """Whether the awaited step was there: at any time where it counts from the start, since the step otherwise."""
    from_ns = (course.first_ns or 0) if rule.from_start else step.at_ns
    return any(one.name == rule.awaited_step and one.at_ns >= from_ns for one in course.steps)


def _ruled(rule: Ruling, course: Course, step: Step) -> Expectation:
    since_ns = (course.first_ns or step.at_ns) if rule.from_start else step.at_ns
    allowed_ns = rule.within_ns + rule.grace_ns
    expected_ns, late_ns = rule.add(since_ns, rule.within_ns), rule.add(since_ns, allowed_ns)
    stuck_ns = max(rule.add(since_ns, 2 * allowed_ns), late_ns + SECOND_NS)
    facts = {"rule": rule.words, "within_ns": rule.within_ns}
    return Expectation(
        rule.awaited_step,
        rule.awaited_system,
        since_ns,
        expected_ns,
        late_ns,
        stuck_ns,
        "rule",
        "step",
        False,
        facts,
    )


def by_pace(course: Course, lore: Lore, step: Step) -> Expectation | None:
    """What flows of the type do after this step, if enough of them did it."""
    pace = lore.pace(course, step)
    if pace is None or pace.threshold is None or pace.is_end:
        return None
    # Who drops traces may have dropped the step that is missing, or the one that was followed by another.
    systems = {step.system, likely(pace.ways).system}
    sampled = any(lore.is_sampled(system, course.environment) for system in systems)
    quiet = pace.quiet or pace.level == "p90" or sampled
    return _paced(pace, pace.threshold, step, "learned", quiet)


def by_type(course: Course, lore: Lore, step: Step) -> Expectation | None:
    """Three times what is usual between any two steps of the type: shown, never told."""
    own = lore.pace(course, step)
    pace = lore.whole(course)
    if pace is None or pace.threshold is None or (own is not None and (own.is_end or own.plateau >= 0.05)):
        return None
    return _paced(pace, TYPE_FACTOR * pace.threshold, step, "type", quiet=True)


def _paced(pace: Pace, threshold: int, step: Step, source: str, quiet: bool) -> Expectation:
    way = likely(pace.ways)
    usual = pace.p99 or pace.p95 or pace.p90 or threshold
    late_ns = step.at_ns + threshold
    facts: dict[str, object] = {
        "passed": pace.passed, "waiting": pace.waiting, "within_ns": usual, "threshold_ns": threshold,
        "share": {"p99": 0.99, "p95": 0.95, "p90": 0.9}.get(pace.level or ""), "level": pace.level,
    }  # fmt: skip
    return Expectation(
        way.step, way.system, step.at_ns, min(step.at_ns + usual, late_ns), late_ns, step.at_ns + 2 * threshold,
        source, "step", quiet, facts,
    )  # fmt: skip


def likely(ways: Sequence[Way]) -> Way:
    """The step that follows more often than all others; without a name where none does."""
    if ways and ways[0].share >= LIKELY:
        return ways[0]
    systems = {way.system for way in ways}
    return Way("", systems.pop() if len(systems) == 1 else "", 0.0)


def between(wait: Expectation, told_ns: int, moved_ns: int) -> tuple[str, int, int | None]:
    """The verdict at a time of the sender's clock, since when it holds, and when it changes; None for never."""
    if told_ns < wait.expected_ns:
        return "moving", moved_ns, wait.expected_ns
    if told_ns < wait.late_ns:
        return "due", wait.expected_ns, wait.late_ns
    if told_ns < wait.stuck_ns:
        return "late", wait.late_ns, wait.stuck_ns
    return "stuck", wait.stuck_ns, None
