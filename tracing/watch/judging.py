"""The verdict on one flow at one time, from its course and what is known of its type (pure).

Five sources of a deadline, in this order: what the flow stated, a rule, its own heartbeat, what was learned of the
step, what was learned of the whole type. `rounds` asks, writes the answer, and asks again when it says so.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tracing.lengths import HOUR_NS, MINUTE_NS
from tracing.watch.customs import Customs, ended, owned
from tracing.watch.expecting import between, by_pace, by_rules, by_statement, by_type
from tracing.watch.heartbeat import heartbeat
from tracing.watch.lore import Lore
from tracing.watch.standing import Course, Expectation, Standing, Step

# Who waits without a deadline is looked at again once it has waited as long again.
SOONEST_NS, LATEST_NS = MINUTE_NS, 6 * HOUR_NS
# Progress of records without the key is seen by looking.
WRONG_AGAIN_NS = HOUR_NS
# Of eight beats at random six in a hundred look even (simulated), of twenty none: fewer only colour pages.
SURE_INTERVALS = 8
# Where more stay for good a person is asked whether they may, and nobody is called late (`survival.STUCK_BELOW`).
STAYS = 0.05


def judge(course: Course, lore: Lore, now_ns: int) -> Standing:
    """What is to be said of the flow at `now_ns` (our clock)."""
    customs = lore.customs(course.type)
    steps = owned(course.steps, customs)
    step = _latest(steps, course)
    over = _over(course, customs, steps, lore)
    if over is not None:
        return over
    # Who has no step yet is held to what it said, to rules and to its rhythm: nothing is learned of it.
    stands = step or Step("", "", course.last_ns or course.first_ns or now_ns)
    pause = lore.pause(course, now_ns)
    expected = next(_expectations(course, lore, stands), None)
    if pause is not None:
        facts = {"paused_by": pause.as_evidence()}
        return Standing("paused", max(pause.from_ns, stands.at_ns), step, expected, pause.until_ns, facts)
    if expected is None:
        return _unhurried(course, lore, stands, now_ns)
    return _weighed(course, lore, stands, expected, now_ns)


def _latest(steps: Sequence[Step], course: Course) -> Step | None:
    """Where the flow is. Progress found in its whole membership moves the clock, not the name of the step."""
    if not steps:
        return None
    step = steps[-1]
    if course.later_ns is not None and course.later_ns > step.at_ns:
        return step._replace(at_ns=course.later_ns)
    return step


def _over(course: Course, customs: Customs, steps: Sequence[Step], lore: Lore) -> Standing | None:
    """The standing of a flow that ended: by its state, by a person's word, by staying where most stay."""
    closed = course.closed
    if closed is not None and (course.last_ns is None or course.last_ns <= closed.at_ns):
        facts = {"closed": {"reason": closed.reason, "name": closed.name}, "end": "closed"}
        return Standing("ended", closed.at_ns, steps[-1] if steps else None, None, None, facts)
    end = ended(steps, customs)
    if end is not None:
        step, how = end
        return Standing("ended", step.at_ns, step, None, None, {"end": how})
    if steps and _stays(course, customs, steps[-1], lore):
        return Standing("ended", steps[-1].at_ns, steps[-1], None, None, {"end": "learned"})
    return None


def _stays(course: Course, customs: Customs, step: Step, lore: Lore) -> bool:
    """Whether most flows stay at this step, this one says nothing of its future and shows no rhythm."""
    pace = lore.pace(course, step)
    if pace is None or not pace.is_end or customs.answers.get(step.name) is False:
        return False
    told = by_statement(course, step)
    return told is None and by_rules(course, lore, step) is None and _rhythm(course) is None


def _expectations(course: Course, lore: Lore, step: Step) -> Iterator[Expectation]:
    """What is awaited, the surest source first."""
    sources: tuple[Callable[[], Expectation | None], ...] = (
        lambda: by_statement(course, step),
        lambda: by_rules(course, lore, step),
        lambda: _rhythm(course),
        lambda: by_pace(course, lore, step),
        lambda: by_type(course, lore, step),
    )
    for source in sources if step.name else sources[:3]:
        found = source()
        if found is not None:
            yield found


def _rhythm(course: Course) -> Expectation | None:
    """The next beat of a flow that comes again and again."""
    beat = heartbeat(course.beats)
    if beat is None:
        return None
    facts = {"period_ns": beat.period_ns, "beats": beat.intervals + 1}
    return Expectation(
        "", course.steps[-1].system if course.steps else "", beat.last_ns, beat.expected_ns, beat.late_ns, beat.stuck_ns,
        "heartbeat", "heartbeat", beat.intervals < SURE_INTERVALS, facts,
    )  # fmt: skip


def _unhurried(course: Course, lore: Lore, step: Step, now_ns: int) -> Standing:
    """Nothing is expected: too little is known of the step. Looked at ever more rarely."""
    age = max(0, now_ns - step.at_ns)
    pace = lore.pace(course, step) if step.name else None
    facts: dict[str, object] = {
        "learning": {"seen": pace.passed if pace else 0, "needed": pace.needed if pace else 29}
    }
    if pace is not None and pace.plateau >= STAYS:
        facts = {"stays": pace.plateau}
    again_ns = min(max(age, SOONEST_NS), LATEST_NS)
    return Standing("moving", step.at_ns, _named(step), None, now_ns + again_ns, facts)


def _weighed(course: Course, lore: Lore, step: Step, wait: Expectation, now_ns: int) -> Standing:
    """Hold the flow to what is expected, on the sender's clock, with the grace that blindness and maintenance give."""
    delay_ns = lore.delay(wait.system or step.system, course.environment)
    told_ns = now_ns - delay_ns
    graced, hidden = lore.graced(course, wait, now_ns)
    verdict, since_ns, next_ns = between(graced, told_ns, step.at_ns)
    facts = dict(graced.evidence)
    if hidden:
        facts["blind"] = [list(one) for one in hidden]
        if verdict in ("moving", "due") and told_ns >= hidden[0][0]:
            verdict, since_ns, next_ns = "unknown", max(hidden[0][0], wait.since_ns), graced.late_ns
    looks_ns = now_ns + WRONG_AGAIN_NS if next_ns is None else max(next_ns + delay_ns, now_ns + 1)
    return Standing(verdict, since_ns, _named(step), replace(graced, evidence=facts), looks_ns, facts)


def _named(step: Step) -> Step | None:
    return step if step.name else None
