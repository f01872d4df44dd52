"""Transitions and state lanes."""

import pytest

from tests.forests import sid
from timeline.layout.moves import Assertion, Band, lanes, transitions
from tracing.records import FIRST_NS

IN_2554 = 2**63 - 1


def said(time: int, state: str, system: str = "shop") -> Assertion:
    """At `time` ns of a day with a date; 0 and 2554 stay what they are."""
    dated = time if time in (0, IN_2554) else FIRST_NS + time
    return Assertion(dated, bytes([time % 251]), state, system, b"t" * 16, sid("a"), 0)


IN_2554 = 2**63 - 1


def test_only_changes_are_transitions() -> None:
    told_in_disorder = [
        said(5, "paid"),
        said(1, "new"),
        said(2, "new"),
        said(3, "paid"),
        said(4, "open", "wms"),
    ]
    moves = transitions(told_in_disorder)
    assert [(move.time - FIRST_NS, move.system, move.before, move.state, move.ordinal) for move in moves] == [
        (1, "shop", None, "new", 1), (3, "shop", "new", "paid", 2), (4, "wms", None, "open", 1),
    ]  # fmt: skip
    assert [(lane.system, lane.bands) for lane in lanes(moves)] == [
        ("shop", [Band("new", FIRST_NS + 1, FIRST_NS + 3, 0), Band("paid", FIRST_NS + 3, None, 1)]),
        ("wms", [Band("open", FIRST_NS + 4, None, 2)]),
    ]


@pytest.mark.parametrize("wrong", [0, IN_2554])
def test_what_a_wrong_clock_said_comes_first_as_in_the_stored_state(wrong: int) -> None:
    moves = transitions([said(5, "paid"), said(wrong, "lost"), said(7, "paid")])
    assert [(move.time, move.before, move.state) for move in moves] == [
        (wrong, None, "lost"), (FIRST_NS + 5, "lost", "paid"),
    ]  # fmt: skip
    assert lanes(moves)[0].bands == [Band("lost", 0, FIRST_NS + 5, 0), Band("paid", FIRST_NS + 5, None, 1)]
