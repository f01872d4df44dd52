"""The critical path, self times and waits, on small trees."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneSpan as span
from tests.forests import label, node, whole
from timeline.layout.critical import Spans, critical_path, self_times
from timeline.layout.forest import Forest
from timeline.layout.hints import Hint
from timeline.layout.waits import find_waits

MS = 1_000_000
PRODUCER, CONSUMER = 4, 5


def unmoved(forest: Forest) -> Any:
    return np.zeros(len(forest), np.int64)


CASES: dict[str, tuple[list[span], list[tuple[str, int, int]]]] = {
    "alone": ([span("a", 0, 10)], [("a", 0, 10)]),
    "one child": (
        [span("a", 0, 10), span("b", 2, 7, "a")],
        [("a", 0, 2), ("b", 2, 7), ("a", 7, 10)],
    ),
    "one after the other": (
        [span("a", 0, 10), span("b", 1, 4, "a"), span("c", 5, 9, "a")],
        [("a", 0, 1), ("b", 1, 4), ("a", 4, 5), ("c", 5, 9), ("a", 9, 10)],
    ),
    "side by side: who ended last was waited for": (
        [span("a", 0, 10), span("b", 1, 4, "a"), span("c", 1, 9, "a")],
        [("a", 0, 1), ("c", 1, 9), ("a", 9, 10)],
    ),
    "who ended while a later one was waited for held nothing up": (
        [span("a", 0, 10), span("b", 1, 6, "a"), span("c", 5, 9, "a")],
        [("a", 0, 5), ("c", 5, 9), ("a", 9, 10)],
    ),
    "into the grandchildren": (
        [span("a", 0, 10), span("b", 1, 9, "a"), span("c", 2, 8, "b")],
        [("a", 0, 1), ("b", 1, 2), ("c", 2, 8), ("b", 8, 9), ("a", 9, 10)],
    ),
    "what runs on after its parent": (
        [span("a", 0, 10), span("b", 6, 90, "a")],
        [("a", 0, 6), ("b", 6, 10)],
    ),
    "what begins after its parent": ([span("a", 0, 10), span("b", 11, 12, "a")], [("a", 0, 10)]),
    "what began before its parent": ([span("a", 5, 10), span("b", 2, 7, "a")], [("b", 5, 7), ("a", 7, 10)]),
    "without length": ([span("a", 0, 10), span("b", 4, 4, "a")], [("a", 0, 4), ("a", 4, 10)]),
    "negative": ([span("a", 9, 2)], []),
}


@pytest.mark.parametrize("name", CASES)
def test_critical_path(name: str) -> None:
    spans, expected = CASES[name]
    forest = whole(spans)
    drawn = Spans(forest)
    found = [
        (label(forest, forest.bases[1] + one.row), one.start, one.end)
        for root in drawn.roots().tolist()
        for one in critical_path(drawn, root)
    ]
    assert found == expected


@pytest.mark.parametrize(
    ("children", "own"),
    [
        ([], 10),
        ([(2, 7)], 5),
        ([(1, 4), (5, 9)], 3),
        ([(1, 6), (5, 9)], 2),
        ([(1, 9), (2, 3)], 2),
        ([(-5, 3)], 7),
        ([(8, 50)], 8),
        ([(20, 30), (-9, -3)], 10),
        ([(0, 10)], 0),
    ],
)
def test_self_time(children: list[tuple[int, int]], own: int) -> None:
    forest = whole([span("a", 0, 10), *(span(f"b{n}", *one, "a") for n, one in enumerate(children))])
    row = forest.row_of(node(forest, "a"))
    assert self_times(Spans(forest), [row]) == {row: own}


trees = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 9)), max_size=12)


@given(trees)
def test_a_path_covers_its_root_once_and_self_times_never_exceed_their_spans(
    told: list[tuple[int, int, int]],
) -> None:
    spans = [span("r", 0, 60)]
    for number, (start, took, above) in enumerate(told):
        spans.append(span(f"s{number}", start, start + took, spans[above % len(spans)].name))
    forest = whole(spans)
    drawn = Spans(forest)
    path = critical_path(drawn, forest.row_of(node(forest, "r")))
    assert (path[0].start, path[-1].end) == (0, 60)
    assert all(one.end == other.start for one, other in pairwise(path))
    for row, own in self_times(drawn, range(len(spans))).items():
        assert 0 <= own <= drawn.ends[row] - drawn.starts[row]


def test_waits() -> None:
    forest = whole(
        [
            span("p", 0, 5 * MS, kind=PRODUCER),
            span("c", 45 * MS, 50 * MS, "p", kind=CONSUMER),
            span("q", 60 * MS, 90 * MS, kind=PRODUCER),
            span("d", 70 * MS, 80 * MS, "q", kind=CONSUMER),
            span("e", 100 * MS, 110 * MS, kind=CONSUMER),
            span("f", 200 * MS, 210 * MS),
            span("g", 300 * MS, 310 * MS, "p", kind=CONSUMER),
        ],
        hints={"f": Hint(waiting_ns=150 * MS), "g": Hint(waiting_ns=290 * MS)},
    )
    rows = {name: forest.row_of(node(forest, name)) for name in "pcqdefg"}
    found = find_waits(forest, unmoved(forest), [(rows["q"], rows["e"])])
    assert {row: told for row, told in enumerate(found.tolist()) if told} == {
        rows["c"]: 5 * MS,  # since it was sent
        rows["d"]: 60 * MS,  # its sender still worked when it was taken up
        rows["e"]: 90 * MS,  # by a link
        rows["f"]: 150 * MS,  # as it says itself
        rows["g"]: 290 * MS,  # what it says itself stands before what its sender says
    }


def test_a_wait_is_measured_on_corrected_clocks() -> None:
    forest = whole(
        [span("p", 0, 5 * MS, kind=PRODUCER), span("c", 2 * MS, 50 * MS, "p", kind=CONSUMER, service=2)]
    )
    moved = unmoved(forest)
    moved[node(forest, "c")] = 30 * MS
    assert find_waits(forest, moved)[forest.row_of(node(forest, "c"))] == 5 * MS
