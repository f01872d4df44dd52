"""Verdicts: one flow at one time, by each source of a deadline."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.watch.calendars import Calendar
from tracing.watch.customs import SKEW_NS, Customs
from tracing.watch.judging import judge
from tracing.watch.lore import DELAY_NS, Lore, Pause
from tracing.watch.rulings import Ruling
from tracing.watch.standing import Closed, Course, Pace, Standing, Stated, Step, Way

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3600 * S, 86_400 * S
T0 = 1_795_000_000 * S  # a Wednesday, 11:06:40 UTC


def course(*steps: tuple[str, str, int], **more: Any) -> Course:
    """An order with steps at seconds after T0."""
    told = [Step(name, system, T0 + at * S) for name, system, at in steps]
    last = told[-1].at_ns if told else T0
    given: dict[str, Any] = {"first_ns": T0, "last_ns": last, "source": "state"} | more
    return Course(b"f" * 16, 1, "order", "4711", "production", steps=told, **given)


PAID = course(("created", "shop", 0), ("paid", "shop", 60))
USUAL = Pace(
    412, 22, p50=3 * MINUTE, p95=10 * MINUTE, p99=14 * MINUTE, threshold=21 * MINUTE, level="p99",
    ways=(Way("shipment.created", "wms", 0.97), Way("cancelled", "shop", 0.03)),
)  # fmt: skip


def lore(pace: Pace | None = USUAL, **more: Any) -> Lore:
    paces = {} if pace is None else {("order", "production", "paid", "state"): pace}
    return Lore(paces=paces, **more)


def at(flow: Course, minutes: float, known: Lore) -> Standing:
    """The standing so many minutes after the last step; our clock is the sender's and the usual delay."""
    return judge(flow, known, flow.steps[-1].at_ns + round(minutes * MINUTE) + DELAY_NS)


@pytest.mark.parametrize(
    ("minutes", "verdict", "since"),
    [
        (0, "moving", 0),
        (13, "moving", 0),
        (14, "due", 14),
        (20.9, "due", 14),
        (21, "late", 21),
        (42, "stuck", 42),
        (900, "stuck", 42),
    ],
)
def test_a_learned_step(minutes: float, verdict: str, since: float) -> None:
    standing = at(PAID, minutes, lore())
    assert (standing.verdict, standing.since_ns) == (verdict, PAID.steps[-1].at_ns + since * MINUTE)
    wait = standing.expectation
    assert wait and (wait.step, wait.system, wait.source, wait.quiet) == (
        "shipment.created",
        "wms",
        "learned",
        False,
    )
    assert standing.evidence["passed"] == 412


def test_it_is_looked_at_again_when_that_could_change() -> None:
    moved = PAID.steps[-1].at_ns
    for minutes, next_minutes in ((0, 14), (14, 21), (21, 42)):
        assert at(PAID, minutes, lore()).looks_ns == moved + next_minutes * MINUTE + DELAY_NS
    assert (at(PAID, 50, lore()).looks_ns or 0) > moved + 50 * MINUTE


def test_a_slow_sender_is_waited_for() -> None:
    slow = lore(delays={("wms", "production"): 10 * MINUTE})
    assert at(PAID, 25, slow).verdict == "due"
    assert at(PAID, 31, slow).verdict == "late"


def test_too_few_samples_only_say_so() -> None:
    standing = at(PAID, 500, lore(Pace(12, 3, needed=29)))
    assert (standing.verdict, standing.expectation) == ("moving", None)
    assert standing.evidence == {"learning": {"seen": 12, "needed": 29}}


@pytest.mark.parametrize("level", ["p90"])
def test_a_weak_level_and_sampled_traffic_are_grey(level: str) -> None:
    weak = Pace(30, 0, p90=MINUTE, threshold=2 * MINUTE, level=level)
    assert at(PAID, 3, lore(weak)).expectation.quiet  # type: ignore[union-attr]
    sampled = lore(sampled=frozenset({("shop", "production")}))
    assert at(PAID, 25, sampled).expectation.quiet  # type: ignore[union-attr]


def test_the_whole_type_stands_in_for_an_unknown_step_three_times_as_long() -> None:
    known = Lore(paces={("order", "production", "", "state"): USUAL})
    assert at(PAID, 62, known).verdict == "due"
    late = at(PAID, 63, known)
    assert (late.verdict, late.expectation.source, late.expectation.quiet) == ("late", "type", True)  # type: ignore[union-attr]


