"""Which two states cannot both be true of a flow at once: the shop says cancelled, the warehouse shipped (pure).

The pairs are those of the type's settings (`people.TypeSettings.incompatible`). A type without any has the usual words:
what is called off cannot have gone out or be done. Refunds are no conflict, they follow a delivery. The problem
(`detectors.conflict`) and the lane on a flow's page (`timeline.layout.manner`) hold to this one rule.
"""

from collections.abc import Iterable
from itertools import product
from typing import Any

Pairs = frozenset[frozenset[str]]
CALLED_OFF = ("cancelled", "canceled", "voided", "aborted")
GONE_OUT = ("shipped", "dispatched", "delivered", "fulfilled", "completed", "done")
USUAL: Pairs = frozenset(frozenset(pair) for pair in product(CALLED_OFF, GONE_OUT))


def pairs_of(told: Any) -> Pairs:
    """As a person wrote them, from JSON, without regard to case and order; what is no pair is left out.

    Where nothing was written at all the usual pairs count.
    """
    if not told or not isinstance(told, list):
        return USUAL
    return frozenset(pair for pair in map(_pair, told) if len(pair) == 2)


def conflicts(one: str, other: str, pairs: Pairs = USUAL) -> bool:
    """Whether two systems may not say these at once; case does not count."""
    return frozenset((one.casefold(), other.casefold())) in pairs


def _pair(told: Any) -> frozenset[str]:
    states: Iterable[Any] = told if isinstance(told, list | tuple) and len(told) == 2 else ()
    return frozenset(state.casefold() for state in states if isinstance(state, str))
