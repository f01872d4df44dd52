"""The judge on the real tables: who is due is judged, what turned is written once, what moved meanwhile is not."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, trace_id
from tracing.buckets import bucket_of
from tracing.clock import now_ns
from tracing.mentions import flow_id
from tracing.noting import AGAIN_NS, FIRST_LOOK_NS
from tracing.records import Span
from tracing.storing import Store
from tracing.watch import judging, rounds
from tracing.watch.busyness import Budget
from tracing.watch.lore import DELAY_NS
from tracing.watch.rounds import Rounds

S = 1_000_000_000
MINUTE = 60 * S
SHOP, WMS = Service("shop"), Service("wms")
At = Callable[[int], None]


def said(key: str, state: str, seconds: float, service: Service = SHOP, **more: Any) -> Span:
    told = {"order.id": key, "order.state": state} | {
        name.replace("__", "."): one for name, one in more.items()
    }
    name = f"{state} {key} {seconds}"
    return service.span(name, seconds * 1000, 0, trace=trace_id(name), attributes=told, kind=2)


def put(store: Store, at: At, *spans: Span, seconds: float | None = None) -> None:
    """Store them at their time, or at the given one."""
    at(max(span.end_ns for span in spans) if seconds is None else BASE_NS + round(seconds * S))
    store.put(batch(*spans, received_ns=now_ns()))


def judge(worker: psycopg.Connection, at: At, seconds: float) -> None:
    at(BASE_NS + round(seconds * S))
    Rounds().work(worker)


def verdict(worker: psycopg.Connection, key: str, *columns: str) -> Any:
    wanted = ", ".join(columns or ("verdict",))
    row = worker.execute(
        f"SELECT {wanted} FROM expectation WHERE flow_id = %s".encode(),
        (flow_id("entity", "order", key, "production"),),
    ).fetchone()
    assert row is not None
    return row if columns else row[0]


def flips(worker: psycopg.Connection, key: str) -> list[tuple[str | None, str, float]]:
    rows = worker.execute(
        "SELECT before, after, at_ns FROM flip WHERE flow_id = %s ORDER BY at_ns, judged_ns",
        (flow_id("entity", "order", key, "production"),),
    ).fetchall()
    return [(before, after, (at_ns - BASE_NS) / S) for before, after, at_ns in rows]


@pytest.fixture
def rule(conninfo: str) -> None:
    """A paid order is shipped within a minute, and nobody asks within ten seconds more."""
    from tracing.models import ExpectationRule

    ExpectationRule.objects.create(
        type="order", step="paid", awaited_step="shipped", awaited_system="wms", within_s=60, grace_s=10
    )


def test_a_flow_is_judged_soon_and_turns_when_its_time_comes(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    put(store, at, said("1", "paid", 0))
    assert verdict(worker, "1", "verdict", "looks_ns") == (None, BASE_NS + FIRST_LOOK_NS)
    judge(worker, at, 2)
    assert verdict(worker, "1") is None  # not due yet
    judge(worker, at, 4)
    told = verdict(
        worker, "1", "verdict", "step", "system", "awaited_step", "awaited_system", "source", "judged_ns"
    )
    assert told == ("moving", "paid", "shop", "shipped", "wms", "rule", BASE_NS + 4 * S)
    for seconds, expected in ((60 + 2, "due"), (70 + 2, "late"), (140 + 2, "stuck")):
        judge(worker, at, seconds)
        assert verdict(worker, "1") == expected
    assert flips(worker, "1") == [("due", "late", 70), ("late", "stuck", 140)]
    sentence = worker.execute("SELECT sentence FROM flip WHERE after = 'late'").fetchone()
    assert sentence and sentence[0].startswith("Waiting for `shipped` from `wms`")


def test_a_record_brings_the_look_forward_and_closes_the_turn(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    put(store, at, said("1", "paid", 0))
    judge(worker, at, 90)
    assert verdict(worker, "1") == "late"
    put(store, at, said("1", "shipped", 100, WMS), seconds=101)
    assert verdict(worker, "1", "looks_ns", "wakes") == (BASE_NS + 101 * S + AGAIN_NS, False)
    judge(worker, at, 102)
    assert verdict(worker, "1") == "moving"
    assert flips(worker, "1") == [(None, "late", 70), ("late", "moving", 100)]


def test_first_looked_at_when_it_is_stuck_it_was_late_before(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    put(store, at, said("1", "paid", 0))
    judge(worker, at, 5_000)
    assert flips(worker, "1") == [(None, "late", 70), ("late", "stuck", 140)]


def test_an_ended_flow_waits_for_nothing_and_is_looked_at_when_it_moves(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    put(store, at, said("1", "paid", 0), said("1", "delivered", 5))
    judge(worker, at, 10)
    assert verdict(worker, "1", "verdict", "looks_ns", "awaited_step") == ("ended", None, None)
    put(store, at, said("1", "paid", 100))
    judge(worker, at, 104)
    assert verdict(worker, "1") == "moving"


def test_what_a_flow_states_is_looked_at_whatever_was_expected(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    put(store, at, said("1", "paid", 0))
    judge(worker, at, 4)
    put(store, at, said("1", "paid", 10, flow__deadline=BASE_NS + 20 * S))
    judge(worker, at, 11)
    assert verdict(worker, "1", "source", "reason", "late_ns") == ("stated", "deadline", BASE_NS + 21 * S)
    judge(worker, at, 24)
    assert verdict(worker, "1") == "late"


def test_sent_twice_nothing_turns_twice(store: Store, worker: psycopg.Connection, at: At, rule: None) -> None:
    for _ in range(2):
        put(store, at, said("1", "paid", 0), seconds=1)
        judge(worker, at, 90)
    assert flips(worker, "1") == [(None, "late", 70)]


def test_what_belongs_without_the_key_is_seen_before_a_flow_is_called_late(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    paid = said("1", "paid", 0)
    deeper = WMS.span("pick", 50_000, 1_000, trace=paid.trace_id, parent=paid, kind=5)
    put(store, at, paid, deeper, seconds=60)
    judge(worker, at, 90)
    assert verdict(worker, "1", "verdict", "late_ns") == ("moving", BASE_NS + 120 * S)
    judge(worker, at, 130)
    assert verdict(worker, "1") == "late"


def test_of_several_watchers_one_judges(
    store: Store, worker: psycopg.Connection, at: At, rule: None, conninfo: str
) -> None:
    for number in range(1, 301):
        put(store, at, said(str(number), "paid", 0), seconds=0)
    at(BASE_NS + 90 * S)
    connections = [psycopg.connect(conninfo, autocommit=True) for _ in range(4)]
    working = [threading.Thread(target=Rounds().work, args=(one,)) for one in connections]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    Rounds().work(worker)
    for one in connections:
        one.close()
    row = worker.execute("SELECT count(*), count(DISTINCT flow_id) FROM flip").fetchone()
    assert row == (300, 300)


def test_a_record_stored_while_it_was_judged_counts(
    store: Store, worker: psycopg.Connection, at: At, rule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading the flow and writing its verdict: what was read does not hold any more."""
    put(store, at, said("1", "paid", 0))
    closer = rounds._look_closer

    def meanwhile(*arguments: Any) -> None:
        closer(*arguments)
        monkeypatch.setattr(rounds, "_look_closer", closer)
        put(store, at, said("1", "shipped", 89, WMS), seconds=90)

    monkeypatch.setattr(rounds, "_look_closer", meanwhile)
    judge(worker, at, 90)
    assert flips(worker, "1") == []
    judge(worker, at, 92)
    assert (verdict(worker, "1"), flips(worker, "1")) == ("moving", [])


