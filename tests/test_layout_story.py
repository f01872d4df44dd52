"""Folds, filters and places of rows; transitions and state lanes."""

import pytest

from tests.bones import chapter, event, log, sid, span, told
from timeline.layout.ids import chapter_id, is_row_id
from timeline.layout.moves import Assertion, Band, lanes, transitions
from timeline.layout.sieve import Sieve
from timeline.layout.story import WHOLE, Fold, plan
from timeline.layout.tree import Tree, grow


def small() -> Tree:
    return grow(
        [span("a", 0, 90), span("b", 10, 20, "a", status=2), span("c", 30, 40, "a"), span("d", 32, 34, "c")],
        [event("d", 0, 33, failed=True)],
        [log(1, 35, "d"), log(2, 70, severity=17)],
    )


def large() -> Tree:
    return grow([span("a", 0, 9), *(span(f"x{n}", n, n + 1, "a") for n in range(WHOLE))])


@pytest.mark.parametrize(
    "fold, expected",
    [
        (
            Fold(),
            ["§c1", "  a", "    b", "    c", "      d", "        d!0", "        #1", "  #2", "§c2", "  z"],
        ),
        (Fold(folded=frozenset({"c1"})), ["§c1", "§c2", "  z"]),
        (Fold(expand=True, folded=frozenset({"c2"})), 10),
    ],
)
def test_chapters_fold(fold: Fold, expected: list[str] | int) -> None:
    chapters = [
        chapter(small(), id="c1", has_row=True),
        chapter(grow([span("z", 5, 6)]), id="c2", has_row=True),
    ]
    rows = told(plan(chapters, fold))
    assert (len(rows) if isinstance(expected, int) else rows) == expected


def test_a_flow_too_large_to_show_whole_is_folded_until_opened() -> None:
    chapters = [chapter(large(), id="c1", has_row=True), chapter(small(), id="c2", has_row=True)]
    assert told(plan(chapters)) == ["§c1", "§c2"]
    assert len(plan(chapters, Fold(opened=frozenset({"c2"}))).places) == 2 + len(small().times)
    assert len(plan(chapters, Fold(expand=True)).places) == 2 + len(small().times) + WHOLE + 1


def test_a_single_chapter_is_open_however_long() -> None:
    assert len(plan([chapter(large(), id="c1", has_row=True)]).places) == WHOLE + 2


def test_an_unread_chapter_keeps_its_row() -> None:
    assert told(plan([chapter(None, id="c1", has_row=True)], Fold(expand=True))) == ["§c1"]


def test_a_span_folds_what_is_below_it() -> None:
    one = chapter(small())
    row_id = next(plan([one]).row_id(index) for index, row in enumerate(told(plan([one]))) if row == "  c")
    assert told(plan([one], Fold(folded=frozenset({row_id})))) == ["a", "  b", "  c", "#2"]


@pytest.mark.parametrize(
    "sieve, expected",
    [
        (Sieve(only="errors"), ["a", "  b", "  c", "    d", "      d!0", "#2"]),
        (Sieve(only="logs"), ["a", "  c", "    d", "      #1", "#2"]),
        (Sieve(start=69, end=71), ["a", "#2"]),
        (Sieve(start=10, end=11), ["a", "  b"]),
        (Sieve(start=91), []),
        (Sieve(only="errors", end=20), ["a", "  b"]),
    ],
)
def test_filters_keep_the_path(sieve: Sieve, expected: list[str]) -> None:
    assert told(plan([chapter(small())], Fold(), sieve)) == expected


def test_filtered_chapters_without_a_match_are_left_out() -> None:
    chapters = [
        chapter(small(), id="c1", has_row=True),
        chapter(grow([span("z", 5, 6)]), id="c2", has_row=True),
    ]
    assert told(plan(chapters, Fold(), Sieve(only="logs")))[0] == "§c1"
    assert "§c2" not in told(plan(chapters, Fold(), Sieve(only="logs")))


def test_rows_are_found_again_with_any_guess() -> None:
    whole = plan([chapter(small())])
    for index in range(len(whole.places)):
        for guess in (-1, 0, index, 10**9):
            assert whole.index_of(whole.row_id(index), guess) == index
    assert whole.index_of("l-" + "f" * 32, 0) is None


@pytest.mark.parametrize("service", ["wms", "a/b c", "ü%", "x,y", "."])
def test_chapter_ids_are_row_ids(service: str) -> None:
    assert is_row_id(chapter_id(b"", 20_775, service))
    assert is_row_id(chapter_id(bytes(16), 0, ""))


def test_only_changes_are_transitions() -> None:
    def said(time: int, state: str, system: str = "shop") -> Assertion:
        return Assertion(time, bytes([time]), state, system, b"t" * 16, sid("a"), 0)

    told_in_disorder = [
        said(5, "paid"),
        said(1, "new"),
        said(2, "new"),
        said(3, "paid"),
        said(4, "open", "wms"),
    ]
    moves = transitions(told_in_disorder)
    assert [(move.time, move.system, move.before, move.state, move.ordinal) for move in moves] == [
        (1, "shop", None, "new", 1), (3, "shop", "new", "paid", 2), (4, "wms", None, "open", 1),
    ]  # fmt: skip
    assert [(lane.system, lane.bands) for lane in lanes(moves)] == [
        ("shop", [Band("new", 1, 3, 0), Band("paid", 3, None, 1)]),
        ("wms", [Band("open", 4, None, 2)]),
    ]
