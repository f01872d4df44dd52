"""What a rule or a learned threshold would have raised on the stored past (pure).

`tracing.watch.histories` reads the past; a person sees the answer before a rule is armed. It knows neither blindness
nor maintenance: an alarm here is a stretch that was too long, whoever was to blame. Times are Unix nanoseconds of
the sender's clock, lengths nanoseconds.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tracing.lengths import DAY_NS
from tracing.watch.standing import History

MAX_EXAMPLES = 5
# When so much time has counted since then: a calendar counts open hours only.
Passing = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Terms:
    """What is expected of a flow, as `tracing.watch.expecting.by_rules` takes it. An empty `step` is any.

    Counted from the start, `step` does not matter, and the wait ends with the awaited step or the flow. `ends` are the
    steps after which nothing is expected.
    """

    within_ns: int
    grace_ns: int = 0
    step: str = ""
    awaited_step: str = ""
    from_start: bool = False
    ends: frozenset[str] = frozenset()

    @property
    def length_ns(self) -> int:
        return self.within_ns + self.grace_ns


@dataclass(frozen=True, slots=True)
class Alarm:
    flow_id: bytes
    key: str
    at_ns: int
    recovered_ns: int | None  # when it went on after all


@dataclass(frozen=True, slots=True)
class Result:
    """`waits`: how often there was something to expect; none means that the rule never applied."""

    alarms: tuple[Alarm, ...]
    waits: int
    flows: int
    from_ns: int | None
    until_ns: int | None

    @property
    def recovered(self) -> int:
        return sum(alarm.recovered_ns is not None for alarm in self.alarms)

    @property
    def never_recovered(self) -> int:
        return len(self.alarms) - self.recovered

    @property
    def days(self) -> int:
        """The stretch looked at, in begun days; 0 where there was nothing to look at."""
        if self.from_ns is None or self.until_ns is None:
            return 0
        return max(1, -(-(self.until_ns - self.from_ns) // DAY_NS))

    @property
    def examples(self) -> list[Alarm]:
        """Those that never went on first, the latest of them first."""
        ordered = sorted(self.alarms, key=lambda alarm: (alarm.recovered_ns is not None, -alarm.at_ns))
        return ordered[:MAX_EXAMPLES]

    def as_json(self) -> dict[str, Any]:
        """As it is kept beside the rule that was armed on it."""
        return {
            "alarms": len(self.alarms),
            "recovered": self.recovered,
            "never_recovered": self.never_recovered,
            "days": self.days,
            "flows": self.flows,
            "waits": self.waits,
            "examples": [
                {"flow": alarm.flow_id.hex(), "key": alarm.key, "at": str(alarm.at_ns)}
                for alarm in self.examples
            ],
        }


def plain(since_ns: int, length_ns: int) -> int:
    """Time without a calendar."""
    return since_ns + length_ns


def of_flows(histories: Iterable[History], terms: Terms, passing: Passing = plain) -> Result:
    """Every stretch that would have been called late, one alarm each."""
    told = [history for history in histories if history.steps]
    alarms: list[Alarm] = []
    waits = 0
    for history in told:
        for since_ns, over_ns in _waits(history, terms):
            waits += 1
            at_ns = passing(since_ns, terms.length_ns)
            if at_ns < (history.seen_until_ns if over_ns is None else over_ns):
                alarms.append(Alarm(history.flow_id, history.key, at_ns, over_ns))
    return Result(tuple(alarms), waits, len(told), *_stretch(told))


def of_series(histories: Iterable[History], terms: Terms, passing: Passing = plain) -> Result:
    """Every stretch too long without a flow beginning. An alarm names the flow that began last before it."""
    told = sorted(
        (history for history in histories if history.steps), key=lambda history: history.steps[0].at_ns
    )
    from_ns, until_ns = _stretch(told)
    begins = [(history, history.steps[0].at_ns) for history in told]
    gaps = [(one, at_ns, next_ns) for (one, at_ns), (_, next_ns) in pairwise(begins)]
    alarms = [
        Alarm(one.flow_id, one.key, due_ns, next_ns)
        for one, at_ns, next_ns in gaps
        if (due_ns := passing(at_ns, terms.length_ns)) < next_ns
    ]
    if begins and until_ns is not None:
        last, at_ns = begins[-1]
        if (due_ns := passing(at_ns, terms.length_ns)) < until_ns:
            alarms.append(Alarm(last.flow_id, last.key, due_ns, None))
    return Result(tuple(alarms), len(gaps), len(told), from_ns, until_ns)


def _stretch(histories: Sequence[History]) -> tuple[int | None, int | None]:
    from_ns = min((history.steps[0].at_ns for history in histories), default=None)
    return from_ns, max((history.seen_until_ns for history in histories), default=None)


def _waits(history: History, terms: Terms) -> Iterator[tuple[int, int | None]]:
    """Since when a flow waited, and when the wait was over; None while it lasts."""
    steps = history.steps
    if terms.from_start:
        over = (step.at_ns for step in steps if step.name in terms.ends or step.name == terms.awaited_step)
        yield steps[0].at_ns if history.first_ns is None else history.first_ns, next(over, None)
        return
    for at, step in enumerate(steps):
        if terms.step in ("", step.name) and step.name not in terms.ends and step.name != terms.awaited_step:
            # Where it stands is what is judged: any next step ends the wait, awaited or not.
            yield step.at_ns, steps[at + 1].at_ns if at + 1 < len(steps) else None