def test_one_bad_row_is_put_off_alone(
    store: Store, worker: psycopg.Connection, at: At, rule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, at, said("1", "paid", 0), said("2", "paid", 0))
    real = judging.judge

    def fails(course: Any, *rest: Any) -> Any:
        if course.key == "1":
            raise ZeroDivisionError
        return real(course, *rest)

    monkeypatch.setattr(rounds, "judge", fails)
    judge(worker, at, 90)
    assert verdict(worker, "2") == "late"
    assert verdict(worker, "1", "verdict", "faults", "looks_ns") == (None, 1, BASE_NS + 90 * S + MINUTE)
    monkeypatch.setattr(rounds, "judge", real)
    judge(worker, at, 151)
    assert verdict(worker, "1", "verdict", "faults") == ("stuck", 0)


def test_a_value_the_database_refuses_is_put_off_alone(
    store: Store, worker: psycopg.Connection, at: At, rule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, at, *(said(str(number), "paid", 0) for number in range(1, 6)))
    real = rounds._row

    def odd(one: Any, *rest: Any) -> Any:
        row = real(one, *rest)
        return (*row[:-1], '{"not": "json') if one.course.key == "3" else row

    monkeypatch.setattr(rounds, "_row", odd)
    judge(worker, at, 90)
    assert [verdict(worker, str(number)) for number in range(1, 6)] == ["late", "late", None, "late", "late"]


