"""Illegal and backward transitions, and which system is behind which."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import sid
from timeline.layout.manner import ANY, Lag, Manner, lags, manner, oddity
from timeline.layout.moves import Assertion, transitions
from timeline.layout.tables import Move
from tracing.records import FIRST_NS

PHASES = [["created"], ["paid", "authorised"], "reserved", ["shipped"]]
ORDER = manner(PHASES, [["created", "paid"], ["paid", "shipped"]], [["cancelled", "shipped"]])
PHASED = manner(PHASES, [], [])


def moves(*told: tuple[int, str, str]) -> list[Move]:
    return transitions(
        Assertion(FIRST_NS + at, bytes([at]), state, system, b"t" * 16, sid("a"), 0)
        for at, system, state in told
    )


@pytest.mark.parametrize(
    ("before", "state", "told", "expected"),
    [
        (None, "shipped", ORDER, ""),
        ("created", "paid", ORDER, ""),
        ("created", "shipped", ORDER, "illegal"),
        ("paid", "created", PHASED, "backward"),
        ("paid", "authorised", PHASED, ""),
        ("paid", "lost", PHASED, ""),
        ("paid", "created", ANY, ""),
    ],
)
def test_each_transition_is_held_against_what_is_allowed(
    before: str | None, state: str, told: Manner, expected: str
) -> None:
    assert oddity(before, state, told) == expected


SHOP_AHEAD = moves((1, "shop", "created"), (2, "shop", "paid"), (3, "wms", "created"), (4, "shop", "shipped"))


@pytest.mark.parametrize(
    ("told", "how", "expected"),
    [
        (SHOP_AHEAD, PHASED, {"wms": Lag("behind", "shop", "shipped", FIRST_NS + 3)}),
        (SHOP_AHEAD, ANY, {"wms": Lag("behind", "shop", "shipped", FIRST_NS + 3)}),
        (moves((1, "shop", "paid"), (2, "wms", "picking")), ANY, {}),
        (moves((1, "shop", "paid"), (2, "wms", "paid")), PHASED, {}),
        # Each went through what the other says: nobody can tell who is ahead.
        (moves((1, "a", "x"), (2, "b", "y"), (3, "a", "y"), (4, "b", "x")), ANY, {}),
        (
            moves((1, "shop", "cancelled"), (2, "wms", "shipped")),
            ORDER,
            {
                "shop": Lag("conflict", "wms", "shipped", FIRST_NS + 2),
                "wms": Lag("conflict", "shop", "cancelled", FIRST_NS + 2),
            },
        ),
        # It caught up.
        (
            moves((1, "shop", "created"), (2, "shop", "paid"), (3, "wms", "created"), (4, "wms", "paid")),
            PHASED,
            {},
        ),
        # Two are ahead: the one that has been for longer is named.
        (
            moves((1, "wms", "created"), (2, "shop", "paid"), (3, "billing", "authorised")),
            PHASED,
            {"wms": Lag("behind", "shop", "paid", FIRST_NS + 2)},
        ),
    ],
)
def test_who_is_behind_whom(told: list[Move], how: Manner, expected: dict[str, Lag]) -> None:
    assert lags(told, how) == expected


def test_a_clock_that_ran_off_dates_no_lag() -> None:
    told = [
        Move(2**63 - 1, "wms", 1, "created", None, b"", b"", 0),
        Move(2**63 - 1, "shop", 1, "paid", None, b"", b"", 0),
    ]
    assert lags(told, PHASED) == {"wms": Lag("behind", "shop", "paid", 0)}


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_whatever_is_stored_is_read(told: Any) -> None:
    assert isinstance(manner(told, told, told), Manner)
