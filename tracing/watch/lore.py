"""What the judge knows beside one flow: paces, rules, customs, maintenance, blindness, delays (pure).

`loading` reads it from the tables once a round; `judging` and `expecting` ask it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from tracing.watch.customs import USUAL, Customs
from tracing.watch.rulings import Ruling
from tracing.watch.standing import Course, Expectation, Pace, Step

# Of a service whose delay is not known yet: a batch processor's schedule is 5 s, most are quicker.
DELAY_NS = 2_000_000_000
# A minute in which nobody was there says nothing of a wait of two days.
NOTICED = 0.02

PaceKey = tuple[str, str, str, str]  # type, environment, step, source
Stretch = tuple[int, int]


class Pause(NamedTuple):
    """A maintenance. One of `service` and `type` is empty; an empty environment is any."""

    service: str
    type: str
    environment: str
    from_ns: int
    until_ns: int
    reason: str
    name: str

    def covers(self, course: Course, systems: set[str]) -> bool:
        if self.environment and self.environment != course.environment:
            return False
        return self.type == course.type if self.type else self.service in systems

    def as_evidence(self) -> dict[str, Any]:
        whom = {"type": self.type} if self.type else {"service": self.service}
        return {**whom, "reason": self.reason, "name": self.name, "until_ns": self.until_ns}


@dataclass(slots=True)
class Lore:
    paces: Mapping[PaceKey, Pace] = field(default_factory=dict)
    custom: Mapping[str, Customs] = field(default_factory=dict)
    rulings: Mapping[str, Sequence[Ruling]] = field(default_factory=dict)  # by type
    pauses: Sequence[Pause] = ()
    blind: Sequence[Stretch] = ()  # sorted; the last may reach to now
    delays: Mapping[tuple[str, str], int] = field(default_factory=dict)  # (service, environment) -> p99
    sampled: frozenset[tuple[str, str]] = frozenset()

    def customs(self, type: str) -> Customs:
        return self.custom.get(type, USUAL)

    def pace(self, course: Course, step: Step) -> Pace | None:
        return self.paces.get((course.type, course.environment, step.name, course.source))

    def whole(self, course: Course) -> Pace | None:
        """The pace between any two steps of the flow's type."""
        return self.paces.get((course.type, course.environment, "", course.source))

    def rules(self, course: Course) -> list[Ruling]:
        return [
            rule
            for rule in self.rulings.get(course.type, ())
            if not rule.series and rule.environment in ("", course.environment)
        ]

    def delay(self, system: str, environment: str) -> int:
        """How long after its end a record of this service is here, nearly always."""
        return max(self.delays.get((system, environment), DELAY_NS), DELAY_NS)

    def is_sampled(self, system: str, environment: str) -> bool:
        return (system, environment) in self.sampled

    def pause(self, course: Course, now_ns: int) -> Pause | None:
        """The maintenance that holds now for the flow: of its type, or of a system it is at or waits for."""
        systems = self._systems(course)
        held = [
            one for one in self.pauses if one.from_ns <= now_ns < one.until_ns and one.covers(course, systems)
        ]
        return max(held, key=lambda one: one.until_ns, default=None)

    def _systems(self, course: Course) -> set[str]:
        if not course.steps:
            return set()
        step = course.steps[-1]
        pace = self.pace(course, step)
        awaited = {way.system for way in pace.ways[:1]} if pace else set()
        return {step.system, *awaited}

    def graced(self, course: Course, wait: Expectation, now_ns: int) -> tuple[Expectation, list[Stretch]]:
        """The expectation with a whole window more after what we could not see of its wait; what that was.

        A wait that was over before we were blind stays over, but gets no worse meanwhile: what ended it may have been
        missed. While we are blind nobody gets worse, however short that is to the wait. Maintenance moves it the same way,
        and hides nothing.
        """
        systems = self._systems(course) | {wait.system}
        paused = [(one.from_ns, one.until_ns) for one in self.pauses if one.covers(course, systems)]
        window_ns = wait.late_ns - wait.since_ns
        blind = [one for one in self.blind if one[1] >= now_ns or one[1] - one[0] >= NOTICED * window_ns]
        unseen = sorted({*paused, *blind})
        late_ns = beyond(unseen, wait.since_ns, wait.late_ns, window_ns)
        stuck_ns = beyond(unseen, late_ns, wait.stuck_ns + late_ns - wait.late_ns, window_ns)
        hidden = [one for one in blind if one[0] < late_ns and one[1] > wait.since_ns]
        return replace(wait, late_ns=late_ns, stuck_ns=stuck_ns), hidden


def beyond(unseen: Sequence[Stretch], since_ns: int, due_ns: int, window_ns: int) -> int:
    """The moment, or a window after the last of the stretches that reach into the wait for it, each as it is moved."""
    for from_ns, until_ns in unseen:
        if from_ns < due_ns and until_ns > since_ns:
            due_ns = max(due_ns, until_ns + window_ns)
    return due_ns
