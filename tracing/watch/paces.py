"""What flows of the past say of their type: how long they stay at each step, what comes next, and how sure that is (pure).

`histories` reads them, `survival` has the statistics, `learning` keeps what comes of it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from statistics import median
from typing import Any

from tracing.lengths import DAY_NS
from tracing.watch import survival
from tracing.watch.blindness import Stretch, watched_ns
from tracing.watch.customs import Customs, owned
from tracing.watch.standing import History, Pace, Step, Way

DAYS = 14  # looked back
MOST_STEPS, MOST_WAYS = 200, 8
FALSE = 0.01  # of the flows that went on, alarms that would have been false
RECURRING = 1.4  # visits of one step by one flow


@dataclass(slots=True)
class Stays:
    """What was seen of one step. Durations in nanoseconds, each with its age."""

    passed: list[int] = field(default_factory=list)
    passed_ages: list[int] = field(default_factory=list)
    echoed: list[bool] = field(default_factory=list)  # of each that passed: another system only said the same
    waiting: list[int] = field(default_factory=list)
    waiting_ages: list[int] = field(default_factory=list)
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)
    systems: Counter[str] = field(default_factory=Counter)
    places: list[int] = field(default_factory=list)  # which step of its flow it was
    flows: set[bytes] = field(default_factory=set)


def paces_of(
    past: Sequence[History], customs: Customs, blind: Sequence[Stretch], total: int = 0
) -> dict[str, tuple[Pace, dict[str, Any]]]:
    """By step the pace and what else is kept of it; "" is the type as a whole.

    `total`: of how many flows the steps' shares are told, where not all are in `past`.
    """
    stays = stays_of(past, customs, blind)
    if not stays:
        return {}
    life_ns = usual_life_ns(past)
    total = max(total, sum(1 for one in past if one.steps))
    comes_again, young = recurs(past), _is_young(past)
    found = {
        step: _paced(
            told, life_ns, total, comes_again, no_end=customs.answers.get(step) is False, young=young
        )
        for step, told in sorted(stays.items(), key=lambda one: -len(one[1].flows))[:MOST_STEPS]
    }
    whole = Stays()
    for step, told in stays.items():
        if step in found and not found[step][0].is_end:
            whole.passed += told.passed
            whole.passed_ages += told.passed_ages
            whole.waiting += told.waiting
            whole.waiting_ages += told.waiting_ages
            whole.flows |= told.flows
    found[""] = _paced(whole, life_ns, total, comes_again)
    return found


def stays_of(past: Iterable[History], customs: Customs, blind: Sequence[Stretch]) -> dict[str, Stays]:
    """How long flows stayed at each step. Who ended is seen to the end and waits no more."""
    stays: defaultdict[str, Stays] = defaultdict(Stays)
    for history in past:
        steps = owned(history.steps, customs)
        for place, step in enumerate(steps):
            told = stays[step.name]
            told.flows.add(history.flow_id)
            told.places.append(place)
            told.systems[step.system] += 1
            following = steps[place + 1] if place + 1 < len(steps) else None
            if following is None and customs.end_of(step.name):
                continue
            _note(told, step, following, history.seen_until_ns, blind)
            if following is not None:
                told.echoed.append(history.source == "state" and _echoes(step, following))
    return dict(stays)


def _note(
    told: Stays, step: Step, following: Step | None, seen_until_ns: int, blind: Sequence[Stretch]
) -> None:
    age_ns = max(0, seen_until_ns - step.at_ns)
    if following is not None:
        told.passed.append(max(0, following.at_ns - step.at_ns))
        told.passed_ages.append(age_ns)
        told.ways[following.name, following.system] += 1
    else:
        told.waiting.append(watched_ns(step.at_ns, seen_until_ns, blind))
        told.waiting_ages.append(age_ns)


def _echoes(step: Step, following: Step) -> bool:
    """Whether another system says the same state: news of who knows, not of where the flow is."""
    return following.name == step.name and following.system != step.system


def _paced(
    told: Stays,
    life_ns: int | None,
    total: int,
    comes_again: bool,
    *,
    no_end: bool = False,
    young: bool = False,
) -> tuple[Pace, dict[str, Any]]:
    pace = _pace(told, [True] * len(told.passed), life_ns, no_end)
    if pace.plateau >= survival.STUCK_BELOW and any(told.echoed) and not no_end:
        # Whether flows stay is a matter of who went on: a flow that two systems call returned is there for good once.
        pace = _pace(told, [not echo for echo in told.echoed], life_ns, no_end)
    if young:
        pace = replace(pace, is_end=False)
    gone = sum(told.ways.values())
    ways = [Way(step, system, count / gone) for (step, system), count in told.ways.most_common(MOST_WAYS)]
    threshold = pace.threshold
    late = 0 if threshold is None else sum(one > threshold for one in told.passed)
    lost = 0 if threshold is None else sum(one > threshold for one in told.waiting)
    # Tried on what it was learned from: more false alarms than its level promises, and it only colours pages.
    pace = replace(pace, ways=tuple(ways), quiet=comes_again or late > max(1, FALSE * len(told.passed)))
    facts: dict[str, Any] = {
        "p50": pace.p50, "p90": pace.p90, "p95": pace.p95, "p99": pace.p99,
        "needed": pace.needed, "plateau": pace.plateau,
        "ways": [way._asdict() for way in ways],
        "system": told.systems.most_common(1)[0][0] if told.systems else "",
        "share": len(told.flows) / total if total else 0.0,
        "position": sum(told.places) / len(told.places) if told.places else 0.0,
        "flows": len(told.flows),
        "backtest": {"alarms": late + lost, "never_recovered": lost, "days": DAYS},
        "recurs": comes_again, "quiet": pace.quiet,
    }  # fmt: skip
    return pace, facts


def _pace(told: Stays, counts: Sequence[bool], life_ns: int | None, no_end: bool) -> Pace:
    """From those that passed and count, and from all that wait."""
    passed, ages = (list(compress(each, counts)) for each in (told.passed, told.passed_ages))
    weights = survival.weights(ages), survival.weights(told.waiting_ages)
    return survival.pace(passed, told.waiting, *weights, life_ns, no_end=no_end)


def recurs(past: Sequence[History]) -> bool:
    """Whether flows of the type come to the same steps again and again: a customer has no course, an order has.

    Then how long it stays away says nothing of it; its rhythm, rules and its own words do.
    """
    visits = sum(len(one.steps) for one in past)
    places = sum(len({(step.name, step.system) for step in one.steps}) for one in past)
    return places > 0 and visits > RECURRING * places


def _is_young(past: Sequence[History]) -> bool:
    """Whether the type was seen for less than a day: where flows stay is not told from where they have only just come to.

    Learned in the first hours, 120 of 120 ends were taken back the next day (drill). A few that began before, imported
    or sent late, do not make it older.
    """
    began = sorted(one.steps[0].at_ns for one in past if one.steps)
    if not began:
        return True
    return max(one.seen_until_ns for one in past) - began[min(survival.FEWEST, len(began)) // 2] < DAY_NS


def usual_life_ns(past: Sequence[History]) -> int | None:
    """How long a flow of the type is under way, as a rule: the median from its first step to its last."""
    lives = [one.steps[-1].at_ns - one.steps[0].at_ns for one in past if len(one.steps) > 1]
    return int(median(lives)) if lives else None
