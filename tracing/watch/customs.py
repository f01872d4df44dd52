"""How flows of a type go: their ends, who owns the state, what a person answered (pure).

Until somebody says otherwise the usual words for an end are taken, and the page says that they are assumed.
`lore` makes these from `people.TypeSettings`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tracing.watch.standing import Step

# As frameworks and shops write them, lower case, without separators: Celery, Airflow, Prefect, Temporal, CI, commerce.
GOOD_ENDS = frozenset(
    "done completed complete finished succeeded success successful ok closed delivered fulfilled archived resolved"
    " settled skipped".split()
)
# Of the bad ends those that say that something is broken; the others ended badly, but as somebody decided.
FAILURES = frozenset(
    "failed failure error errored crashed killed lost timedout timeout dead deadlettered upstreamfailed".split()
)
BAD_ENDS = FAILURES | frozenset(
    "aborted bounced canceled cancelled declined denied expired refunded refused rejected revoked terminated"
    " undeliverable voided".split()
)
# Where most flows stay, these ended badly too; as long as nothing is learned they are on their way: to a refund.
BAD_STAYS = BAD_ENDS | {"returned"}
# Two systems' clocks differ: a state said this long after an end still belongs before it.
SKEW_NS = 30_000_000_000


@dataclass(frozen=True, slots=True)
class Customs:
    """Of one type. `good` and `bad` are None where nobody said: the usual words are assumed."""

    good: frozenset[str] | None = None
    bad: frozenset[str] | None = None
    owner: str = ""
    answers: Mapping[str, bool] = field(default_factory=dict)  # step -> whether a person called it an end

    def end_of(self, state: str) -> str:
        """good, bad, or empty where this state ends nothing."""
        if state in self.answers:
            return "good" if self.answers[state] else ""
        if self.good is not None and state in self.good:
            return "good"
        if self.bad is not None and state in self.bad:
            return "bad"
        word = plain(state)
        if self.good is None and word in GOOD_ENDS:
            return "good"
        return "bad" if self.bad is None and word in BAD_ENDS else ""


USUAL = Customs()


def plain(state: str) -> str:
    """A state without case and separators: `TIMED_OUT` is `timedout`."""
    return "".join(letter for letter in state.lower() if letter.isalnum())


def is_bad_word(state: str) -> bool:
    """Whether a state where flows stay says that they ended badly: the whole or a word of it. Without one they ended well.

    `payment_failed`, `PaymentFailed`, `order timed out`.
    """
    words = _words(state)
    pairs = (first + second for first, second in pairwise(words))
    return not BAD_STAYS.isdisjoint({plain(state), *words, *pairs})


def is_bad_end(end: str | None, state: str) -> bool:
    """Whether a flow ended badly in this state. `end`: good, bad, closed, or learned, which its word tells apart."""
    return end == "bad" or (end == "learned" and is_bad_word(state))


def _words(state: str) -> list[str]:
    parted = re.sub(r"([a-z])([A-Z])", r"\1 \2", state)
    return "".join(char if char.isalnum() else " " for char in parted).casefold().split()


def owned(steps: Sequence[Step], customs: Customs) -> Sequence[Step]:
    """The steps that count: the owner system's where a type has one that speaks."""
    own = [step for step in steps if step.system == customs.owner] if customs.owner else []
    return own or steps


def ended(steps: Sequence[Step], customs: Customs) -> tuple[Step, str] | None:
    """The step that ended the flow, and whether well; None where it is open.

    Terminal wins: what another system says within `SKEW_NS` after an end does not reopen the flow, a later step does.
    """
    if not steps:
        return None
    latest_ns = steps[-1].at_ns
    for step in reversed(steps):
        if latest_ns - step.at_ns > SKEW_NS:
            return None
        if how := customs.end_of(step.name):
            return step, how
    return None
