"""Statements about a flow's state into the steps it took: where one system began to say something else (pure).

The order is that of `tracing.sums.order_of`, which also chose the stored state; `timeline.layout.moves` draws the same.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tracing.flows import AHEAD_NS
from tracing.records import is_plausible
from tracing.sums import order_of
from tracing.watch.standing import Step


class Told(NamedTuple):
    """One statement."""

    valid_ns: int
    digest: bytes
    state: str
    system: str
    received_ns: int | None = None  # our clock


def moves(statements: Iterable[Told], *, cut: bool = False) -> tuple[Step, ...]:
    """The steps in order. `cut`: earlier statements were left out, so the first of each system may only repeat one.

    A statement whose time dates nothing is passed over: nobody can wait since the year 2554.
    """
    told = sorted(statements, key=lambda one: order_of(one.valid_ns, one.digest, one.state))
    state: dict[str, str] = {}
    steps: list[Step] = []
    doubtful: list[Step] = []
    for one in told:
        before = state.get(one.system)
        state[one.system] = one.state
        if before == one.state or not is_plausible(one.valid_ns):
            continue
        step = Step(one.state, one.system, _dated(one))
        (doubtful if cut and before is None else steps).append(step)
    return tuple(steps or doubtful)


def _dated(one: Told) -> int:
    """When it was said, by a clock that runs no further ahead than it may."""
    return one.valid_ns if one.received_ns is None else min(one.valid_ns, one.received_ns + AHEAD_NS)
