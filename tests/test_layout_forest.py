"""Whatever was sent draws: every record once, in one order, marked where something is wrong."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneEvent as event
from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import label, move, number, rows, told_by, whole
from timeline.layout.forest import Forest
from timeline.layout.hints import Hint
from timeline.layout.ids import find_node, is_row_id
from timeline.layout.plan import Fold, plan

FAR = 2**63 - 1

CASES: dict[str, tuple[list[span], list[str]]] = {
    "nothing": ([], []),
    "a root with children by time": (
        [span("a", 0, 9), span("c", 5, 6, "a"), span("b", 2, 3, "a"), span("d", 3, 4, "b")],
        ["a", "  b", "    d", "  c"],
    ),
    "two roots": ([span("b", 3, 4), span("a", 0, 1)], ["a", "b"]),
    "a missing parent stands at the top": ([span("a", 0, 9), span("b", 1, 2, "x")], ["a", "b"]),
    "a parent that starts later": ([span("b", 1, 2, "a"), span("a", 5, 9)], ["a", "  b"]),
    "its own parent": ([span("a", 0, 1, "a"), span("b", 0, 1, "a")], ["a", "  b"]),
    "a circle is cut above its earliest": (
        [span("c", 3, 4, "b"), span("a", 1, 2, "c"), span("b", 2, 3, "a")],
        ["a", "  b", "    c"],
    ),
    "a circle with a tail": (
        [span("a", 1, 2, "b"), span("b", 2, 3, "a"), span("t", 0, 1, "b")],
        ["a", "  b", "    t"],
    ),
    "equal starts are settled by id": ([span("b", 1, 1), span("a", 1, 1)], ["a", "b"]),
    "negative and without length": ([span("a", 5, 1), span("b", 5, 5, "a")], ["a", "  b"]),
    "the year 2262 and no time at all": ([span("a", FAR, FAR), span("b", 0, FAR)], ["b", "a"]),
    "versions fold under the latest end": (
        [span("a", 0, 9), span("t", 1, 3, "a", version=1), span("t", 4, 6, "a", version=2)],
        ["a", "  t"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rows(name: str) -> None:
    spans, expected = CASES[name]
    for order in list(permutations(spans))[:24]:
        assert rows(plan(whole(order))) == expected


LEVELS = 200
PENDING: dict[str, tuple[list[span], dict[str, int], list[str]]] = {
    "it stands in for what has not come": (
        [span("r", 0, 90), span("p", 1, 1, "s"), span("c", 2, 3, "s")],
        {"p": number("r")},
        ["r", "  p", "    c"],
    ),
    "as a root": ([span("p", 1, 1, "s"), span("c", 2, 3, "s")], {"p": -1}, ["p", "  c"]),
    "below one that stands in too": (
        [span("p", 0, 0, "s"), span("q", 1, 1, "t"), span("c", 2, 3, "t")],
        {"p": -1, "q": number("s")},
        ["p", "  q", "    c"],
    ),
    "below one that never came": ([span("p", 1, 1, "s")], {"p": number("x")}, ["p"]),
    "folded once it has come": (
        [span("s", 0, 9), span("p", 0, 0, "s"), span("c", 2, 3, "s")],
        {"p": -1},
        ["s", "  c"],
    ),
    "of nobody": ([span("p", 1, 1)], {"p": -1}, ["p"]),
    "of itself": ([span("p", 1, 1, "p")], {"p": -1}, ["p"]),
    "under itself": ([span("p", 1, 1, "s")], {"p": number("p")}, ["p"]),
    "in a circle": (
        [span("p", 1, 1, "s"), span("q", 2, 2, "t")],
        {"p": number("t"), "q": number("s")},
        ["p", "  q"],
    ),
}


@pytest.mark.parametrize("name", PENDING)
def test_what_only_tells_a_beginning(name: str) -> None:
    spans, pending, expected = PENDING[name]
    forest = whole(spans, hints={name: Hint(pending_under=under) for name, under in pending.items()})
    assert rows(plan(forest)) == expected
    assert len(plan(forest, Fold(expand=True))) == len(spans)


def test_deep_trees_are_as_deep() -> None:
    spans = [span(f"s{n}", n, 999 - n, f"s{n - 1}" if n else "") for n in range(LEVELS)]
    told = plan(whole(list(reversed(spans))))
    assert [told.depth(node) for node in told.nodes.tolist()] == list(range(LEVELS))


def test_marks() -> None:
    forest = whole(
        [
            span("a", 0, 1, "x"),
            span("b", 2, 3, "b"),
            span("c", 4, 5),
            span("d", 6, 7, "e"),
            span("e", 7, 8, "d"),
        ]
    )
    nodes = range(forest.bases[1], forest.bases[2])
    assert {label(forest, node) for node in nodes if forest.kin.orphans[forest.row_of(node)]} == {"a"}
    assert {label(forest, node) for node in nodes if forest.kin.cut[forest.row_of(node)]} == {"b", "d"}


def test_everything_stands_in_its_place_by_time() -> None:
    forest = whole(
        [span("a", 0, 9), span("b", 4, 5, "a")],
        [event("a", 0, 2), event("a", 1, 6), event("b", 0, 4)],
        [log(1, 3, "a"), log(2, 1), log(3, 1, "x"), log(4, 4, "b")],
        [move(1, 9, "a", "paid")],
    )
    assert rows(plan(forest)) == [
        "a", "  a!0", "  #1", "  b", "    b!0", "    #4", "  a!1", "  >paid", "#2", "#3",
    ]  # fmt: skip
    assert int(forest.loose.sum()) == 2


def test_versions_unfold_into_rows_of_their_own() -> None:
    spans = [
        span("t", 0, 3, version=1),
        span("t", 4, 9, version=2),
        span("t", 5, 6, version=3),
        span("k", 1, 2, "t"),
    ]
    forest = whole(spans, [event("t", 0, 1, version=1), event("t", 0, 5, version=2)])
    assert rows(plan(forest)) == ["t", "  k", "  t!0"]
    expected = ["t", "  t.3", "    t!0", "  k", "  t.2", "  t!0"]
    assert rows(plan(forest, Fold(expand=True))) == expected
    opened = Fold(opened=frozenset([plan(forest).row_id(0)]))
    assert rows(plan(forest, opened)) == expected


def test_an_exception_told_again_by_a_log_folds_under_its_event() -> None:
    exceptions = [
        told_by("a", 1, 77),
        told_by("a", 2, 77),
        told_by("b", 0, 5),
    ]
    events = [event("a", 0, 1), event("a", 1, 2), event("a", 2, 3)]
    logs = [
        log(1, 2, "a", exception=77),
        log(2, 4, "a", exception=78),
        log(3, 5, "a"),
        log(4, 6, "a", exception=77),
    ]
    forest = whole([span("a", 0, 9)], events, logs, exceptions=exceptions)
    assert rows(plan(forest)) == ["a", "  a!0", "  a!1", "  a!2", "  #2", "  #3"]
    assert rows(plan(forest, Fold(expand=True))) == [
        "a",
        "  a!0",
        "  a!1",
        "    #1",
        "    #4",
        "  a!2",
        "  #2",
        "  #3",
    ]


def test_a_transition_told_by_a_log_stands_beside_it() -> None:
    said = move(1, 5, "")._replace(record_id=(7).to_bytes(16, "big"))
    forest = whole([span("a", 0, 9)], [], [log(7, 5, "a")], [said])
    assert rows(plan(forest)) == ["a", "  #7", "  >paid"]


names = st.sampled_from(["", *"abcdefgh"])
times = st.one_of(st.integers(0, 12), st.sampled_from([0, FAR, 1_795_000_000 * 10**9]))
span_bones = st.builds(
    lambda name, start, end, parent, version: span(name, start, end, parent, version=version),
    st.sampled_from("abcdefgh"), times, times, names, st.integers(0, 2),
)  # fmt: skip
event_bones = st.builds(
    lambda name, n, time: event(name, n, time), st.sampled_from("abcdefgh"), st.integers(0, 3), times
)
log_bones = st.builds(lambda n, time, name: log(n, time, name), st.integers(1, 99), times, names)


@given(
    st.lists(span_bones, max_size=14, unique_by=lambda one: (one.name, one.version)),
    st.lists(event_bones, max_size=5, unique_by=lambda one: (one.name, one.ordinal, one.version)),
    st.lists(log_bones, max_size=5, unique_by=lambda one: one.number),
    st.randoms(use_true_random=False),
)
def test_any_records_draw_once_each_and_alike_in_any_order(
    spans: list[span], events: list[event], logs: list[log], chance: random.Random
) -> None:
    forest = whole(spans, events, logs)
    first = _unfolded(forest)
    assert len(first) == len(forest) - 1 == len(spans) + len(forest.tables.events) + len(logs)
    assert len({row_id for row_id, _ in first}) == len(first)
    assert all(is_row_id(row_id) for row_id, _ in first)
    assert [find_node(forest, row_id) for row_id, _ in first] == plan(
        forest, Fold(expand=True)
    ).nodes.tolist()
    for records in (spans, events, logs):
        chance.shuffle(records)
    assert _unfolded(whole(spans, events, logs)) == first


def _unfolded(forest: Forest) -> list[tuple[str, int]]:
    told = plan(forest, Fold(expand=True))
    return [(told.row_id(index), told.depth(int(node))) for index, node in enumerate(told.nodes)]