def test_a_flow_closed_by_hand_ends_and_opens_when_it_moves(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    from tracing.models import Closure

    put(store, at, said("1", "paid", 0))
    judge(worker, at, 90)
    Closure.objects.create(
        flow_id=flow_id("entity", "order", "1", "production"),
        at_ns=BASE_NS + 100 * S,
        reason="fixed outside",
        name="Ann",
    )
    worker.execute("UPDATE expectation SET looks_ns = 0")
    judge(worker, at, 101)
    assert verdict(worker, "1") == "ended"
    put(store, at, said("1", "paid", 200))
    judge(worker, at, 203)
    assert verdict(worker, "1") == "moving"
    assert flips(worker, "1") == [(None, "late", 70), ("late", "ended", 100), ("ended", "moving", 200)]


def test_a_clock_in_the_future_stops_nobody(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    ahead = SHOP.span("s", 0, 0, attributes={"order.id": "1", "order.state": "paid"}, start_ns=2**63 - 1)
    put(store, at, said("2", "paid", 0), seconds=1)
    store.put(batch(ahead, received_ns=now_ns()))
    judge(worker, at, 90)
    assert (verdict(worker, "1"), verdict(worker, "2")) == ("moving", "late")


def test_an_unread_flow_that_is_gone_is_forgotten(store: Store, worker: psycopg.Connection, at: At) -> None:
    put(store, at, said("1", "paid", 0))
    worker.execute("DELETE FROM flow")
    judge(worker, at, 90)
    row = worker.execute("SELECT count(*) FROM expectation").fetchone()
    assert row == (0,)


def test_the_delay_of_a_service_is_waited_for(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    put(store, at, said("1", "paid", 0))
    judge(worker, at, 70 + DELAY_NS / S - 0.1)
    assert verdict(worker, "1") == "due"
    delays = [0] * bucket_of(20 * S) + [400]
    worker.execute(
        "INSERT INTO arrival (service, environment, minute, records, delays) VALUES ('wms', 'production', %s, 400, %s)",
        ((BASE_NS + 60 * S) // MINUTE, delays),
    )
    judge(worker, at, 75)
    assert verdict(worker, "1") == "moving"


def test_rows_are_found_by_flow_where_many_are_due_at_once(worker: psycopg.Connection) -> None:
    """Looked up by the moment they were due, two thousand of ten thousand took seconds."""
    for other in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):  # no choice for a large table
        worker.execute(f"SET enable_{other} = off".encode())
    places = iter(range(1, 100))
    question = "".join(
        f"{part}${next(places)}" for part in rounds._WRITE.replace("%b", "%s").split("%s")[:-1]
    )
    question += rounds._WRITE.rpartition("%b")[2]
    plan = worker.execute(f"EXPLAIN (GENERIC_PLAN) {question}".encode()).fetchall()
    told = "\n".join(row[0] for row in plan)
    assert "expectation_pkey" in told and "expectation_deadline" not in told


def test_a_record_stored_while_a_stuck_flow_is_looked_at_again_counts(
    store: Store, worker: psycopg.Connection, at: At, rule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of two records brings the look forward, the second comes while it is judged and changes no verdict."""
    put(store, at, said("1", "paid", 0))
    judge(worker, at, 200)
    put(store, at, said("1", "paid", 1, WMS), seconds=201)
    real = rounds._write

    def meanwhile(*arguments: Any) -> set[bytes]:
        monkeypatch.setattr(rounds, "_write", real)
        put(store, at, said("1", "shipped", 202, WMS), seconds=203)
        return real(*arguments)

    monkeypatch.setattr(rounds, "_write", meanwhile)
    judge(worker, at, 203)
    judge(worker, at, 205)
    assert verdict(worker, "1") == "moving"


def test_a_flow_that_never_rests_is_judged(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    for number in range(40):
        put(store, at, said("1", "paid", number / 5))
    row = worker.execute("SELECT looks_ns FROM expectation").fetchone()
    assert row and row[0] < BASE_NS + FIRST_LOOK_NS + S


def test_a_flow_that_moves_each_time_it_is_judged_is_judged_alone(
    store: Store, worker: psycopg.Connection, at: At, rule: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, at, said("1", "paid", 0))
    real, seconds = rounds._look_closer, iter(range(80, 100))

    def meanwhile(*arguments: Any) -> None:
        real(*arguments)
        # Within the lock nobody stores; so only the set's own look is disturbed.
        if worker.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            put(store, at, said("1", "paid", next(seconds) / 100), seconds=90)

    monkeypatch.setattr(rounds, "_look_closer", meanwhile)
    judge(worker, at, 90)
    assert verdict(worker, "1") == "late"


def test_a_clock_ahead_of_ours_leads_nobody(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    ahead = said("1", "paid", 86_400 * 300)
    store_at = 5
    put(store, at, ahead, seconds=store_at)
    judge(worker, at, 10)
    told = verdict(worker, "1", "since_ns", "heard_ns")
    assert min(told) > BASE_NS and max(told) < BASE_NS + 10 * 60 * S
    judge(worker, at, 500)
    assert verdict(worker, "1") in ("late", "stuck")


def test_a_flow_without_a_step_is_held_to_what_it_said(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    told = {"order.id": "1", "flow.deadline": BASE_NS + 20 * S}
    put(store, at, SHOP.span("inner", 0, 1, parent=b"p" * 8, attributes=told))
    judge(worker, at, 4)
    assert verdict(worker, "1", "verdict", "step") == ("moving", None)
    judge(worker, at, 24)
    assert verdict(worker, "1", "verdict", "source") == ("late", "stated")


def test_progress_without_the_key_counts_also_for_who_is_late(
    store: Store, worker: psycopg.Connection, at: At, rule: None
) -> None:
    paid = said("1", "paid", 0)
    put(store, at, paid)
    judge(worker, at, 90)
    assert verdict(worker, "1") == "late"
    put(store, at, WMS.span("pick", 100_000, 1_000, trace=paid.trace_id, parent=paid, kind=5), seconds=110)
    worker.execute("UPDATE expectation SET looks_ns = 0")
    judge(worker, at, 150)
    assert verdict(worker, "1", "verdict", "late_ns") == ("moving", BASE_NS + 170 * S)


def test_a_person_who_follows_hears_that_it_ended(store: Store, worker: psycopg.Connection, at: At) -> None:
    from tracing.models import Channel, Follow

    put(store, at, said("1", "paid", 0), said("2", "paid", 0))
    judge(worker, at, 4)
    channel = Channel.objects.create(label="c", address="json://localhost")
    Follow.objects.create(
        flow_id=flow_id("entity", "order", "1", "production"), channel=channel, since_ns=BASE_NS
    )
    put(store, at, said("1", "delivered", 5), said("2", "delivered", 5))
    judge(worker, at, 9)
    assert flips(worker, "1") == [("moving", "ended", 5)] and flips(worker, "2") == []
    assert worker.execute("SELECT told FROM flip").fetchall() == [(False,)]


def stays_at_paid(worker: psycopg.Connection, is_end: bool) -> None:
    """What was learned says whether paid is an end, and the flows that it ended are looked at again."""
    worker.execute(
        """
        INSERT INTO learned (type, environment, step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns)
        VALUES ('order', 'production', 'paid', 'state', 400, 9, %s, %s, %s, '{}', 1) ON CONFLICT (type, environment, step, source)
        DO UPDATE SET threshold_ns = excluded.threshold_ns, level = excluded.level, is_end = excluded.is_end, learned_ns = 2
        """,
        (None if is_end else MINUTE, None if is_end else "p99", is_end),
    )
    worker.execute("UPDATE expectation SET looks_ns = %s", (now_ns(),))


def test_an_end_taken_back_that_nobody_was_told_of_never_was(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    put(store, at, said("1", "paid", 0), said("2", "paid", 0), said("3", "paid", 0))
    stays_at_paid(worker, True)
    judge(worker, at, 9)
    assert verdict(worker, "1", "verdict", "evidence") == ("ended", {"end": "learned"})
    # Of one somebody read that it ended; one went on and came to the same step again.
    read = flow_id("entity", "order", "2", "production")
    worker.execute(
        """
        INSERT INTO flip (flip_id, flow_id, at_ns, judged_ns, before, after, sentence)
        VALUES ('x', %s, %s, 1, 'late', 'ended', '')
        """,
        (read, BASE_NS),
    )
    put(store, at, said("3", "reserved", 20), said("3", "paid", 30))
    stays_at_paid(worker, False)
    judge(worker, at, 40)
    assert [verdict(worker, key) for key in "123"] == ["moving"] * 3
    assert flips(worker, "1") == []
    assert flips(worker, "2") == [("late", "ended", 0), ("ended", "moving", 0)]
    assert flips(worker, "3") == [("ended", "moving", 30)]


def test_late_after_an_end_that_was_taken_back_it_was_on_its_way(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    put(store, at, said("1", "paid", 0))
    stays_at_paid(worker, True)
    judge(worker, at, 9)
    assert verdict(worker, "1") == "ended"
    at(BASE_NS + 300 * S)
    stays_at_paid(worker, False)
    judge(worker, at, 300)
    assert flips(worker, "1") == [("moving", "late", 60), ("late", "stuck", 120)]


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (rounds._DUE, "expectation_deadline"),
        (rounds._NEW, "expectation_unseen"),
        (rounds._IDLE, "expectation_idle"),
    ],
)
def test_who_is_due_is_found_by_an_index(worker: psycopg.Connection, question: str, index: str) -> None:
    with worker.transaction():
        worker.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        told = worker.execute(f"EXPLAIN {question}".encode(), (BASE_NS, 100)).fetchall()
    assert any(f"using {index} " in line for (line,) in told), told


class Spent(Budget):
    """No time for flows without a deadline, nor for those in order that move."""

    def has_time(self) -> bool:
        return False

    def is_eager(self) -> bool:
        return False


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """A judge on a busy machine: a round takes one new flow and one that nothing is awaited of."""
    monkeypatch.setattr(rounds, "SPARING", 2)
    return Rounds(Spent())


def test_while_the_machine_is_busy_deadlines_go_before_what_is_new(
    store: Store, worker: psycopg.Connection, at: At, rule: None, busy: Rounds
) -> None:
    put(store, at, *(said(f"old{number}", "paid", 0) for number in range(3)))
    judge(worker, at, 4)
    for number in range(5):
        put(store, at, said(f"new{number}", "paid", 80 + number))
    at(BASE_NS + 90 * S)
    assert busy.work(worker) is False  # what is left waits for the next round
    assert [verdict(worker, f"old{number}") for number in range(3)] == ["late"] * 3
    assert [verdict(worker, f"new{number}") for number in range(5)] == ["moving", None, None, None, None]
    assert not verdict(worker, "new0", "wakes", "verdict")[0]  # nobody hurries it when it moves
    busy.work(worker)
    assert [verdict(worker, f"new{number}") for number in range(3)] == ["moving", "moving", None]
    Rounds().work(worker)
    assert [verdict(worker, f"new{number}") for number in range(5)] == ["moving"] * 5


def test_while_the_machine_is_busy_who_waits_for_nothing_is_looked_at_in_turn(
    store: Store, worker: psycopg.Connection, at: At, busy: Rounds
) -> None:
    names = [f"idle{number}" for number in range(4)]
    put(store, at, *(said(name, "packed", 0) for name in names))
    judge(worker, at, 4)
    put(store, at, said("idle3", "delivered", 600))
    in_turn = sorted(names, key=lambda name: verdict(worker, name, "looks_ns", "verdict")[0])
    for count in range(1, 5):
        busy.work(worker)
        looked = [
            name for name in in_turn if verdict(worker, name, "judged_ns", "verdict")[0] >= BASE_NS + 600 * S
        ]
        assert looked == in_turn[:count]
        assert (verdict(worker, "idle3") == "ended") is ("idle3" in looked)


@pytest.fixture
def crowd(store: Store, worker: psycopg.Connection, at: At) -> None:
    """Flows of which nothing is awaited, and one among them that is asked about; all are due again after some minutes."""
    put(store, at, *(said(f"idle{number}", "packed", 0) for number in range(40)), said("asked", "paid", 1))
    judge(worker, at, 5)


@pytest.mark.usefixtures("crowd")
def test_who_says_when_is_held_to_it_in_any_crowd(
    store: Store, worker: psycopg.Connection, at: At, busy: Rounds
) -> None:
    by = str(BASE_NS + 620 * S)
    put(store, at, *(said(key, "paid", 600, flow__deadline=by) for key in ("asked", "new")))
    for seconds in (602, 625):
        at(BASE_NS + seconds * S)
        busy.work(worker)
    assert [verdict(worker, key) for key in ("asked", "new")] == ["late", "late"]


@pytest.mark.usefixtures("crowd")
def test_a_rule_that_is_armed_is_held_to_in_any_crowd(
    worker: psycopg.Connection, at: At, busy: Rounds
) -> None:
    from tracing.models import ExpectationRule
    from tracing.watch.rulings import Ruling
    from tracing.watch.waking import wake_ruled

    ExpectationRule.objects.create(type="order", step="paid", awaited_step="shipped", within_s=590)
    at(BASE_NS + 580 * S)
    wake_ruled(Ruling("order", "", "paid", "shipped", "", 590 * S, 0, from_start=False), now_ns())
    at(BASE_NS + 595 * S)
    busy.work(worker)
    assert verdict(worker, "asked") == "late"


@pytest.mark.usefixtures("crowd")
def test_who_is_followed_is_told_of_in_any_crowd(
    store: Store, worker: psycopg.Connection, at: At, busy: Rounds
) -> None:
    from tracing.models import Channel, Follow

    channel = Channel.objects.create(label="c", address="json://localhost")
    asked = flow_id("entity", "order", "asked", "production")
    Follow.objects.create(flow_id=asked, channel=channel, since_ns=BASE_NS)
    worker.execute(
        "UPDATE expectation SET looks_ns = %s, hurried = true WHERE flow_id = %s", (BASE_NS, asked)
    )
    busy.work(worker)
    put(store, at, said("asked", "delivered", 600))
    at(BASE_NS + 602 * S)
    busy.work(worker)
    assert flips(worker, "asked")[-1] == ("moving", "ended", 600)
