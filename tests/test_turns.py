"""A problem's life as conversations: a look found it, did not find it, found it again."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.lengths import HOUR_NS
from tracing.watch.finding import Affected, Finding
from tracing.watch.turns import (
    COMES_AND_GOES,
    Facts,
    Problem,
    Turn,
    flip_id,
    lifted,
    problem_id,
    seen,
    unseen,
)

S = 1_000_000_000


def wait(since: int = 10, kind: str = "late", **values: Any) -> Finding:
    told: dict[str, Any] = {
        "kind": kind, "type": "order", "environment": "production", "step": "paid", "system": "wms",
        "title": "1 order waits", "why": "Learned.", "severity": 2, "since_ns": since * S, "last_ns": since * S,
        "flows": [Affected(b"1", 1, since * S)],
    }  # fmt: skip
    return Finding(**(told | values))


class Life:
    """Looks at one identity, one after the other, as the reconciler makes them."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Problem] = {}
        self.opened: dict[bytes, int] = {}
        self.turns: list[tuple[str, str, int]] = []

    @property
    def standing(self) -> Problem | None:
        return next((row for row in self.rows.values() if row.state != "resolved"), None)

    def keep(self, problem: Problem, turns: list[Turn], now: int) -> None:
        self.rows[problem.problem_id] = problem
        self.turns += [(turn.before, turn.after, turn.at_ns // S) for turn in turns]
        if any(turn.after in ("open", "reopened") for turn in turns):
            self.opened[problem.problem_id] = now * S

    def bad(self, now: int, finding: Finding | None = None) -> Problem:
        over = [row for row in self.rows.values() if row.state == "resolved"]
        last = max(over, key=lambda row: row.resolved_ns or 0, default=None)
        opened = self.opened.get(last.problem_id) if last else None
        problem, turns = seen(self.standing, last, opened, finding or wait(), now * S)
        self.keep(problem, turns, now)
        return problem

    def good(self, now: int, gone: int | None = None) -> Problem | None:
        before = self.standing
        assert before is not None
        problem, turns = unseen(before, None if gone is None else gone * S, now * S)
        if problem is None:
            del self.rows[before.problem_id]
        else:
            self.keep(problem, turns, now)
        return problem


def test_it_opens_at_the_true_moment_and_ends_at_the_true_moment() -> None:
    life = Life()
    opened = life.bad(100)
    assert (opened.state, opened.opened_ns, opened.flows) == ("open", 10 * S, 1)
    life.bad(110)
    over = life.good(120, gone=115)
    assert over is not None
    assert (over.state, over.resolved_ns, over.flows) == ("resolved", 115 * S, 0)
    assert life.turns == [("forming", "open", 10), ("open", "resolved", 115)]


def test_a_flow_that_was_wrong_before_dates_the_opening_back() -> None:
    life = Life()
    life.bad(100, wait(since=50))
    older = life.bad(110, wait(since=10))
    assert (older.opened_ns, older.first_ns) == (10 * S, 10 * S)
    assert life.turns == [("forming", "open", 50)]
    # It went on; that it was wrong stays true.
    assert life.bad(120, wait(since=50)).opened_ns == 10 * S
    # A window that moves on moves no beginning.
    window = Life()
    window.bad(100, wait(since=50, flows=[]))
    assert window.bad(110, wait(since=10, flows=[])).opened_ns == 50 * S


def test_it_forms_until_it_was_seen_often_enough_in_a_row() -> None:
    life, finding = Life(), wait(bad_looks=3)
    assert life.bad(100, finding).state == "forming"
    assert life.bad(101, finding).state == "forming"
    assert life.good(102) is None
    assert life.rows == {}
    assert [life.bad(now, finding).state for now in (103, 104, 105)] == ["forming", "forming", "open"]
    assert life.turns == [("forming", "open", 10)]


def test_it_resolves_after_good_looks_in_a_row_dated_to_the_first() -> None:
    life, finding = Life(), wait(good_looks=3)
    life.bad(100, finding)
    life.good(110)
    life.good(120)
    assert life.bad(130, finding).good == 0
    for now in (140, 150):
        assert (problem := life.good(now)) is not None
        assert problem.state == "open"
    over = life.good(160)
    assert over is not None
    assert over.resolved_ns == 140 * S


def test_a_wait_that_gets_stuck_is_the_same_problem_made_worse() -> None:
    life = Life()
    life.bad(100)
    problem = life.bad(200, wait(kind="stuck", evidence={"worse_ns": 190 * S}, severity=3))
    assert (problem.kind, problem.severity, len(life.rows)) == ("stuck", 3, 1)
    life.bad(210, wait(kind="stuck", severity=3))
    assert life.turns == [("forming", "open", 10), ("open", "worse", 190)]


def test_back_within_the_hour_is_the_same_row_and_says_so_once() -> None:
    life = Life()
    life.bad(100, wait(10))
    life.good(200, gone=180)
    again = life.bad(300, wait(290))
    assert len(life.rows) == 1
    assert (again.state, again.flaps, again.opened_ns, again.resolved_ns) == ("open", 1, 10 * S, None)
    life.good(400)
    third = life.bad(500, wait(450))
    assert third.flaps == 2
    assert third.why == f"Learned. {COMES_AND_GOES}"
    assert [turn[:2] for turn in life.turns[1:]] == [
        ("open", "resolved"), ("resolved", "reopened"), ("open", "resolved"), ("resolved", "reopened"),
    ]  # fmt: skip


def test_back_after_hours_is_a_new_problem() -> None:
    life = Life()
    life.bad(100, wait(10))
    life.good(200)
    later = 200 + 2 * HOUR_NS // S
    assert life.bad(later, wait(later - 5)).flaps == 0
    assert len(life.rows) == 2


def test_back_with_the_same_beginning_is_the_same_whenever_it_comes() -> None:
    """An identifier follows from what it is and since when: a second row could not have it too."""
    life = Life()
    life.bad(100, wait(10))
    life.good(200)
    assert life.bad(90_000, wait(10)).flaps == 1
    assert len(life.rows) == 1


def test_one_that_comes_back_but_does_not_stay_is_resolved_as_before() -> None:
    life, finding = Life(), wait(bad_looks=2)
    life.bad(100, finding)
    life.bad(101, finding)
    life.good(200)
    assert life.bad(300, finding).state == "forming"
    again = life.good(301)
    assert again is not None
    assert (again.state, again.flaps) == ("resolved", 0)
    assert len(life.turns) == 2


@pytest.mark.parametrize(
    ("until", "facts", "now", "why"),
    [
        ({"time_ns": 500 * S}, Facts(9, 9, frozenset(), frozenset()), 499, None),
        ({"time_ns": 500 * S}, Facts(0, 0, frozenset(), frozenset()), 500, "No longer muted: the time is over."),
        ({"rate": 5}, Facts(99, 4, frozenset(), frozenset()), 400, None),
        ({"rate": 5}, Facts(99, 5, frozenset(), frozenset()), 400, "No longer muted: 5 within an hour."),
        ({"more": 10}, Facts(12, 0, frozenset(), frozenset()), 400, None),
        ({"more": 10}, Facts(13, 0, frozenset(), frozenset()), 400, "No longer muted: 10 more since then."),
        ({"new": "error"}, Facts(0, 0, frozenset({"a"}), frozenset()), 400, None),
        ({"new": "error"}, Facts(0, 0, frozenset({"a", "b"}), frozenset()), 400, "No longer muted: an error that was not there."),
        ({"new": "variant"}, Facts(0, 0, frozenset(), frozenset({"a", "step x"})), 400, None),
        ({"new": "variant"}, Facts(0, 0, frozenset(), frozenset({"a"})), 400, "No longer muted: a new variant."),
        ({"new": "variant"}, Facts(0, 0, frozenset(), frozenset()), 400, None),
    ],
)  # fmt: skip
def test_a_mute_ends_when_its_condition_comes_true(
    until: dict[str, Any], facts: Facts, now: int, why: str | None
) -> None:
    quieted = {
        "what": "mute",
        "until": until,
        "flows_then": 3,
        "errors_then": ["a"],
        "signature_then": ["a", "step x"],
    }
    muted = replace(Life().bad(100), state="muted", quieted=quieted)
    problem, turns = lifted(muted, facts, now * S)
    assert [turn.sentence for turn in turns] == ([why] if why else [])
    assert (problem.state, problem.quieted) == (("open", None) if why else ("muted", quieted))


def test_an_acknowledgement_ends_with_the_problem_and_a_mute_until_tomorrow_does_not() -> None:
    for quieted, state in (
        ({"what": "ack"}, "open"),
        ({"what": "mute", "until": {"time_ns": 9_000 * S}}, "muted"),
        ({"what": "mute", "until": {"time_ns": 250 * S}}, "open"),
        ({"what": "mute", "until": {"more": 5}}, "open"),
    ):
        life = Life()
        problem = life.bad(100)
        life.rows[problem.problem_id] = replace(problem, state="muted", quieted=quieted)
        life.good(200)
        again = life.bad(300, wait(290))
        assert (again.state, again.quieted is None) == (state, state == "open")
        # What is muted is not told: no turn says that it is open.
        assert life.turns[-1][1] == ("reopened" if state == "open" else "muted")


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 3), st.integers(1, 3))
def test_turns_alternate_and_are_never_twice_the_same(looks: list[bool], bad: int, good: int) -> None:
    life = Life()
    for now, is_bad in enumerate(looks, start=100):
        if is_bad:
            life.bad(now, wait(now - 1 if life.standing is None else 10, bad_looks=bad, good_looks=good))
        elif life.standing is not None:
            life.good(now)
    afters = [after for _, after, _ in life.turns]
    assert all(
        after == ("resolved" if at % 2 else afters[0] if at == 0 else after)
        for at, after in enumerate(afters)
    )
    assert [after == "resolved" for after in afters] == [at % 2 == 1 for at in range(len(afters))]
    assert sum(row.state != "resolved" for row in life.rows.values()) <= 1


def test_ids_follow_from_what_happened() -> None:
    identity = wait().identity
    assert identity == wait(kind="stuck", since=99).identity
    assert identity != wait(system="billing").identity
    assert len(problem_id(identity, 5)) == 12
    assert problem_id(identity, 5) != problem_id(identity, 6)
    assert flip_id(b"p", "open", 5) != flip_id(b"p", "resolved", 5)
