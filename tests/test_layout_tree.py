"""Whatever was sent draws: every record once, in one order, marked where something is wrong."""

import random
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bones import TRACE, chapter, event, log, move, sid, span, told
from timeline.layout.bones import EventBone, LogBone, SpanBone, Told
from timeline.layout.ids import is_row_id
from timeline.layout.story import Fold, plan
from timeline.layout.tree import Tree, extent, grow

FAR = 2**63 - 1

CASES: dict[str, tuple[list[SpanBone], list[str]]] = {
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
        assert told(plan([chapter(grow(order))])) == expected


def test_marks() -> None:
    tree = grow(
        [
            span("a", 0, 1, "x"),
            span("b", 2, 3, "b"),
            span("c", 4, 5),
            span("d", 6, 7, "e"),
            span("e", 7, 8, "d"),
        ]
    )
    assert {tree.spans[node].span_id for node in tree.orphans} == {sid("a")}
    assert {tree.spans[node].span_id for node in tree.cycles} == {sid("b"), sid("d")}


def test_everything_stands_in_its_place_by_time() -> None:
    tree = grow(
        [span("a", 0, 9), span("b", 4, 5, "a")],
        [event("a", 0, 2), event("a", 1, 6), event("b", 0, 4)],
        [log(1, 3, "a"), log(2, 1), log(3, 1, "x"), log(4, 4, "b")],
        [move(1, 9, "a", "paid")],
    )
    assert told(plan([chapter(tree)])) == [
        "a", "  a!0", "  #1", "  b", "    b!0", "    #4", "  a!1", "  >paid", "#2", "#3",
    ]  # fmt: skip
    assert len(tree.loose_logs) == 2


def test_versions_unfold_into_rows_of_their_own() -> None:
    spans = [
        span("t", 0, 3, version=1),
        span("t", 4, 9, version=2),
        span("t", 5, 6, version=3),
        span("k", 1, 2, "t"),
    ]
    tree = grow(spans, [event("t", 0, 1, version=1), event("t", 0, 5, version=2)])
    assert told(plan([chapter(tree)])) == ["t", "  k", "  t!0"]
    expected = ["t", "  t.3", "    t!0", "  k", "  t.2", "  t!0"]
    assert told(plan([chapter(tree)], Fold(expand=True))) == expected
    opened = Fold(opened=frozenset([plan([chapter(tree)]).row_id(0)]))
    assert told(plan([chapter(tree)], opened)) == expected


def test_an_exception_told_again_by_a_log_folds_under_its_event() -> None:
    exceptions = [
        Told(TRACE, sid("a"), bytes(8), 1, 77),
        Told(TRACE, sid("a"), bytes(8), 2, 77),
        Told(TRACE, sid("b"), bytes(8), 0, 5),
    ]
    events = [event("a", 0, 1), event("a", 1, 2), event("a", 2, 3)]
    logs = [
        log(1, 2, "a", exception=77),
        log(2, 4, "a", exception=78),
        log(3, 5, "a"),
        log(4, 6, "a", exception=77),
    ]
    tree = grow([span("a", 0, 9)], events, logs, exceptions=exceptions)
    assert told(plan([chapter(tree)])) == ["a", "  a!0", "  a!1", "  a!2", "  #2", "  #3"]
    assert told(plan([chapter(tree)], Fold(expand=True))) == [
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
    tree = grow([span("a", 0, 9)], [], [log(7, 5, "a")], [said])
    assert told(plan([chapter(tree)])) == ["a", "  #7", "  >paid"]


def test_extent_never_ends_before_it_starts() -> None:
    assert extent(grow([span("a", 5, 1)], [], [log(1, 9)])) == (5, 9)
    assert extent(grow([])) == (0, 0)


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
    st.lists(span_bones, max_size=14, unique_by=lambda bone: (bone.span_id, bone.start, bone.digest)),
    st.lists(event_bones, max_size=5, unique_by=lambda bone: (bone.span_id, bone.ordinal, bone.digest)),
    st.lists(log_bones, max_size=5, unique_by=lambda bone: bone.log_id),
    st.randoms(use_true_random=False),
)
def test_any_records_draw_once_each_and_alike_in_any_order(
    spans: list[SpanBone], events: list[EventBone], logs: list[LogBone], chance: random.Random
) -> None:
    first = _unfolded(grow(spans, events, logs))
    assert len(first) == len(spans) + len(events) + len(logs)
    assert len({row_id for row_id, _ in first}) == len(first)
    assert all(is_row_id(row_id) for row_id, _ in first)
    for records in (spans, events, logs):
        chance.shuffle(records)
    assert _unfolded(grow(spans, events, logs)) == first


def _unfolded(tree: Tree) -> list[tuple[str, int]]:
    whole = plan([chapter(tree)], Fold(expand=True))
    return [(whole.row_id(index), depth) for index, (_, _, depth) in enumerate(whole.places)]
