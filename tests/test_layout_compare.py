"""Two flows aligned by step: the same ones together, the others alone, each exactly once."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.layout.compare import Pair, Step, aligned

MS = 1_000_000


def tree(text: str) -> list[Step]:
    """`a(b c(d)) e`: steps by their letters."""
    stack: list[list[Step]] = [[]]
    for sign in text.replace(" ", ""):
        if sign == "(":
            stack.append(stack[-1][-1].steps)
        elif sign == ")":
            stack.pop()
        else:
            stack[-1].append(Step(sign))
    return stack[0]


def said(pairs: Iterable[Pair]) -> str:
    return " ".join(
        "." * pair.depth
        + f"{pair.first.label if pair.first else '-'}{pair.second.label if pair.second else '-'}"
        for pair in pairs
    )


CASES = {
    "nothing": ("", "", ""),
    "the same": ("a(b c)", "a(b c)", "aa .bb .cc"),
    "one more": ("a(b c)", "a(b x c)", "aa .bb .-x .cc"),
    "one less": ("a(b x c)", "a(b c)", "aa .bb .x- .cc"),
    "one more at the end": ("a(b)", "a(b x(y))", "aa .bb .-x ..-y"),
    "tries": ("a(t)", "a(t t t)", "aa .tt .-t .-t"),
    "another order": ("a(b c)", "a(c b)", "aa .bb .cc"),
    "another order and one more": ("a(b c)", "a(c x b)", "aa .-x .bb .cc"),
    "only one": ("a(b)", "", "a- .b-"),
    "only the other": ("", "a(b)", "-a .-b"),
    "nothing alike": ("a(b)", "c(d)", "a- .b- -c .-d"),
}


@pytest.mark.parametrize("name", CASES)
def test_aligned(name: str) -> None:
    first, second, expected = CASES[name]
    assert said(aligned(tree(first), tree(second))) == expected


TREES = st.recursive(st.just(""), lambda inner: st.lists(st.tuples(st.sampled_from("abc"), inner), max_size=4).map(
    lambda parts: "".join(f"{name}({below})" if below else name for name, below in parts)
), max_leaves=12)  # fmt: skip


@given(TREES, TREES)
def test_every_step_stands_once(first: str, second: str) -> None:
    pairs = list(aligned(tree(first), tree(second)))
    for side, text in (("first", first), ("second", second)):
        told = [step.label for pair in pairs if (step := getattr(pair, side))]
        assert sorted(map(str, told)) == sorted(text.replace("(", "").replace(")", ""))


@given(TREES)
def test_a_flow_differs_in_nothing_from_itself(text: str) -> None:
    assert all(pair.first and pair.second and not pair.differs for pair in aligned(tree(text), tree(text)))


@pytest.mark.parametrize(
    ("one", "other", "differs", "longer"),
    [
        (Step("a", 0, 100 * MS), Step("a", 0, 110 * MS), False, 10 * MS),
        (Step("a", 0, 100 * MS), Step("a", 0, 140 * MS), True, 40 * MS),
        (Step("a", 0, 2 * MS), Step("a", 0, 9 * MS), False, 7 * MS),
        (Step("a", 0, 2 * MS), Step("a", 0, 2 * MS, failed=True), True, 0),
        (Step("a", 0), Step("a", 0, 5), False, None),
        (Step("a", 0, 5), None, True, None),
    ],
)
def test_what_differs(one: Step, other: Step | None, differs: bool, longer: int | None) -> None:
    pair = Pair(one, other, 0)
    assert (pair.differs, pair.longer_ns) == (differs, longer)
