"""Assertions into transitions and into the bands of the state lane.

What is a transition follows from all assertions in the order of `tracing.sums.order_of`, which also chose the stored
state: a time in a catch-all range comes before all others. `timeline.queries.systems` says the same in SQL.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from timeline.layout.manner import ANY, Lag, Manner, lags, oddity
from timeline.layout.tables import Move
from tracing.records import is_plausible
from tracing.watch.moving import changes


class Assertion(NamedTuple):
    valid_ns: int
    digest: bytes
    state: str
    system: str
    trace_id: bytes
    record_id: bytes
    day: int


class Band(NamedTuple):
    """One state of one system. `start` is 0 where its clock was wrong, `end` None while it lasts; `tone` counts from 0."""

    state: str
    start: int
    end: int | None
    tone: int
    odd: str = ""  # illegal or backward, as it was entered


class Lane(NamedTuple):
    system: str
    bands: list[Band]
    lag: Lag | None = None


def transitions(assertions: Iterable[Assertion]) -> list[Move]:
    """Where each system's statement changed, in the order in which one replaces another."""
    count: Counter[str] = Counter()
    moves = []
    for told, before in changes(assertions):
        count[told.system] += 1
        moves.append(
            Move(
                told.valid_ns, told.system, count[told.system], told.state, before,
                told.trace_id, told.record_id, told.day,
            )
        )  # fmt: skip
    return moves


def lanes(moves: Sequence[Move], manner: Manner = ANY) -> list[Lane]:
    """One lane a system, in order of its first statement; with what it differs in from another system now."""
    tones: dict[str, int] = {}
    by_system: dict[str, list[Move]] = {}
    for move in moves:
        tones.setdefault(move.state, len(tones))
        by_system.setdefault(move.system, []).append(move)
    apart = lags(moves, manner)
    return [
        Lane(system, _bands(told, tones, manner), apart.get(system)) for system, told in by_system.items()
    ]


def _bands(moves: Sequence[Move], tones: dict[str, int], manner: Manner) -> list[Band]:
    # What a clock from the year 2554 said is in force before anything that can be dated.
    starts = [move.time if is_plausible(move.time) else 0 for move in moves]
    return [
        Band(move.state, start, end, tones[move.state], oddity(move.before, move.state, manner))
        for move, start, end in zip(moves, starts, [*starts[1:], None], strict=True)
    ]
