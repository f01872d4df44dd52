"""Assertions into transitions and into the bands of the state lane.

What is a transition follows from all assertions in order of (valid at, digest); nothing is stored as one.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from timeline.layout.bones import Move


class Assertion(NamedTuple):
    valid_ns: int
    digest: bytes
    state: str
    system: str
    trace_id: bytes
    record_id: bytes
    day: int


class Band(NamedTuple):
    """One state of one system. `end` is None while it lasts; `tone` numbers the states of a flow from 0."""

    state: str
    start: int
    end: int | None
    tone: int


class Lane(NamedTuple):
    system: str
    bands: list[Band]


def transitions(assertions: Iterable[Assertion]) -> list[Move]:
    """Where each system's statement changed, in order of time."""
    state: dict[str, str] = {}
    count: dict[str, int] = {}
    moves = []
    for told in sorted(assertions):
        before = state.get(told.system)
        if before == told.state:
            continue
        state[told.system] = told.state
        count[told.system] = count.get(told.system, 0) + 1
        moves.append(
            Move(
                told.valid_ns, told.system, count[told.system], told.state, before,
                told.trace_id, told.record_id, told.day,
            )
        )  # fmt: skip
    return moves


def lanes(moves: Sequence[Move]) -> list[Lane]:
    """One lane a system, in order of its first statement."""
    tones: dict[str, int] = {}
    by_system: dict[str, list[Move]] = {}
    for move in moves:
        tones.setdefault(move.state, len(tones))
        by_system.setdefault(move.system, []).append(move)
    return [Lane(system, _bands(told, tones)) for system, told in by_system.items()]


def _bands(moves: Sequence[Move], tones: dict[str, int]) -> list[Band]:
    ends = [move.time for move in moves[1:]] + [None]
    return [
        Band(move.state, move.time, end, tones[move.state]) for move, end in zip(moves, ends, strict=True)
    ]