ENDS: list[tuple[Customs, Sequence[tuple[str, str, int]], str | None]] = [
    (Customs(), [("paid", "shop", 0), ("delivered", "wms", 9)], "good"),
    (Customs(), [("paid", "shop", 0), ("CANCELLED", "shop", 9)], "bad"),
    (Customs(), [("paid", "shop", 0), ("TIMED_OUT", "shop", 9)], "bad"),
    (Customs(), [("paid", "shop", 9)], None),
    # Another system's word within the skew of two clocks does not reopen it; a later one does.
    (Customs(), [("delivered", "wms", 9), ("accounted", "shop", 20)], "good"),
    (Customs(), [("delivered", "wms", 9), ("returned", "shop", 10 + SKEW_NS // S)], None),
    # Who says its ends is believed: `delivered` is none here.
    (Customs(good=frozenset({"accounted"})), [("delivered", "wms", 9)], None),
    (Customs(good=frozenset({"accounted"})), [("accounted", "shop", 9)], "good"),
    (Customs(answers={"delivered": False}), [("delivered", "wms", 9)], None),
    (Customs(answers={"handed over": True}), [("handed over", "wms", 9)], "good"),
    (Customs(owner="shop"), [("paid", "shop", 0), ("done", "wms", 9)], None),
    (Customs(owner="erp"), [("paid", "shop", 0), ("done", "wms", 9)], "good"),
]


@pytest.mark.parametrize(("customs", "steps", "end"), ENDS)
def test_ends(customs: Customs, steps: Sequence[tuple[str, str, int]], end: str | None) -> None:
    standing = at(course(*steps), 0, lore(None, custom={"order": customs}))
    assert standing.verdict == ("moving" if end is None else "ended")
    assert standing.evidence.get("end") == end
    if end:
        assert (standing.looks_ns, standing.expectation) == (None, None)


def test_a_step_where_most_stay_is_an_end() -> None:
    stays = Pace(10, 400, is_end=True, plateau=0.9)
    assert at(PAID, 1, lore(stays)).evidence == {"end": "learned"}
    no_end = lore(stays, custom={"order": Customs(answers={"paid": False})})
    assert at(PAID, 1, no_end).verdict == "moving"
    promised = course(("paid", "shop", 0), stated=[Stated("step", T0, T0 + MINUTE, "shipped", "shop", "")])
    assert at(promised, 0, lore(stays)).verdict == "moving"


def stated(what: str, said_s: int, by_s: int, step: str = "", operation: str = "") -> Stated:
    return Stated(what, T0 + said_s * S, T0 + by_s * S, step, "shop", operation)


@pytest.mark.parametrize(
    ("told", "seconds", "verdict"),
    [
        (stated("deadline", 0, 100), 99, "moving"),
        (stated("deadline", 0, 100), 102, "late"),
        (stated("deadline", 0, 100), 200, "stuck"),
        (stated("step", 60, 100, "shipped"), 102, "late"),
        (stated("step", 60, 100), 102, "late"),
        (stated("retry", 60, 100, operation="charge"), 99, "moving"),
        (stated("retry", 60, 100, operation="charge"), 102, "stuck"),
        # Kept: the step came, or anything after a promise of anything.
        (stated("step", 50, 100, "paid"), 102, "moving"),
        (stated("step", 50, 100), 102, "moving"),
        (stated("retry", 50, 100, operation="charge"), 102, "moving"),
    ],
)
def test_what_the_flow_stated(told: Stated, seconds: int, verdict: str) -> None:
    flow = course(("created", "shop", 0), ("paid", "shop", 60), stated=[told])
    standing = judge(flow, lore(), T0 + seconds * S + DELAY_NS)
    assert standing.verdict == verdict
    if verdict in ("late", "stuck"):
        assert standing.expectation and (standing.expectation.source, standing.expectation.reason) == (
            "stated",
            told.what,
        )


def test_a_try_that_came_keeps_the_promise_and_a_new_promise_replaces_the_old() -> None:
    told = [stated("retry", 60, 100, operation="charge"), stated("retry", 103, 500, operation="charge")]
    flow = course(("paid", "shop", 60), stated=told, operations=[("charge", T0 + 101 * S)])
    wait = judge(flow, lore(), T0 + 150 * S).expectation
    assert wait and wait.expected_ns == T0 + 500 * S
    flow.stated = told[:1]
    assert judge(flow, lore(), T0 + 150 * S).expectation.source == "learned"  # type: ignore[union-attr]


def test_a_try_has_the_time_that_tries_take_because_it_is_told_when_it_ends() -> None:
    told = stated("retry", 60, 100, operation="charge")._replace(attempt=2, most=5, lasts_ns=30 * S)
    flow = course(("paid", "shop", 60), stated=[told])
    verdicts = [judge(flow, lore(), T0 + at * S + DELAY_NS).verdict for at in (99, 100, 130, 132)]
    assert verdicts == ["moving", "due", "due", "stuck"]
    assert judge(flow, lore(), T0 + 132 * S + DELAY_NS).evidence["attempt"] == 3


@pytest.mark.parametrize(("later_s", "verdict"), [(61, "stuck"), (100, "moving"), (101, "moving")])
def test_what_a_task_handed_on_before_its_next_try_was_due_is_no_try(later_s: int, verdict: str) -> None:
    """Milestones of the whole membership: a task begun by this one starts after it, and is none of its tries."""
    told = stated("retry", 60, 100, operation="charge")
    flow = course(("paid", "shop", 60), stated=[told], later_ns=T0 + later_s * S)
    assert judge(flow, lore(), T0 + 110 * S + DELAY_NS).verdict == verdict


def rule(within_s: int, grace_s: int = 0, **more: Any) -> Ruling:
    told: dict[str, Any] = {
        "step": "paid",
        "awaited_step": "",
        "awaited_system": "",
        "from_start": False,
    } | more
    return Ruling("order", "", within_ns=within_s * S, grace_ns=grace_s * S, **told)


@pytest.mark.parametrize(
    ("ruling", "seconds_after_paid", "verdict"),
    [
        (rule(30, 10), 29, "moving"),
        (rule(30, 10), 30, "due"),
        (rule(30, 10), 40, "late"),
        (rule(30, 10), 80, "stuck"),
        (rule(90, from_start=True, step=""), 29, "moving"),
        (rule(90, from_start=True, step=""), 30, "late"),
        (rule(30, step="created"), 900, "due"),  # of another step: what was learned holds
        (rule(30, awaited_step="created", from_start=True, step=""), 40, "moving"),  # it came
    ],
)
def test_rules(ruling: Ruling, seconds_after_paid: int, verdict: str) -> None:
    assert at(PAID, seconds_after_paid / 60, lore(rulings={"order": [ruling]})).verdict == verdict


def test_a_rule_with_a_calendar_counts_open_hours() -> None:
    office = Calendar("UTC", {"wed": [("09:00", "13:00")], "thu": [("09:00", "13:00")]})
    known = lore(None, rulings={"order": [rule(3 * 3600, calendar=office)]})
    # Paid on Wednesday at 11:07:40: 1 h 52 m of that day count, and 1 h 8 m of the next.
    assert at(PAID, 4 * 60, known).verdict == "moving"
    assert at(PAID, 23 * 60 + 1, known).verdict == "late"


def test_a_rhythm_that_stops() -> None:
    beats = [T0 + n * 10 * MINUTE for n in range(10)]
    flow = course(("synced", "crm", 90 * 60), beats=beats, source="milestone")
    known = lore(None)
    assert [at(flow, minutes, known).verdict for minutes in (9, 11, 20, 30)] == [
        "moving",
        "due",
        "late",
        "stuck",
    ]
    wait = at(flow, 20, known).expectation
    assert wait and (wait.source, wait.evidence["period_ns"]) == ("heartbeat", 10 * MINUTE)


def test_blindness_hides_and_gives_a_whole_window_more() -> None:
    moved = PAID.steps[-1].at_ns
    blind = [(moved + 10 * MINUTE, moved + 70 * MINUTE)]
    known = lore(blind=blind)
    assert at(PAID, 9, known).verdict == "moving"
    hidden = at(PAID, 30, known)
    assert (hidden.verdict, hidden.since_ns) == ("unknown", blind[0][0])
    assert hidden.evidence["blind"] == [list(blind[0])]
    assert at(PAID, 90, known).verdict == "unknown"
    assert at(PAID, 70 + 21, known).verdict == "late"


def test_who_was_late_before_we_were_blind_stays_late_and_gets_no_worse_meanwhile() -> None:
    moved = PAID.steps[-1].at_ns
    known = lore(blind=[(moved + 22 * MINUTE, moved + 70 * MINUTE)])
    assert at(PAID, 30, known).verdict == "late"
    assert at(PAID, 60, known).verdict == "late"
    assert at(PAID, 70 + 21, known).verdict == "stuck"


def test_while_we_are_blind_nobody_is_called_late_however_long_the_wait_was() -> None:
    slow = Pace(412, 22, p99=14 * HOUR, threshold=21 * HOUR, level="p99")
    moved = PAID.steps[-1].at_ns
    minutes = 21 * 60 + 5
    from_ns, until_ns = moved + (minutes - 10) * MINUTE, moved + minutes * MINUTE + DELAY_NS
    assert at(PAID, minutes, lore(slow)).verdict == "late"
    assert at(PAID, minutes, lore(slow, blind=[(from_ns, until_ns)])).verdict == "unknown"
    # Once it is over, ten minutes are nothing to a wait of a day.
    assert at(PAID, minutes + 1, lore(slow, blind=[(from_ns, until_ns)])).verdict == "late"


def test_blind_again_in_the_grace_gives_another_window() -> None:
    moved = PAID.steps[-1].at_ns
    known = lore(
        blind=[(moved + 10 * MINUTE, moved + 20 * MINUTE), (moved + 35 * MINUTE, moved + 50 * MINUTE)]
    )
    assert at(PAID, 45, known).verdict == "unknown"
    assert at(PAID, 50 + 19, known).verdict == "unknown"
    assert at(PAID, 50 + 21, known).verdict == "late"


def test_maintenance_pauses_and_moves_the_deadline() -> None:
    moved = PAID.steps[-1].at_ns
    for whom in (("wms", "", ""), ("", "order", "production")):
        known = lore(pauses=[Pause(*whom, moved + 10 * MINUTE, moved + 40 * MINUTE, "moving house", "Ann")])
        paused = at(PAID, 20, known)
        assert (paused.verdict, paused.looks_ns) == ("paused", moved + 40 * MINUTE)
        assert paused.evidence["paused_by"]["reason"] == "moving house"
        assert at(PAID, 45, known).verdict in ("moving", "due")
        assert at(PAID, 61, known).verdict == "late"
    elsewhere = lore(pauses=[Pause("erp", "", "", moved, moved + DAY, "", "")])
    assert at(PAID, 30, elsewhere).verdict == "late"


def test_a_person_closes_a_flow_until_it_moves() -> None:
    closed = course(("paid", "shop", 60), closed=Closed(T0 + HOUR, "fixed outside", "Ann"))
    standing = at(closed, 500, lore())
    assert (standing.verdict, standing.since_ns) == ("ended", T0 + HOUR)
    assert standing.evidence["closed"] == {"reason": "fixed outside", "name": "Ann"}
    moved = course(("paid", "shop", 60), ("packed", "wms", 2 * 3600), closed=closed.closed)
    assert at(moved, 0, lore()).verdict == "moving"


def test_progress_of_what_belongs_without_the_key_counts() -> None:
    moved = PAID.steps[-1].at_ns
    late = course(("created", "shop", 0), ("paid", "shop", 60), later_ns=moved + 15 * MINUTE)
    assert at(late, 30, lore()).verdict == "due"
    assert at(late, 37, lore()).verdict == "late"


def test_a_flow_without_a_step_waits_for_nothing() -> None:
    assert judge(course(), lore(), T0 + DAY).verdict == "moving"


@given(
    st.permutations(
        [Step("created", "shop", T0), Step("paid", "shop", T0 + S), Step("reserved", "wms", T0 + 2 * S)]
    ),
    st.integers(0, 10_000),
)
def test_the_verdict_only_worsens_while_nothing_comes(steps: list[Step], seconds: int) -> None:
    flow = course(("paid", "shop", 0))
    order = ["moving", "due", "late", "stuck"]
    now, later = at(flow, seconds / 60, lore()), at(flow, seconds / 60 + 7, lore())
    assert order.index(now.verdict) <= order.index(later.verdict)
