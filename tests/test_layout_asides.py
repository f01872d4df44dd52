"""Rows that are no records: where they stand, and that they are rows like any other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import rows, tables, whole
from timeline.layout.asides import with_asides
from timeline.layout.belonging import date_chapters
from timeline.layout.forest import ASIDE, Aside, Chapter, Forest
from timeline.layout.growing import grow
from timeline.layout.ids import find_node, is_row_id, row_id
from timeline.layout.plan import Fold, plan
from timeline.layout.sieve import Sieve
from timeline.layout.sorting import sorted_nodes
from timeline.layout.tables import Tables

SMALL = [span("a", 10, 90), span("b", 20, 30, "a"), span("z", 200, 210, trace=1)]


def two_chapters() -> Forest:
    told = tables(SMALL, (), [log(1, 205, severity=17, trace=1)], traces=2)
    forest = grow(told, [Chapter("c1", told.traces[0]), Chapter("c2", told.traces[1])])
    date_chapters(forest)
    for node, chapter in enumerate(forest.chapters):
        forest.times[node] = chapter.start
    return forest


def aside(id: str, start: int, end: int | None = None, row: str = "") -> Aside:
    word = row or {"f": "flip", "m": "notification", "n": "note", "x": "ghost"}[id[0]]
    return Aside(word, id, start, start if end is None else end, id, service="wms")


ASIDES = [aside("x-a", 25, 500), aside("f-1", 100), aside("n-1", 5), aside("m-1", 100), aside("f-2", 300)]


def test_each_stands_after_what_began_no_later_and_what_is_to_come_at_the_end() -> None:
    forest = with_asides(whole(SMALL[:2]), ASIDES)
    assert rows(plan(forest)) == ["?n-1", "a", "  b", "?f-1", "?m-1", "?f-2", "?x-a"]


def test_between_chapters_they_are_rows_of_the_top() -> None:
    forest = with_asides(two_chapters(), ASIDES)
    assert rows(plan(forest)) == [
        "?n-1", "§c1", "  a", "    b", "?f-1", "?m-1", "§c2", "  z", "  #1", "?f-2", "?x-a",
    ]  # fmt: skip
    assert rows(plan(forest, Fold(folded=frozenset({"c1", "c2"})))) == [
        "?n-1", "§c1", "?f-1", "?m-1", "§c2", "?f-2", "?x-a",
    ]  # fmt: skip


def test_a_window_of_time_keeps_them_and_other_filters_ask_for_records() -> None:
    forest = with_asides(two_chapters(), ASIDES)
    assert rows(plan(forest, sieve=Sieve(start=95, end=199))) == ["?f-1", "?m-1", "?x-a"]
    assert rows(plan(forest, sieve=Sieve(only="errors"))) == ["§c2", "  #1"]


def test_a_flow_of_which_no_record_is_left_still_shows_what_was_said() -> None:
    forest = with_asides(grow(Tables([]), []), ASIDES[1:3])
    assert rows(plan(forest)) == ["?n-1", "?f-1"]


def test_they_are_found_by_their_ids_and_sort_like_rows() -> None:
    told = plan(with_asides(two_chapters(), ASIDES))
    for node in np.flatnonzero(told.forest.kinds == ASIDE).tolist():
        name = row_id(told.forest, node)
        assert is_row_id(name)
        assert find_node(told.forest, name) == node
    assert find_node(told.forest, "f-9") is None
    for field in ("start", "took", "service", "status"):
        assert sorted(sorted_nodes(told, field).tolist()) == sorted(told.nodes.tolist())


def test_without_any_the_forest_is_the_same() -> None:
    forest = whole(SMALL[:2])
    assert with_asides(forest, []) is forest


STARTS = st.lists(st.integers(0, 400), max_size=8)


@pytest.mark.parametrize(
    "grown", [lambda: whole(SMALL[:2]), two_chapters, lambda: whole(SMALL[:2], has_row=True)]
)
@given(STARTS)
def test_places_and_nodes_stay_each_others_inverse(grown: type[Forest], starts: list[int]) -> None:
    before = grown()  # type: ignore[call-arg]
    forest = with_asides(before, [aside(f"f-{at}-{start}", start) for at, start in enumerate(starts)])
    order = forest.order
    assert order.nodes[order.places].tolist() == list(range(len(forest)))
    records = [node for node in order.nodes.tolist() if node < len(before)]
    assert records == before.order.nodes.tolist()
    for node in range(len(forest)):
        inside = order.nodes[order.places[node] + 1 : order.places[node] + order.sizes[node]]
        assert all(node in forest.ancestors(one) for one in inside.tolist())
