"""Two flows step by step: which steps are the same, which only one of them has, and by how much they differ (pure).

Steps are aligned below steps that are aligned: the nth of one name and service with the nth, in the order of the story.
`timeline.views.compare` makes steps of rows.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Step:
    """One row of a flow. `label` is what makes two steps the same; times are nanoseconds after the flow began."""

    label: Hashable
    at_ns: int | None = None
    took_ns: int | None = None
    failed: bool = False
    row: object = None
    steps: list["Step"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pair:
    """A step of the first flow, of the second, or of both."""

    first: Step | None
    second: Step | None
    depth: int

    @property
    def longer_ns(self) -> int | None:
        """How much longer the second took; None where one of them is missing or took no time."""
        if not self.first or not self.second or self.first.took_ns is None or self.second.took_ns is None:
            return None
        return self.second.took_ns - self.first.took_ns

    @property
    def differs(self) -> bool:
        """Whether a person should look: missing, ended otherwise, or took a fifth and 10 ms more or less."""
        if not self.first or not self.second or self.first.failed != self.second.failed:
            return True
        longer = self.longer_ns
        if longer is None:
            return False
        least = max(10_000_000, max(self.first.took_ns or 0, self.second.took_ns or 0) // 5)
        return abs(longer) >= least


def aligned(first: Sequence[Step], second: Sequence[Step], depth: int = 0) -> Iterator[Pair]:
    """All steps of both, each once, in the order of the first; what only the second has stands where it has it."""
    of_second = _numbered(second)
    place = {label: at for at, (label, _) in enumerate(of_second)}
    known = {label for label, _ in _numbered(first)}
    shown = 0
    for label, step in _numbered(first):
        at = place.get(label)
        if at is None:
            yield from _alone(step, None, depth)
            continue
        for other_label, other in of_second[shown:at]:
            if other_label not in known:
                yield from _alone(None, other, depth)
        shown = max(shown, at + 1)
        other = of_second[at][1]
        yield Pair(step, other, depth)
        yield from aligned(step.steps, other.steps, depth + 1)
    for other_label, other in of_second[shown:]:
        if other_label not in known:
            yield from _alone(None, other, depth)


def _numbered(steps: Sequence[Step]) -> list[tuple[tuple[Hashable, int], Step]]:
    """Each step with its label and which of that label it is."""
    seen: dict[Hashable, int] = {}
    found = []
    for step in steps:
        seen[step.label] = seen.get(step.label, 0) + 1
        found.append(((step.label, seen[step.label]), step))
    return found


def _alone(first: Step | None, second: Step | None, depth: int) -> Iterator[Pair]:
    step = first or second
    yield Pair(first, second, depth)
    for inner in step.steps if step else ():
        yield from _alone(inner if first else None, inner if second else None, depth + 1)
