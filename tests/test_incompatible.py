"""What two systems may not say of a flow at once (`tracing.watch.incompatible`), for its problem and for its lane."""

from typing import Any

import pytest

from timeline.layout.manner import ANY, lags, manner
from timeline.layout.tables import Move
from tracing.watch.detectors import conflict
from tracing.watch.incompatible import USUAL, conflicts, pairs_of

NONE: frozenset[frozenset[str]] = frozenset()
MINUTE = 60_000_000_000
BEGUN = 1_790_000_000_000_000_000


@pytest.mark.parametrize(
    ("told", "pairs"),
    [
        (None, USUAL),
        ([], USUAL),
        ("cancelled", USUAL),
        ([["Refunded", "shipped"]], frozenset({frozenset({"refunded", "shipped"})})),
        ([["odd"], ["a", "A"], ["a", 1], ["a", "b", "c"], "ab", None], NONE),
    ],
)
def test_pairs_as_a_person_wrote_them(told: Any, pairs: frozenset[frozenset[str]]) -> None:
    assert pairs_of(told) == pairs


@pytest.mark.parametrize(
    ("one", "other", "settings"),
    [
        ("cancelled", "shipped", None),
        ("DELIVERED", "Canceled", None),
        ("refunded", "shipped", None),
        ("cancelled", "paid", None),
        ("shipped", "Shipped", None),
        ("Refunded", "SHIPPED", [["refunded", "Shipped"]]),
        ("cancelled", "shipped", [["refunded", "shipped"]]),
    ],
)
def test_lane_and_problem_agree(one: str, other: str, settings: Any) -> None:
    told = pairs_of(settings)
    moves = [
        Move(BEGUN + at, system, 0, state, None, b"", b"", 0)
        for at, system, state in ((0, "shop", one), (1, "wms", other))
    ]
    held = ANY if settings is None else manner([], [], settings)
    said = conflict.Said(b"flow", 1, "order", "production", "shop", one, BEGUN, "wms", other, BEGUN + 1)
    found = conflict.findings([said], {} if settings is None else {"order": told}, BEGUN + 2 * MINUTE)
    expected = conflicts(one, other, told)
    assert bool(found) is expected
    assert any(lag.word == "conflict" for lag in lags(moves, held).values()) is expected
