"""Which turns are told, and when they happened."""

import pytest

from tracing.watch.flips import flips, sentence, turns
from tracing.watch.standing import Course, Expectation, Standing, Step

S = 1_000_000_000
MINUTE = 60 * S
WAIT = Expectation(
    "shipped",
    "wms",
    0,
    60 * S,
    70 * S,
    140 * S,
    "rule",
    "step",
    False,
    {"rule": "shipped within 1 min of paid"},
)


def stands(verdict: str, since: int, wait: Expectation | None = WAIT) -> Standing:
    return Standing(verdict, since * S, Step("paid", "shop", 0), wait, None, wait.evidence if wait else {})


@pytest.mark.parametrize(
    ("before", "verdict", "since", "told"),
    [
        (None, "moving", 0, []),
        ("moving", "due", 60, []),
        ("moving", "ended", 9, []),
        ("due", "late", 70, [("due", "late", 70)]),
        (None, "stuck", 140, [(None, "late", 70), ("late", "stuck", 140)]),
        ("late", "stuck", 140, [("late", "stuck", 140)]),
        ("late", "late", 70, []),
        ("late", "moving", 90, [("late", "moving", 90)]),
        ("stuck", "ended", 90, [("stuck", "ended", 90)]),
        ("moving", "unknown", 50, [("moving", "unknown", 50)]),
        ("unknown", "moving", 50, [("unknown", "moving", 50)]),
        ("moving", "paused", 50, [("moving", "paused", 50)]),
    ],
)
def test_turns(before: str | None, verdict: str, since: int, told: list[tuple[str | None, str, int]]) -> None:
    assert turns(before, stands(verdict, since)) == [(was, after, at * S) for was, after, at in told]


def test_a_promise_that_is_stuck_at_once_turns_once() -> None:
    retry = Expectation("charge", "shop", 0, 60 * S, 61 * S, 61 * S, "stated", "retry", False, {})
    assert turns("moving", stands("stuck", 61, retry)) == [("moving", "stuck", 61 * S)]


def test_each_turn_is_one_row_with_its_reason() -> None:
    course = Course(b"f" * 16, 1, "order", "1", "production", 0, 0)
    told = flips(course, None, stands("stuck", 140), 150 * S)
    assert [(one.before, one.after, one.at_ns, one.step) for one in told] == [
        (None, "late", 70 * S, "paid"), ("late", "stuck", 140 * S, "paid"),
    ]  # fmt: skip
    assert len({one.flip_id for one in told}) == 2
    assert [one.flip_id for one in flips(course, None, stands("stuck", 140), 150 * S)] == [
        one.flip_id for one in told
    ]


def test_the_sentence_of_each_verdict() -> None:
    assert sentence(stands("late", 70), 3 * MINUTE).startswith("Waiting for `shipped` from `wms` for 3 min")
    assert "paid" in sentence(
        Standing("ended", 0, Step("paid", "shop", 0), None, None, {"end": "good"}), MINUTE
    )
    assert sentence(Standing("moving", 0, None, None, None, {"learning": {"seen": 3, "needed": 29}}), MINUTE)
