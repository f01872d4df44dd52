"""Folds, filters and places of rows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneEvent as event
from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import label, node, rows, tables, told_by, whole
from timeline.layout.forest import SPAN, Chapter, Forest, Group
from timeline.layout.growing import grow, with_groups
from timeline.layout.ids import chapter_id, find_node, is_row_id, row_id
from timeline.layout.plan import WHOLE, Fold, plan
from timeline.layout.sieve import Sieve

SMALL = [span("a", 0, 90), span("b", 10, 20, "a", status=2), span("c", 30, 40, "a"), span("d", 32, 34, "c")]
SMALL_EVENTS = [event("d", 0, 33, failed=True)]
SMALL_LOGS = [log(1, 35, "d"), log(2, 70, severity=17)]
MANY = [span("a", 0, 9), *(span(f"x{n}", n, n + 1, "a") for n in range(WHOLE))]


def small() -> Forest:
    return whole(SMALL, SMALL_EVENTS, SMALL_LOGS)


def two(first: list[span], second: list[span]) -> Forest:
    spans = [*first, *(one._replace(trace=1) for one in second)]
    told = tables(spans, SMALL_EVENTS, SMALL_LOGS, traces=2)
    return grow(told, [Chapter("c1", told.traces[0]), Chapter("c2", told.traces[1])])


@pytest.mark.parametrize(
    "fold, expected",
    [
        (
            Fold(),
            ["§c1", "  a", "    b", "    c", "      d", "        d!0", "        #1", "  #2", "§c2", "  z"],
        ),
        (Fold(folded=frozenset({"c1"})), ["§c1", "§c2", "  z"]),
        (Fold(expand=True, folded=frozenset({"c2"})), 9),
    ],
)
def test_chapters_fold(fold: Fold, expected: list[str] | int) -> None:
    told = rows(plan(two(SMALL, [span("z", 5, 6)]), fold))
    assert (len(told) if isinstance(expected, int) else told) == expected


def test_a_flow_too_large_to_show_whole_is_folded_until_opened() -> None:
    forest = two(SMALL, MANY)
    assert rows(plan(forest)) == ["§c1", "§c2"]
    assert len(plan(forest, Fold(opened=frozenset({"c1"})))) == 2 + 7
    assert len(plan(forest, Fold(expand=True))) == 2 + 7 + WHOLE + 1


def test_a_single_chapter_is_open_however_long() -> None:
    assert len(plan(whole(MANY, has_row=True))) == WHOLE + 2


def test_an_unread_chapter_keeps_its_row() -> None:
    forest = grow(tables(), [Chapter("c1", bytes(16), was_read=False, count=3)])
    told = plan(forest, Fold(expand=True))
    assert rows(told) == ["§c1"]
    assert told.is_open(0) is True
    assert plan(forest, Fold(folded=frozenset({"c1"}))).is_open(0) is False


def test_a_span_folds_what_is_below_it() -> None:
    forest = small()
    folded = frozenset({row_id(forest, node(forest, "c"))})
    for expand in (False, True):
        told = plan(forest, Fold(expand, folded=folded))
        assert rows(told) == ["a", "  b", "  c", "#2"]
        assert [told.is_open(int(one)) for one in told.nodes] == [True, None, False, None]


def test_other_versions_and_repeated_exceptions_are_shown_when_everything_is_but_what_is_named() -> None:
    forest = whole(
        [span("a", 0, 9), span("b", 1, 5), span("b", 1, 6, version=1)],
        [event("a", 0, 3)],
        [log(1, 4, "a", exception=7)],
        exceptions=[told_by("a", 0, 7)],
    )
    everything = plan(forest, Fold(expand=True))
    assert rows(everything) == ["a", "  a!0", "    #1", "b", "  b.2"]
    for name, rest in (
        ("a!0", ["a", "  a!0", "b", "  b.2"]),
        ("b", ["a", "  a!0", "    #1", "b"]),
    ):
        named = frozenset({row_id(forest, node(forest, name))})
        assert rows(plan(forest, Fold(expand=True, folded=named))) == rest
        assert rows(plan(forest, Fold(opened=named))) != rows(plan(forest))


@pytest.mark.parametrize(
    "sieve, expected",
    [
        (Sieve(only="errors"), ["a", "  b", "  c", "    d", "      d!0", "#2"]),
        (Sieve(only="logs"), ["a", "  c", "    d", "      #1", "#2"]),
        (Sieve(start=69, end=71), ["a", "#2"]),
        (Sieve(start=10, end=11), ["a", "  b"]),
        (Sieve(start=91), []),
        (Sieve(only="errors", end=20), ["a", "  b"]),
        (Sieve(services=frozenset({"shop"}), only="logs"), ["a", "  c", "    d", "      #1", "#2"]),
        (Sieve(services=frozenset({"wms"})), []),
        (Sieve(status=frozenset({2})), ["a", "  b"]),
        (Sieve(level="warn"), ["#2"]),
        (Sieve(kinds=frozenset({3})), []),
    ],
)
def test_filters_keep_the_path(sieve: Sieve, expected: list[str]) -> None:
    assert rows(plan(small(), Fold(), sieve)) == expected


def test_filtered_chapters_without_a_match_are_left_out() -> None:
    told = rows(plan(two(SMALL, [span("z", 5, 6)]), Fold(), Sieve(only="logs")))
    assert told[0] == "§c1"
    assert "§c2" not in told


def grouped() -> Forest:
    forest = whole(
        [span("a", 0, 9), *(span(name, n, n + 1, "a") for n, name in enumerate("bcde", 1))],
        [event("c", 0, 2)],
    )
    members = np.array([node(forest, name) for name in "bcd"], np.int32)
    return with_groups(forest, [Group("retries", members, np.ones(3, np.bool_), declared=False)])  # fmt: skip


def test_a_group_is_one_row_until_it_is_opened() -> None:
    forest = grouped()
    opened = row_id(forest, node(forest, "{b}"))
    assert rows(plan(forest)) == ["a", "  {b}", "  e"]
    unfolded = ["a", "  {b}", "    b", "    c", "      c!0", "    d", "  e"]
    assert rows(plan(forest, Fold(opened=frozenset({opened})))) == unfolded
    assert rows(plan(forest, Fold(expand=True))) == unfolded
    assert rows(plan(forest, Fold(expand=True, folded=frozenset({opened})))) == ["a", "  {b}", "  e"]
    assert is_row_id(opened)
    assert find_node(forest, opened) == node(forest, "{b}")


def test_a_filter_looks_into_groups() -> None:
    assert rows(plan(grouped(), Fold(), Sieve(start=2, end=2))) == [
        "a",
        "  {b}",
        "    b",
        "    c",
        "      c!0",
    ]


def test_rows_are_found_again() -> None:
    told = plan(small())
    for index in range(len(told)):
        assert told.index_of(told.row_id(index)) == index
    assert told.index_of("l-" + "f" * 32) is None
    assert plan(small(), Fold(), Sieve(only="logs")).index_of(told.row_id(1)) is None


def test_windows_join_without_gap_or_overlap() -> None:
    told = plan(whole(MANY))
    labels = [label(told.forest, int(one)) for one in told.nodes]
    parts = [labels[low:high] for low, high in pairwise(range(0, len(labels) + 99, 99))]
    assert [one for part in parts for one in part] == labels
    assert len(set(labels)) == len(labels) == WHOLE + 1


@pytest.mark.parametrize("service", ["wms", "a/b c", "ü%", "x,y", "."])
def test_chapter_ids_are_row_ids(service: str) -> None:
    assert is_row_id(chapter_id(b"", 20_775, service))
    assert is_row_id(chapter_id(bytes(16), 0, ""))


@given(
    parents=st.lists(st.integers(-1, 11), min_size=1, max_size=12),
    folded=st.sets(st.integers(0, 11)),
    limit=st.integers(1, 5),
)
def test_any_fold_hides_what_is_inside_and_windows_join(
    parents: list[int], folded: set[int], limit: int
) -> None:
    spans = [span(f"s{n}", n, n + 1, f"s{above}" if above >= 0 else "") for n, above in enumerate(parents)]
    forest = whole(spans)
    everything = plan(forest, Fold(expand=True)).nodes.tolist()
    assert sorted(everything) == [forest.node_of(SPAN, row) for row in range(len(spans))]
    chosen = {node for node in everything if forest.row_of(node) in folded}
    told = plan(forest, Fold(expand=True, folded=frozenset(row_id(forest, node) for node in chosen)))
    kept = [node for node in everything if not chosen.intersection(forest.ancestors(node))]
    assert told.nodes.tolist() == kept
    # Each window begins after the last row of the one before, found by its id as a cursor names it.
    windows: list[int] = []
    first = 0
    while first < len(told):
        window = told.nodes[first : first + limit].tolist()
        windows += window
        after = told.index_of(row_id(forest, window[-1]))
        assert after is not None
        first = after + 1
    assert windows == kept
