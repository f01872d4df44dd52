"""Expectations that Threadline proposes from what it learned of a type, for a person to try, change and arm (pure).

What usually comes after a step and how long that takes, in lengths as people say them. Nothing is armed by it: flows
are held to what was learned anyway, a rule makes it firm.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from timeline.queries.types import LearnedStep
from timeline.steps import StepLine, highest, is_grey
from tracing.lengths import SECOND_NS
from tracing.people import ExpectationRule

DAY_S = 86_400
_PLAIN_S = (
    *(1, 2, 3, 5, 10, 15, 20, 30, 45),
    *(60 * count for count in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(3_600 * count for count in (1, 2, 3, 4, 6, 8, 12, 18)),
    *(DAY_S * count for count in (1, 2, 3, 4, 5, 7, 10, 14, 21, 30)),
)


class Foreseen(NamedTuple):
    rule: ExpectationRule  # not saved
    passed: int  # flows it was learned of


def foreseen(type: str, step: LearnedStep, environment: str = "") -> ExpectationRule | None:
    """What would be expected of flows at the step; None where too little is learned, or they end there."""
    if step.threshold_ns is None or step.is_end:
        return None
    top = highest(step)
    within_ns = step.threshold_ns if top is None else top[1]
    following = step.ways[0] if step.ways else None
    return ExpectationRule(
        type=type,
        environment=environment,
        step=step.step,
        awaited_step=following.step if following else "",
        awaited_system=following.system if following else "",
        within_s=plain(within_ns),
        grace_s=plain(step.threshold_ns - within_ns),
    )


def all_foreseen(
    type: str, lines: Iterable[StepLine], rules: Sequence[ExpectationRule], environment: str = ""
) -> list[Foreseen]:
    """In the order of the steps; not where a rule holds already, and not of what would be shown grey."""
    ruled = {rule.step for rule in rules if rule.subject == ExpectationRule.Subject.FLOW}
    found = []
    for line in lines:
        if line.learned is None or line.end or line.name in ruled or is_grey(line.learned):
            continue
        rule = foreseen(type, line.learned, environment)
        if rule is not None:
            found.append(Foreseen(rule, line.learned.passed))
    return found


def plain(length_ns: int) -> float:
    """Seconds: the length rounded up to one that people say: 15m, 2h, 3d. Nothing stays nothing; years are whole months."""
    if length_ns <= 0:
        return 0.0
    for length_s in _PLAIN_S:
        if length_ns <= length_s * SECOND_NS:
            return float(length_s)
    month_ns = 30 * DAY_S * SECOND_NS
    return float(-(-length_ns // month_ns) * 30 * DAY_S)
