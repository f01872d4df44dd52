"""What Threadline would say of a type if nobody did: phases, ends, owner, transitions, and what it has to ask (pure).

`tracing.watch.learning` counts what was seen, a person confirms on the type's page, and what was confirmed stands in
`tracing.people.TypeSettings`. A field without a proposal says why.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NamedTuple

from tracing.watch.customs import Customs, is_bad_word
from tracing.watch.standing import Way

ASK_FROM, ASK_UNTIL = 0.05, 0.5  # of flows that stay: below they are stuck, above it is an end
ENOUGH_TO_ASK = 29
SEEN_SHARE = 0.01
ENOUGH_TO_CLOSE = (
    100  # times a state must have been left before a move of 1 % can be told from one never made
)
SAME_RANK = 0.5
OWNS_SHARE = 0.95


class Seen(NamedTuple):
    """A step of the type as it really occurs. `position` is its mean rank in the flows that pass it."""

    name: str
    system: str
    source: str  # state or milestone
    passed: int
    waiting: int
    is_end: bool
    plateau: float
    position: float
    ways: Sequence[Way] = ()


class Question(NamedTuple):
    """Asked once: is a step an end, where part of the flows stay for good?"""

    step: str
    share: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """An empty field is no proposal; `reasons` says why, by field."""

    phases: list[list[str]] = field(default_factory=list)
    good_ends: list[str] = field(default_factory=list)
    bad_ends: list[str] = field(default_factory=list)
    transitions: list[list[str]] = field(default_factory=list)
    incompatible: list[list[str]] = field(default_factory=list)
    owner: str = ""
    questions: list[Question] = field(default_factory=list)
    reasons: Mapping[str, str] = field(default_factory=dict)


def propose(
    seen: Sequence[Seen], said: Mapping[str, Mapping[str, int]], answers: Mapping[str, bool]
) -> Proposal:
    """`said`: of the newest flows, by system and state, how many were told so by it. `answers`: steps, end or not."""
    states = [step for step in seen if step.source == "state"]
    steps = sorted(states or seen, key=lambda step: (step.position, step.name))
    customs = Customs(answers=answers)
    good, bad = _ends(steps, customs)
    owner, no_owner = _owner(said)
    transitions, no_transitions = _transitions(states, {*good, *bad})
    reasons = {"owner": no_owner, "transitions": no_transitions}
    if not states:
        reasons["phases"] = "no flow of this type says a state."
    if not good and not bad:
        reasons["good_ends"] = reasons["bad_ends"] = "no step is known yet where most flows stay."
    phases = _phases([step for step in steps if step.name not in bad]) if states else []
    return Proposal(
        phases=phases,
        good_ends=good,
        bad_ends=bad,
        transitions=transitions,
        incompatible=[[one, other] for one in bad for other in good] if len(said) > 1 else [],
        owner=owner,
        questions=[question for step in steps if (question := _question(step, customs))],
        reasons={name: reason for name, reason in reasons.items() if reason},
    )


def closest(word: str, known: Collection[str]) -> str | None:
    """What a mistyped state probably meant; None where nothing is near."""
    folded = {one.casefold(): one for one in sorted(known)}
    near = get_close_matches(word.casefold(), list(folded), 1, 0.7)
    return folded[near[0]] if near else None


def end_of(step: str, is_end: bool, customs: Customs) -> str:
    """good, bad, or empty where nothing ends: as the judge takes it, a learned end called bad by its word."""
    told = customs.end_of(step)
    if told or not is_end or customs.answers.get(step) is False:
        return told
    return "bad" if is_bad_word(step) else "good"


def _ends(steps: Sequence[Seen], customs: Customs) -> tuple[list[str], list[str]]:
    ends = {step.name: end_of(step.name, step.is_end, customs) for step in steps}
    return [name for name, how in ends.items() if how == "good"], [
        name for name, how in ends.items() if how == "bad"
    ]


def _phases(steps: Sequence[Seen]) -> list[list[str]]:
    """The usual order in ranks: states at about the same place that never follow each other are one rank."""
    ranks: list[list[Seen]] = []
    for step in steps:
        rank = ranks[-1] if ranks else None
        near = rank is not None and step.position - rank[0].position < SAME_RANK
        if rank is not None and near and not any(_follows(one, step) or _follows(step, one) for one in rank):
            rank.append(step)
        else:
            ranks.append([step])
    return [list(dict.fromkeys(step.name for step in rank)) for rank in ranks]


def _follows(step: Seen, other: Seen) -> bool:
    return any(way.step == other.name and way.share >= SEEN_SHARE for way in step.ways)


def _transitions(states: Sequence[Seen], ends: Collection[str]) -> tuple[list[list[str]], str]:
    moving = [step for step in states if step.name not in ends]
    if not moving:
        return [], ""
    fewest = min(moving, key=lambda step: step.passed)
    if fewest.passed < ENOUGH_TO_CLOSE:
        return [], (
            f"`{fewest.name}` was left {fewest.passed} times so far; a move of 1 % is told from one never made"
            f" after {ENOUGH_TO_CLOSE}."
        )
    pairs = {
        (step.name, way.step): None
        for step in sorted(states, key=lambda step: (step.position, step.name))
        for way in step.ways
        if way.share >= SEEN_SHARE and way.step != step.name
    }
    return [list(pair) for pair in pairs], ""


def _owner(said: Mapping[str, Mapping[str, int]]) -> tuple[str, str]:
    """The one system that says every state, each about as often as all systems together."""
    every = {state for states in said.values() for state in states}
    if not every:
        return "", "no flow of this type says a state."
    most = {state: max(states.get(state, 0) for states in said.values()) for state in every}
    owning = [
        system
        for system, states in said.items()
        if all(states.get(state, 0) >= OWNS_SHARE * most[state] for state in every)
    ]
    if len(owning) == 1:
        return owning[0], ""
    return "", "several systems say all of its states." if owning else "no system says all of its states."


def _question(step: Seen, customs: Customs) -> Question | None:
    doubtful = ASK_FROM <= step.plateau <= ASK_UNTIL and not end_of(step.name, step.is_end, customs)
    enough = step.passed + step.waiting >= ENOUGH_TO_ASK
    return (
        Question(step.name, step.plateau)
        if doubtful and enough and step.name not in customs.answers
        else None
    )
