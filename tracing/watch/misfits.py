"""Whether what a person says of a type agrees with itself, and with what its flows say (pure).

What contradicts itself is refused at its field; a word that no flow has said is told and may be kept: it may be said
tomorrow. `tracing.watch.proposing` makes the other half, what Threadline would say.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from tracing.watch.proposing import closest

LONGEST_STATE = 300
MOST_STATES = 200


@dataclass(frozen=True, slots=True)
class Words:
    """How flows of a type go, as written down; see `tracing.people.TypeSettings`."""

    phases: Sequence[Sequence[str]] = ()
    good_ends: Sequence[str] = ()
    bad_ends: Sequence[str] = ()
    transitions: Sequence[Sequence[str]] = ()
    incompatible: Sequence[Sequence[str]] = ()
    owner: str = ""
    once: Sequence[str] = field(default=())

    @property
    def states(self) -> dict[str, list[str]]:
        """By field, each word once."""
        told = {
            "phases": [state for rank in self.phases for state in rank],
            "good_ends": self.good_ends,
            "bad_ends": self.bad_ends,
            "transitions": [state for pair in self.transitions for state in pair],
            "incompatible": [state for pair in self.incompatible for state in pair],
        }
        return {name: list(dict.fromkeys(states)) for name, states in told.items()}


def misfits(words: Words) -> list[tuple[str, str]]:
    """Fields that contradict themselves or each other, each with a sentence; none where all is well."""
    return [
        *_too_much(words),
        *_two_ranks(words),
        *_two_ends(words),
        *_impossible_moves(words),
        *_impossible_pairs(words),
    ]


def unknown(words: Words, states: Collection[str], systems: Collection[str]) -> list[str]:
    """Sentences on words that no flow of the type has said. Empty where nothing was seen to compare with."""
    told = dict.fromkeys(state for found in words.states.values() for state in found)
    sentences = [_unheard(state, states) for state in told if states and state not in states]
    if words.owner and systems and words.owner not in systems:
        meant = closest(words.owner, systems)
        hint = f"; did you mean `{meant}`?" if meant else "."
        sentences.append(f"No flow of this type was told its state by `{words.owner}`{hint}")
    return [*sentences, *_backward(words)]


def _unheard(state: str, states: Collection[str]) -> str:
    meant = closest(state, states)
    return f"No flow has said `{state}`; did you mean `{meant}`?" if meant else f"No flow has said `{state}`."


def _too_much(words: Words) -> Iterator[tuple[str, str]]:
    for name, states in words.states.items():
        if len(states) > MOST_STATES:
            yield (
                name,
                f"These are {len(states)} states; more than {MOST_STATES} are no order anybody can follow.",
            )
        long = next((state for state in states if len(state) > LONGEST_STATE), None)
        if long:
            yield name, f"`{long[:40]}…` is longer than {LONGEST_STATE} characters."


def _two_ranks(words: Words) -> Iterator[tuple[str, str]]:
    ranks: dict[str, int] = {}
    for number, rank in enumerate(words.phases, 1):
        for state in rank:
            if state in ranks:
                yield (
                    "phases",
                    f"`{state}` stands in line {ranks[state]} and in line {number}; a state has one rank.",
                )
            ranks.setdefault(state, number)


def _two_ends(words: Words) -> Iterator[tuple[str, str]]:
    for state in words.good_ends:
        if state in words.bad_ends:
            yield "bad_ends", f"`{state}` cannot end a flow well and badly."


def _impossible_moves(words: Words) -> Iterator[tuple[str, str]]:
    ends = {*words.good_ends, *words.bad_ends}
    for before, after in words.transitions:
        if before == after:
            yield "transitions", f"`{before} -> {after}` is no move."
        elif before in ends:
            yield "transitions", f"`{before}` ends a flow, so `{before} -> {after}` cannot follow it."


def _impossible_pairs(words: Words) -> Iterator[tuple[str, str]]:
    for one, other in words.incompatible:
        if one == other:
            yield "incompatible", f"`{one}` always agrees with itself; a pair is two different states."


def _backward(words: Words) -> Iterator[str]:
    ranks = {state: number for number, rank in enumerate(words.phases) for state in rank}
    for before, after in words.transitions:
        if before in ranks and after in ranks and ranks[after] < ranks[before]:
            yield f"`{before} -> {after}` goes back by the phases, and is marked as going back although it is allowed."
