"""How flows of a type go, as a person confirmed it, held against how one went (pure).

Which transitions are illegal or lead backward, and which systems say different things now: one lags behind another, or
both say what may not be said at once. `people.TypeSettings` keeps it, `queries.manners` reads it, `moves` makes lanes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from timeline.layout.tables import Move
from tracing.records import is_plausible
from tracing.watch.incompatible import USUAL, Pairs, conflicts, pairs_of


class Manner(NamedTuple):
    """What is empty restricts nothing; of what may not be said at once there are usual words."""

    ranks: Mapping[str, int] = {}  # state -> its phase, from 0
    allowed: frozenset[tuple[str, str]] = frozenset()
    incompatible: Pairs = USUAL


ANY = Manner()


class Lag(NamedTuple):
    """One system says another thing than a second one: it is `behind` it, or in `conflict` with it."""

    word: str
    other: str
    said: str  # what the other says now
    since_ns: int  # 0 where a clock was wrong


def manner(phases: Any, transitions: Any, incompatible: Any) -> Manner:
    """From JSON as it was stored; what has another shape says nothing."""
    ranks = {
        state: rank
        for rank, phase in enumerate(_list(phases))
        for state in ([phase] if isinstance(phase, str) else _words(phase))
    }
    pairs = [_words(pair) for pair in _list(transitions)]
    return Manner(
        ranks,
        frozenset((pair[0], pair[1]) for pair in pairs if len(pair) == 2),
        pairs_of(incompatible),
    )


def oddity(before: str | None, state: str, manner: Manner) -> str:
    """`illegal`, `backward`, or empty where a system may go from one state to the other."""
    if before is None:
        return ""
    if manner.allowed and (before, state) not in manner.allowed:
        return "illegal"
    first, second = manner.ranks.get(before), manner.ranks.get(state)
    return "backward" if first is not None and second is not None and second < first else ""


def lags(moves: Sequence[Move], manner: Manner) -> dict[str, Lag]:
    """By system, the one it differs from now, conflicts first, then whoever has been ahead for longest.

    A system is behind another when its phase comes before the other's; where phases are not known of both, when the
    other said the same earlier and has gone on to what the first never said.
    """
    now: dict[str, str] = {}
    history: dict[str, set[str]] = {}
    standing: dict[tuple[str, str], tuple[str, int]] = {}
    for move in moves:
        now[move.system] = move.state
        history.setdefault(move.system, set()).add(move.state)
        since_ns = move.time if is_plausible(move.time) else 0
        for pair, word in _differences(move.system, now, history, manner):
            if not word:
                standing.pop(pair, None)
            elif standing.get(pair, ("",))[0] != word:
                standing[pair] = (word, since_ns)
    found: dict[str, Lag] = {}
    ordered = sorted(standing.items(), key=lambda one: (one[1][0] != "conflict", one[1][1], one[0]))
    for (system, other), (word, since_ns) in ordered:
        found.setdefault(system, Lag(word, other, now[other], since_ns))
    return found


def _differences(
    moved: str, now: Mapping[str, str], history: Mapping[str, set[str]], manner: Manner
) -> Iterator[tuple[tuple[str, str], str]]:
    """Each pair of which the one that moved is a part, both ways, and how the first stands to the second."""
    for other in now:
        if other != moved:
            for pair in ((moved, other), (other, moved)):
                yield pair, _difference(pair, now, history, manner)


def _difference(
    pair: tuple[str, str], now: Mapping[str, str], history: Mapping[str, set[str]], manner: Manner
) -> str:
    own, others = now[pair[0]], now[pair[1]]
    if own == others:
        return ""
    if conflicts(own, others, manner.incompatible):
        return "conflict"
    first, second = manner.ranks.get(own), manner.ranks.get(others)
    if first is not None and second is not None:
        return "behind" if first < second else ""
    went_on = own in history[pair[1]] and others not in history[pair[0]]
    return "behind" if went_on else ""


def _list(told: Any) -> Iterable[Any]:
    return told if isinstance(told, list) else []


def _words(told: Any) -> list[str]:
    return [word for word in _list(told) if isinstance(word, str)]
