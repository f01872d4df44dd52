"""What is learned of how flows went: from stored records to thresholds, ways, ends and rhythms."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, trace_id
from tracing.clock import now_ns
from tracing.records import Log, Span
from tracing.storing import Store
from tracing.watch import backlogs, histories, learning, loading
from tracing.watch.customs import Customs
from tracing.watch.learning import Learner
from tracing.watch.paces import paces_of, recurs, stays_of
from tracing.watch.standing import History, Step

S = 1_000_000_000
MINUTE, HOUR, DAY = 60 * S, 3_600 * S, 86_400 * S
SHOP, WMS = Service("shop"), Service("wms")
At = Callable[[int], None]


def stated(number: int, state: str, at_s: float, service: Service = SHOP) -> Span:
    told = {"order.id": f"o{number}", "order.state": state}
    name = f"{state} {number}"
    return service.span(name, at_s * 1000, 0, trace=trace_id(name), attributes=told)


def orders(count: int, paid_after_s: float = 30, stuck: int = 0) -> list[Span]:
    """Created every minute, paid half a minute later; the last `stuck` never."""
    found = []
    for number in range(1, count + 1):
        found.append(stated(number, "created", number * 60))
        if number <= count - stuck:
            found.append(stated(number, "paid", number * 60 + paid_after_s + number % 7, WMS))
    return found


def learned(
    worker: psycopg.Connection, type: str = "order"
) -> dict[str, tuple[int, int, int | None, str | None]]:
    rows = worker.execute(
        "SELECT step, passed, waiting, threshold_ns, level FROM learned WHERE type = %s AND passed + waiting > 0",
        (type,),
    ).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def test_states_are_learned_with_those_that_wait(store: Store, worker: psycopg.Connection, at: At) -> None:
    store.put(batch(*orders(100, stuck=4), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    learning.learn(worker, "order", "production", now_ns())
    created = learned(worker)["created"]
    assert created[:2] == (96, 4) and created[3] == "p95"
    assert created[2] and 60 * S <= created[2] < 3 * MINUTE
    facts = worker.execute("SELECT facts FROM learned WHERE step = 'created'").fetchone()
    assert facts and facts[0]["ways"] == [{"step": "paid", "system": "wms", "share": 1.0}]
    assert (facts[0]["system"], facts[0]["share"], facts[0]["position"]) == ("shop", 1.0, 0.0)
    assert facts[0]["backtest"] == {"alarms": 4, "never_recovered": 4, "days": 14}


def test_too_few_are_still_being_learned(store: Store, worker: psycopg.Connection, at: At) -> None:
    store.put(batch(*orders(12), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    paces = learning.learn(worker, "order", "production", now_ns())
    assert (paces["created"].passed, paces["created"].threshold, paces["created"].needed) == (12, None, 29)


def visits(key: str, starts: Sequence[float], name: str = "sync") -> list[Span]:
    return [
        SHOP.span(name, at * 1000, 5, trace=trace_id(f"{key} {at}"), kind=5, attributes={"job.id": key})
        for at in starts
    ]


def test_milestones_are_steps_where_no_state_is_told(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    told: list[Span | Log] = []
    for number in range(1, 41):
        told += visits(f"j{number}", [number * 60], "start")
        told += visits(f"j{number}", [number * 60 + 20], "work")
        told.append(
            WMS.log(
                "done",
                (number * 60 + 50) * 1000,
                event_name="job.finished",
                attributes={"job.id": f"j{number}"},
            )
        )
        # No milestone: inside another span, or without the key.
        told.append(
            SHOP.span("inner", number * 60_000 + 1, 1, parent=b"p" * 8, attributes={"job.id": f"j{number}"})
        )
    store.put(batch(*told, received_ns=now_ns()))
    at(BASE_NS + 30 * HOUR)
    past = histories.read(worker, "job", "production", now_ns())
    assert {tuple(step.name for step in one.steps) for one in past} == {("start", "work", "job.finished")}
    assert {one.source for one in past} == {"milestone"}
    paces = learning.learn(worker, "job", "production", now_ns())
    assert paces["start"].ways[0][:2] == ("work", "shop")
    assert paces["work"].ways[0][:2] == ("job.finished", "wms")
    assert paces["job.finished"].is_end
    at(
        BASE_NS + 20 * HOUR
    )  # on the first day where they stay is not told from where they have only just come to
    assert not learning.learn(worker, "job", "production", now_ns())["job.finished"].is_end


def test_who_is_late_under_what_was_just_learned_is_looked_at(
    store: Store, worker: psycopg.Connection, at: At
) -> None:
    store.put(batch(*orders(60, stuck=1), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    worker.execute(
        "UPDATE expectation SET verdict = 'moving', step = 'created', since_ns = %s, looks_ns = %s",
        (BASE_NS + HOUR, BASE_NS + DAY),
    )
    learning.learn(worker, "order", "production", now_ns())
    rows = worker.execute("SELECT DISTINCT looks_ns FROM expectation").fetchall()
    assert rows == [(BASE_NS + 2 * HOUR,)]


def test_each_type_has_its_turn_and_then_a_rest(store: Store, worker: psycopg.Connection, at: At) -> None:
    store.put(batch(*orders(30), *visits("j1", [1, 2]), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    worker.execute("UPDATE expectation SET verdict = 'moving'")
    backlogs.count(worker, now_ns())
    learner = Learner()
    assert learner.work(worker) is True  # another one was never learned
    assert learner.work(worker) is False
    types = {row[0] for row in worker.execute("SELECT type FROM learned").fetchall()}
    assert types == {"order", "job"}
    assert learner.work(worker) is False
    before = worker.execute("SELECT min(learned_ns) FROM learned").fetchone()
    at(BASE_NS + 3 * HOUR)
    learner.work(worker)
    assert worker.execute("SELECT max(learned_ns) FROM learned").fetchone() != before


def test_what_begins_evenly_has_a_rhythm(store: Store, worker: psycopg.Connection, at: At) -> None:
    nightly = [
        SHOP.span("sync", n * 600_000, 5, trace=trace_id(f"r{n}"), kind=5, attributes={"job.id": f"run-{n}"})
        for n in range(12)
    ]
    store.put(batch(*nightly, received_ns=now_ns()))
    at(BASE_NS + 3 * HOUR)
    learning.learn(worker, "job", "production", now_ns())
    row = worker.execute("SELECT facts FROM learned WHERE source = 'series'").fetchone()
    assert row and row[0]["period_ns"] == 10 * MINUTE
    worker.execute("DELETE FROM flow WHERE key LIKE 'run-_'")
    learning.learn(worker, "job", "production", now_ns())
    assert worker.execute("SELECT count(*) FROM learned WHERE source = 'series'").fetchone() == (0,)


def went(*steps: tuple[str, float], until: float = 1_000, key: str = "k") -> History:
    told = [Step(name, "shop", BASE_NS + round(at * S)) for name, at in steps]
    return History(key.encode(), key, told, "state", BASE_NS, BASE_NS + round(until * S))


def test_who_ended_waits_no_more() -> None:
    stays = stays_of([went(("paid", 0), ("delivered", 9)), went(("paid", 0))], Customs(), [])
    assert (stays["paid"].passed, stays["paid"].waiting) == ([9 * S], [1_000 * S])
    assert (stays["delivered"].passed, stays["delivered"].waiting) == ([], [])


def test_a_wait_is_watched_until_we_were_blind() -> None:
    blind = [(BASE_NS + 100 * S, BASE_NS + 200 * S)]
    assert stays_of([went(("paid", 0))], Customs(), blind)["paid"].waiting == [100 * S]


def test_a_customer_has_no_course_and_an_order_has() -> None:
    customer = [
        went(*((name, n * 100 + at) for n in range(3) for at, name in enumerate(("visit", "buy"))))
        for _ in range(40)
    ]
    order = [went(("created", 0), ("paid", 5), ("done", 9)) for _ in range(40)]
    assert recurs(customer) and not recurs(order)
    assert paces_of(customer, Customs(), [])["visit"][1]["quiet"] is True


def test_what_raised_too_many_false_alarms_is_grey() -> None:
    """A step that some pass in a second and one in twelve after hours, in flows enough for a p90 only."""
    past = [
        went(("paid", 0), ("shipped", 9_000 if n % 12 == 0 else 1), until=90_000, key=str(n))
        for n in range(40)
    ]
    pace, facts = paces_of(past, Customs(), [])["paid"]
    assert pace.threshold and facts["quiet"] is (facts["backtest"]["alarms"] > 1)


def test_a_person_says_that_a_step_is_no_end() -> None:
    past = [went(("paid", 0), ("shipped", 5 + n % 9), until=9_000, key=str(n)) for n in range(80)]
    past += [went(("paid", 0), until=9_000, key=f"s{n}") for n in range(20)]
    assert paces_of(past, Customs(), [])["paid"][0].threshold is None
    assert paces_of(past, Customs(answers={"paid": False}), [])["paid"][0].threshold == MINUTE


def test_what_two_systems_say_alike_is_one_stay() -> None:
    """All stay at returned, which the shop says first and wms three seconds later."""

    def returned(count: int) -> list[History]:
        told = [
            Step("delivered", "wms", BASE_NS),
            Step("returned", "shop", BASE_NS + 100 * S),
            Step("returned", "wms", BASE_NS + 103 * S),
        ]
        return [
            History(bytes([n]), str(n), told, "state", BASE_NS, BASE_NS + 2 * DAY + n * S)
            for n in range(count)
        ]

    pace, facts = paces_of(returned(40), Customs(), [])["returned"]
    assert (pace.is_end, pace.plateau, pace.passed, pace.waiting, pace.threshold) == (True, 1.0, 0, 40, None)
    assert facts["ways"] == [{"step": "returned", "system": "wms", "share": 1.0}]
    few = paces_of(returned(20), Customs(), [])["returned"][0]
    assert (few.is_end, few.plateau, few.threshold) == (False, 0.0, None)
    # Where nobody stays for good what the other system says next is awaited as any step is.
    on = [
        replace(one, steps=[*one.steps, Step("refunded", "shop", BASE_NS + 200 * S)]) for one in returned(40)
    ]
    assert paces_of(on, Customs(), [])["returned"][0].passed == 80


def test_a_few_old_flows_make_no_type_old() -> None:
    """All that began in the last hours wait where they came to, and a handful of a file that was read in as well."""
    day = 86_400
    young = [went(("paid", day + n), until=day + 9_000, key=str(n)) for n in range(100)]
    old = [went(("paid", 60 * n), until=day + 9_000, key=f"old {n}") for n in range(40)]
    assert not paces_of([*young, *old[:5]], Customs(), [])["paid"][0].is_end
    assert paces_of([*young, *old], Customs(), [])["paid"][0].is_end


def test_a_threshold_holds_while_a_queue_makes_it_uncertain(
    store: Store, worker: psycopg.Connection, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(batch(*orders(70), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    before = learning.learn(worker, "order", "production", now_ns())["created"]
    assert before.level == "p95"
    queue = [stated(1_000 + n, "created", 7_100 + n / 10) for n in range(60)]
    store.put(batch(*queue, received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR + 20 * MINUTE)
    after = learning.learn(worker, "order", "production", now_ns())["created"]
    assert (after.threshold, after.level) == (before.threshold, "p95") and after.waiting == 60
    row = worker.execute("SELECT facts ->> 'held_since_ns' FROM learned WHERE step = 'created'").fetchone()
    assert row and row[0] == str(now_ns())


def test_what_is_learned_is_what_the_judge_knows(store: Store, worker: psycopg.Connection, at: At) -> None:
    store.put(batch(*orders(100), received_ns=now_ns()))
    at(BASE_NS + 2 * HOUR)
    paces = learning.learn(worker, "order", "production", now_ns())
    known = loading.load(worker, now_ns()).paces["order", "production", "created", "state"]
    assert known == paces["created"] and known.ways[0].system == "wms"
