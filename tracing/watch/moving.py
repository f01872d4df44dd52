"""Statements about a flow's state into the steps it took: where one system began to say something else (pure).

The order is that of `tracing.sums.order_of`, which also chose the stored state; `timeline.layout.moves` draws the same
changes.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar

from tracing.flows import AHEAD_NS
from tracing.records import is_plausible
from tracing.sums import order_of
from tracing.watch.standing import Step


class Statement(Protocol):
    """What one system said of a flow's state, and when."""

    @property
    def valid_ns(self) -> int: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def state(self) -> str: ...
    @property
    def system(self) -> str: ...


Said = TypeVar("Said", bound=Statement)


class Told(NamedTuple):
    """One statement."""

    valid_ns: int
    digest: bytes
    state: str
    system: str
    received_ns: int | None = None  # our clock


def changes(statements: Iterable[Said]) -> Iterator[tuple[Said, str | None]]:
    """Where each system's statement changed, in the order in which one replaces another, with what it said before."""
    state: dict[str, str] = {}
    for one in sorted(statements, key=_order):
        before = state.get(one.system)
        if before != one.state:
            state[one.system] = one.state
            yield one, before


def _order(one: Statement) -> tuple[bytes, str]:
    # Equal but for the system: of one record that two services are said to have sent.
    return order_of(one.valid_ns, one.digest, one.state), one.system


def moves(statements: Iterable[Told], *, cut: bool = False) -> tuple[Step, ...]:
    """The steps in order. `cut`: earlier statements were left out, so the first of each system may only repeat one.

    A statement whose time dates nothing is passed over: nobody can wait since the year 2554.
    """
    told = [
        (Step(one.state, one.system, _dated(one)), before)
        for one, before in changes(statements)
        if is_plausible(one.valid_ns)
    ]
    sure = [step for step, before in told if before is not None or not cut]
    return tuple(sure or [step for step, _ in told])


def _dated(one: Told) -> int:
    """When it was said, by a clock that runs no further ahead than it may."""
    return one.valid_ns if one.received_ns is None else min(one.valid_ns, one.received_ns + AHEAD_NS)
