"""Which siblings fold into one row: tries of each kind, many of the same, and what looks like either and is not."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneSpan as span
from tests.forests import label, node, rows, whole
from timeline.layout.forest import Forest
from timeline.layout.groups import REPEATS, find_groups
from timeline.layout.growing import with_groups
from timeline.layout.hints import Hint
from timeline.layout.ids import row_id
from timeline.layout.plan import Fold, plan
from tracing.facts import NO_RETRY

MS = 1_000_000
CLIENT, SERVER, PRODUCER, CONSUMER = 3, 2, 4, 5
OK, ERROR = 1, 2


def call(name: str, start: int, end: int, parent: str = "r", **more: Any) -> span:
    """A span whose operation is its first letter."""
    return span(name, start * MS, end * MS, parent, operation=ord(name[0]), **more)


def root(**more: Any) -> span:
    return span("r", 0, 1_000 * MS, operation=1, **more)


def grouped(*spans: span, hints: dict[str, Hint] | None = None) -> Forest:
    forest = whole(list(spans), hints=hints)
    return with_groups(forest, find_groups(forest))


def told(forest: Forest) -> list[tuple[str, list[str], bool, str]]:
    """Each group: what it is, its members, whether it is declared, and why."""
    return [
        (one.row, [label(forest, int(member)) for member in one.members], one.declared, one.why)
        for one in forest.groups
    ]


FAILS: dict[str, Any] = {"status": ERROR}
SECOND, THIRD = Hint(attempt=2), Hint(attempt=3)
SAME = "failed, then the same again"
HIDDEN = "several servers under one call"

CASES: dict[str, tuple[list[span], dict[str, Hint], list[tuple[str, list[str], bool, str]]]] = {
    "failed, then ok": (
        [call("a1", 0, 5, **FAILS), call("a2", 9, 12)],
        {},
        [("retries", ["a1", "a2"], False, SAME)],
    ),
    "failed again and again": (
        [call("a1", 0, 5, **FAILS), call("a2", 9, 12, **FAILS), call("a3", 20, 22, **FAILS)],
        {},
        [("retries", ["a1", "a2", "a3"], False, SAME)],
    ),
    "two that went well": ([call("a1", 0, 5), call("a2", 9, 12)], {}, []),
    "a loop in which one fails": (
        [call("a1", 0, 1), call("a2", 2, 3, **FAILS), call("a3", 4, 5), call("a4", 6, 7)],
        {},
        [],
    ),
    "at the same time": ([call("a1", 0, 5, **FAILS), call("a2", 1, 4)], {}, []),
    "of another operation": ([call("a1", 0, 5, **FAILS), call("b1", 9, 12)], {}, []),
    "below another parent": ([call("a1", 0, 5, **FAILS), call("x", 6, 20), call("a2", 9, 12, "x")], {}, []),
    "with others in between": (
        [call("a1", 0, 5, **FAILS), call("b1", 5, 6), call("a2", 9, 12)],
        {},
        [("retries", ["a1", "a2"], False, SAME)],
    ),
    "after a redirect": ([call("a1", 0, 5, facts=NO_RETRY, **FAILS), call("a2", 9, 12)], {}, []),
    "declared after a challenge": ([call("a1", 0, 5, facts=NO_RETRY), call("a2", 9, 12)], {"a2": SECOND}, []),
    "declared, and it went well each time": (
        [call("a1", 0, 5), call("a2", 9, 12), call("a3", 15, 16)],
        {"a2": SECOND, "a3": THIRD},
        [("retries", ["a1", "a2", "a3"], True, "")],
    ),
    "declared anew": (
        [call("a1", 0, 5), call("a2", 9, 12), call("a3", 15, 16), call("a4", 18, 19)],
        {"a1": Hint(1), "a2": SECOND, "a3": Hint(1), "a4": SECOND},
        [("retries", ["a1", "a2"], True, ""), ("retries", ["a3", "a4"], True, "")],
    ),
    "first tries of two things": (
        [call("a1", 0, 5, **FAILS), call("a2", 9, 12)],
        {"a1": Hint(1), "a2": Hint(1)},
        [],
    ),
    "several servers under one client": (
        [
            call("c", 0, 90, kind=CLIENT),
            *(call(f"s{n}", n * 9, n * 9 + 5, "c", kind=SERVER) for n in range(3)),
        ],
        {},
        [("retries", ["s0", "s1", "s2"], False, HIDDEN)],
    ),
    "several servers under one that is no client": (
        [call(f"s{n}", n * 9, n * 9 + 5, kind=SERVER) for n in range(3)],
        {},
        [],
    ),
    "the same message id": (
        [call("m1", 0, 5, kind=CONSUMER), call("m2", 9, 12, kind=CONSUMER)],
        {"m1": Hint(delivery="message id\n7"), "m2": Hint(delivery="message id\n7")},
        [("retries", ["m1", "m2"], False, "the same message id")],
    ),
    "two messages, one failed": (
        [call("m1", 0, 5, kind=CONSUMER, **FAILS), call("m2", 9, 12, kind=CONSUMER)],
        {"m1": Hint(delivery="message id\n7"), "m2": Hint(delivery="message id\n8")},
        [],
    ),
    "the same Kafka offset": (
        [call("m1", 0, 5), call("m2", 9, 12)],
        {name: Hint(delivery="Kafka offset\norders/0/7/g") for name in ("m1", "m2")},
        [("retries", ["m1", "m2"], False, "the same Kafka offset")],
    ),
    "a Temporal activity, run again": (
        [call("t1", 0, 5, kind=SERVER, **FAILS), call("t2", 9, 12, kind=SERVER)],
        {name: Hint(delivery="Temporal activity\nw/r/1") for name in ("t1", "t2")},
        [("retries", ["t1", "t2"], False, "the same Temporal activity")],
    ),
    "Celery's staircase": (
        [
            call("p1", 0, 1, kind=PRODUCER),
            call("k1", 2, 4, "p1", kind=CONSUMER),
            call("p2", 3, 4, "k1", kind=PRODUCER),
            call("k2", 9, 10, "p2", kind=CONSUMER),
            call("p3", 9, 10, "k2", kind=PRODUCER),
            call("k3", 20, 21, "p3", kind=CONSUMER),
        ],
        {
            "k1": Hint(None, "message id\nt", "RETRY"),
            "k2": Hint(2, "message id\nt", "RETRY"),
            "k3": Hint(3, "message id\nt", "SUCCESS"),
        },
        [("retries", ["k1", "k2", "k3"], True, "the same message id")],
    ),
    "many of the same": (
        [call(f"q{n}", n * 9, n * 9 + 5) for n in range(REPEATS)],
        {},
        [("repeats", [f"q{n}" for n in range(REPEATS)], False, "")],
    ),
    "nearly as many": ([call(f"q{n}", n * 9, n * 9 + 5) for n in range(REPEATS - 1)], {}, []),
    "many of two kinds in turn": (
        [call(f"{'uv'[n % 2]}{n}", n * 9, n * 9 + 5) for n in range(2 * REPEATS)],
        {},
        [
            ("repeats", [f"u{n}" for n in range(0, 2 * REPEATS, 2)], False, ""),
            ("repeats", [f"v{n}" for n in range(1, 2 * REPEATS, 2)], False, ""),
        ],
    ),
    "many that failed before one went well are tries": (
        [call(f"q{n}", n * 9, n * 9 + 5, status=ERROR if n < REPEATS else OK) for n in range(REPEATS + 1)],
        {},
        [("retries", [f"q{n}" for n in range(REPEATS + 1)], False, SAME)],
    ),
    "tries among many": (
        [call(f"q{n}", n * 9, n * 9 + 5) for n in range(REPEATS + 2)],
        {"q4": SECOND},
        [
            ("retries", ["q3", "q4"], True, ""),
            ("repeats", [f"q{n}" for n in range(REPEATS + 2) if n not in (3, 4)], False, ""),
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_groups(name: str) -> None:
    spans, hints, expected = CASES[name]
    shuffled = [root(), *spans]
    for seed in range(5):
        forest = grouped(*shuffled, hints=hints)
        assert told(forest) == expected
        random.Random(seed).shuffle(shuffled)


def test_a_staircase_is_flat_once_it_is_one_group() -> None:
    spans, hints, _ = CASES["Celery's staircase"]
    forest = grouped(root(), *spans, hints=hints)
    assert rows(plan(forest)) == ["r", "  p1", "    {k1}"]
    unfolded = Fold(opened=frozenset({plan(forest).row_id(2)}))
    assert rows(plan(forest, unfolded)) == [
        "r", "  p1", "    {k1}", "      k1", "        p2", "      k2", "        p3", "      k3",
    ]  # fmt: skip
    [group] = forest.groups
    assert group.failed.tolist() == [True, True, False]


def test_what_does_not_belong_to_the_flow_is_in_no_group() -> None:
    forest = whole([root(), *(call(f"q{n}", n * 9, n * 9 + 5) for n in range(REPEATS))])
    forest.shown[node(forest, "q3")] = False
    assert find_groups(forest) == []


def test_a_group_stands_where_its_first_member_did_and_covers_all() -> None:
    forest = grouped(root(), call("b", 1, 2), call("a1", 3, 5, **FAILS), call("a2", 9, 12), call("c", 20, 21))
    assert rows(plan(forest)) == ["r", "  b", "  {a1}", "  c"]
    group = node(forest, "{a1}")
    assert (forest.times[group], forest.ends[group]) == (3 * MS, 12 * MS)


spans_of_any_kind = st.builds(
    lambda name, start, took, parent, status, kind, facts: call(
        name, start, start + took, parent, status=status, kind=kind, facts=facts
    ),
    st.sampled_from([f"{letter}{n}" for letter in "ab" for n in range(9)]),
    st.integers(0, 50), st.integers(0, 9), st.sampled_from(["r", "a0", "b0", "x", ""]), st.sampled_from([0, 1, 2]),
    st.sampled_from([1, 2, 3, 5]), st.sampled_from([0, NO_RETRY]),
)  # fmt: skip
any_hints = st.dictionaries(
    st.sampled_from([f"{letter}{n}" for letter in "ab" for n in range(9)]),
    st.builds(
        Hint, st.sampled_from([None, 1, 2, 3]), st.sampled_from(["", "message id\n1", "message id\n2"])
    ),
)


@given(
    st.lists(spans_of_any_kind, max_size=18, unique_by=lambda one: one.name),
    any_hints,
    st.randoms(use_true_random=False),
)
def test_any_spans_unfold_once_each_and_alike_in_any_order(
    spans: list[span], hints: dict[str, Hint], chance: random.Random
) -> None:
    forest = grouped(root(), *spans, hints=hints)
    opened = Fold(opened=frozenset(row_id(forest, one) for one in range(len(forest))))
    first = rows(plan(forest, opened))
    spans_shown = [row.strip() for row in first if "{" not in row]
    assert sorted(spans_shown) == sorted(one.name for one in [root(), *spans])
    chance.shuffle(spans)
    again = grouped(root(), *spans, hints=hints)
    assert rows(plan(again, opened)) == first
    assert told(again) == told(forest)
