"""The watcher's smaller readers and counters on the real tables."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, span_id, trace_id
from tracing import awake, noting, remarks
from tracing.awake import Awake
from tracing.clock import now_ns
from tracing.mentions import flow_id
from tracing.storing import Store
from tracing.watch import backlogs, blindness, courses, loading, memberships, moving, sensing, sight
from tracing.watch.backlogs import Backlogs
from tracing.watch.moving import Told, moves
from tracing.watch.standing import Step

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3_600 * S
SHOP, WMS = Service("shop"), Service("wms")
At = Callable[[int], None]
ORDER = flow_id("entity", "order", "4711", "production")


def test_a_batch_tells_the_watcher(store: Store, worker: psycopg.Connection) -> None:
    """Failures once a trace and service, what was said of the future, volumes by minute and milestone."""
    told = {"order.id": "4711"}
    root = SHOP.span("POST /orders", 0, 900, kind=2, status=2, message="carrier 503", attributes=told)
    inner = SHOP.span("charge", 10, 100, parent=root, status=2, message="declined", attributes=told)
    other = WMS.span(
        "reserve",
        200,
        50,
        parent=root,
        status=2,
        message="no stock",
        attributes={**told, "celery.retries": 1},
    )
    later = WMS.span("ask", 300, 50, parent=root, attributes={**told, "flow.deadline": BASE_NS + HOUR})
    store.put(batch(root, inner, other, later))
    rows = worker.execute(
        "SELECT kind, service, operation, message FROM failure ORDER BY kind, service"
    ).fetchall()
    # The first of each service: what was charged before the order failed.
    assert rows == [
        (0, "shop", "charge", "declined"), (0, "wms", "reserve", "no stock"),
        (1, "shop", "charge", "declined"), (1, "wms", "reserve", "no stock"),
    ]  # fmt: skip
    stated = worker.execute("SELECT flow_id, what, by_ns, system FROM stated").fetchall()
    assert stated == [(ORDER, "deadline", BASE_NS + HOUR, "wms")]
    tallies = worker.execute(
        "SELECT service, operation, records, errors, retries, length(lengths), length(delays) FROM tally ORDER BY 1, 2"
    ).fetchall()
    assert tallies == [
        ("shop", "", 2, 2, 0, 0, 1),
        ("shop", "POST /orders", 1, 1, 0, 1, 0),
        ("wms", "", 2, 1, 1, 0, 2),
    ]


def test_sent_again_nothing_is_told_again(store: Store, worker: psycopg.Connection) -> None:
    failed = SHOP.span("s", 0, 1, status=2, attributes={"order.id": "4711", "flow.expect.within": "5m"})
    store.put(batch(failed))
    store.put(batch(failed))
    for table, count in (("failure", 2), ("stated", 1), ("tally", 2), ("expectation", 1)):
        assert worker.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (count,), table


def test_a_log_without_a_trace_fails_for_its_flow(store: Store, worker: psycopg.Connection) -> None:
    line = WMS.log("no route to carrier", 5, severity=17, attributes={"order.id": "4711"})
    traced = WMS.log("again", 6, severity=17, span=SHOP.span("s", 0, 9), attributes={"order.id": "4711"})
    store.put(batch(line, traced))
    assert worker.execute("SELECT scope_id, message FROM failure").fetchall() == [
        (ORDER, "no route to carrier")
    ]


def test_many_names_are_tallied_without_them() -> None:
    told = remarks.Remarks("production")
    for number in range(400):
        span = SHOP.span(f"GET /orders/{number}", 0, 1, trace=trace_id(str(number)), kind=2)
        told.take_spans([span], (), BASE_NS, request=True)
    assert len(told.tallies) == remarks.MOST_TALLIES
    assert sum(one.records for key, one in told.tallies.items() if not key.operation) == 400


def test_a_course_knows_states_words_and_beats(store: Store, worker: psycopg.Connection) -> None:
    spans = [
        SHOP.span("tick", n * 60_000, 1, trace=trace_id(f"beat {n}"), kind=5, attributes={"job.id": "j"})
        for n in range(8)
    ]
    paid = SHOP.span(
        "pay",
        0,
        10,
        attributes={"order.id": "4711", "order.state": "paid", "flow.next_attempt_at": BASE_NS + 90 * S},
    )
    again = SHOP.span(
        "pay", 50_000, 10, trace=trace_id("again"), attributes={"order.id": "4711", "order.state": "paid"}
    )
    store.put(batch(*spans, paid, again))
    job = flow_id("entity", "job", "j", "production")
    read = courses.read(worker, [job, ORDER, b"?" * 16])
    assert read.keys() == {job, ORDER}
    assert read[job].beats == [BASE_NS + n * MINUTE for n in range(8)]
    assert (read[job].source, read[job].steps) == (
        "milestone",
        (Step("tick", "shop", BASE_NS + 7 * MINUTE),),
    )
    order = read[ORDER]
    assert (order.source, order.steps, order.states) == (
        "state",
        (Step("paid", "shop", paid.end_ns),),
        {"shop": "paid"},
    )
    assert [(one.what, one.operation) for one in order.stated] == [("retry", "pay")]
    assert order.operations == [("pay", again.start_ns)]


def test_the_life_of_an_order_is_no_rhythm(store: Store, worker: psycopg.Connection) -> None:
    steps = ("place", "pay", "reserve", "pack", "ship", "scan", "deliver")
    store.put(
        batch(
            *(
                SHOP.span(name, n * 60_000, 1, trace=trace_id(name), kind=5, attributes={"order.id": "4711"})
                for n, name in enumerate(steps)
            )
        )
    )
    assert len(courses.read(worker, [ORDER])[ORDER].beats) == 1


@pytest.mark.parametrize(
    ("told", "cut", "steps"),
    [
        ([(1, "new", "shop"), (2, "new", "shop"), (3, "paid", "shop")], False, [("new", 1), ("paid", 3)]),
        (
            [(3, "paid", "shop"), (1, "new", "shop"), (2, "open", "wms")],
            False,
            [("new", 1), ("open", 2), ("paid", 3)],
        ),
        # Earlier statements were left out: the first of a system may only repeat one.
        ([(1, "new", "shop"), (2, "paid", "shop"), (3, "open", "wms")], True, [("paid", 2)]),
        ([(1, "new", "shop")], True, [("new", 1)]),
    ],
)
def test_statements_into_steps(
    told: list[tuple[int, str, str]], cut: bool, steps: list[tuple[str, int]]
) -> None:
    said = [Told(BASE_NS + at, bytes([at]), state, system) for at, state, system in told]
    assert [(step.name, step.at_ns - BASE_NS) for step in moves(said, cut=cut)] == steps


def test_a_wrong_clock_is_no_step() -> None:
    assert moving.moves([Told(2**63 - 1, b"", "new", "shop"), Told(BASE_NS, b"", "new", "shop")]) == ()


def test_the_latest_milestone_of_a_membership(store: Store, worker: psycopg.Connection) -> None:
    """Of a trace that two orders share each has what descends from its own spans."""
    root = SHOP.span("batch", 0, 9_000)
    mine = SHOP.span("one", 10, 10, parent=root, attributes={"order.id": "4711"})
    other = SHOP.span("two", 20, 10, parent=root, attributes={"order.id": "4712"})
    deep = WMS.span("pick", 500, 10, parent=mine, kind=5)
    internal = WMS.span("inside", 900, 10, parent=mine)
    store.put(batch(root, mine, other, deep, internal))
    latest = memberships.latest_milestones(worker, [ORDER, flow_id("entity", "order", "4712", "production")])
    assert latest == {ORDER: deep.start_ns}


def test_huge_traces_are_left_out(
    store: Store, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = SHOP.span("one", 10, 10, kind=5, attributes={"order.id": "4711"})
    store.put(batch(mine, WMS.span("pick", 500, 10, parent=mine, kind=5)))
    monkeypatch.setattr(memberships, "MOST_SPANS", 1)
    assert memberships.latest_milestones(worker, [ORDER]) == {}


def test_a_backlog_counts_each_step_with_its_oldest(worker: psycopg.Connection, at: At) -> None:
    at(BASE_NS)
    rows = [
        (b"1" * 16, "moving", "paid", BASE_NS - 5 * S, False),
        (b"2" * 16, "stuck", "paid", BASE_NS - 9 * S, False),
        (b"3" * 16, "stuck", "paid", BASE_NS - 7 * S, True),  # grey: not counted as stuck
        (b"4" * 16, "ended", "done", BASE_NS, False),
        (b"5" * 16, None, None, None, False),
    ]
    for row in rows:
        worker.execute(
            "INSERT INTO expectation (flow_id, kind, type, environment, verdict, step, since_ns, quiet)"
            " VALUES (%s, 1, 'order', 'production', %s, %s, %s, %s)",
            row,
        )
    Backlogs().work(worker)
    told = worker.execute(
        "SELECT step, open, ended, late, stuck, oldest_ns, oldest_id, counted_ns FROM backlog ORDER BY step"
    ).fetchall()
    assert told == [
        ("done", 0, 1, 0, 0, None, None, BASE_NS),
        ("paid", 3, 0, 0, 1, BASE_NS - 9 * S, b"2" * 16, BASE_NS),
    ]
    assert worker.execute("SELECT step, open FROM backlog_history").fetchall() == [("paid", 3)]
    worker.execute("DELETE FROM expectation")
    backlogs.count(worker, BASE_NS + S)
    assert worker.execute("SELECT count(*) FROM backlog").fetchone() == (0,)


def test_a_receiver_says_when_it_was_there(conninfo: str, worker: psycopg.Connection, at: At) -> None:
    at(BASE_NS)
    there = Awake(lambda: conninfo)
    there.start()
    at(BASE_NS + HOUR)
    there.close()
    told = worker.execute("SELECT since_ns, until_ns FROM awake").fetchall()
    assert told in ([(BASE_NS, BASE_NS + HOUR)], [(BASE_NS + HOUR, BASE_NS + HOUR)])


def test_what_could_not_be_written_is_a_gap(conninfo: str, worker: psycopg.Connection, at: At) -> None:
    away = "host=127.0.0.1 port=1 dbname=none"
    reachable = [conninfo]
    there = Awake(lambda: reachable[0])
    for seconds, where in (
        (0, conninfo),
        (30, conninfo),
        (60, away),
        (90, away),
        (600, conninfo),
        (630, conninfo),
    ):
        if where != reachable[0]:
            there.leave()
        reachable[0] = where
        at(BASE_NS + seconds * S)
        there.touch()
    there.leave()
    assert worker.execute("SELECT since_ns, until_ns FROM awake ORDER BY 1").fetchall() == [
        (BASE_NS, BASE_NS + 30 * S),
        (BASE_NS + 600 * S, BASE_NS + 630 * S),
    ]
    assert sight.blind(worker, BASE_NS - HOUR, BASE_NS + 11 * MINUTE) == [
        (BASE_NS + 30 * S, BASE_NS + 600 * S)
    ]


def test_starting_a_receiver_anew_is_no_blindness(worker: psycopg.Connection) -> None:
    for since, until in ((0, 100), (120, 300), (340, 600)):
        worker.execute("INSERT INTO awake VALUES ('p', %s, %s)", (BASE_NS + since * S, BASE_NS + until * S))
    hour = BASE_NS - HOUR, BASE_NS + HOUR
    assert sight.blind(worker, *hour)[0] == (BASE_NS + 300 * S, BASE_NS + 340 * S)
    assert sight.blind(worker, BASE_NS + 310 * S, BASE_NS + 330 * S) == [
        (BASE_NS + 310 * S, BASE_NS + 330 * S)
    ]
    assert sight.blind(worker, BASE_NS - HOUR, BASE_NS + 200 * S) == []


def arrived(worker: psycopg.Connection, service: str, minutes: range, records: int = 60) -> None:
    with worker.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO arrival (service, environment, minute, records, delays) VALUES (%s, 'production', %s, %s, '{}')",
            [(service, minute, records) for minute in minutes],
        )


NOW = BASE_NS // MINUTE


def test_nothing_from_anybody_is_blindness_until_something_comes(worker: psycopg.Connection, at: At) -> None:
    for service in ("shop", "wms"):
        arrived(worker, service, range(NOW - 60, NOW - 20))
    at((NOW + 1) * MINUTE)
    sensing.work(worker)
    sensing.work(worker)
    assert worker.execute("SELECT from_ns, until_ns FROM blind").fetchall() == [((NOW - 20) * MINUTE, None)]
    assert blindness.total_ns(sight.blind(worker, now_ns() - HOUR, now_ns())) == 21 * MINUTE
    arrived(worker, "shop", range(NOW + 5, NOW + 6))
    at((NOW + 7) * MINUTE)
    sensing.work(worker)
    assert worker.execute("SELECT from_ns, until_ns FROM blind").fetchall() == [
        ((NOW - 20) * MINUTE, (NOW + 5) * MINUTE)
    ]


@pytest.mark.parametrize(
    ("heard", "since"),
    [
        ([], None),
        ([(NOW - 30, 1), (NOW - 29, 1)], None),  # one service may be done for today
        ([(NOW - 30, 2), (NOW - 29, 2)], NOW - 28),
        ([(NOW - 9, 2), (NOW - 8, 2)], None),
        ([(NOW - 130, 2), (NOW - 80, 2), (NOW - 60, 1)], None),  # pauses of 50 minutes are usual here
    ],
)
def test_a_hush(heard: list[tuple[int, int]], since: int | None) -> None:
    assert sensing.hushed_since(heard, NOW) == since


def test_what_cannot_be_used_of_the_rules_is_left_out(
    worker: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    from tracing.models import ExpectationRule, TypeSettings

    ExpectationRule.objects.create(type="order", step="paid", within_s=60)
    ExpectationRule.objects.create(type="order", step="off", within_s=60, enabled=False)
    TypeSettings.objects.create(type="order", good_ends=["done"], answers={"paid": False})
    TypeSettings.objects.create(type="odd", good_ends=[["nested"]])
    assert [rule.step for rule in loading.rulings(worker)["order"]] == ["paid"]
    known = loading.customs(worker)
    assert known["order"].good == frozenset({"done"}) and "odd" not in known
    assert "odd" in caplog.text


def test_threads_may_wake_one_flow_at_once(store: Store, worker: psycopg.Connection) -> None:
    def put(number: int) -> None:
        told = {"order.id": "4711", "flow.expect.within": "5m"}
        store.put(
            batch(
                SHOP.span(
                    "s",
                    number,
                    1,
                    trace=trace_id(f"t{number}"),
                    id=span_id(str(number)).hex(),
                    attributes=told,
                )
            )
        )

    threads = [threading.Thread(target=put, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert worker.execute("SELECT count(*) FROM stated").fetchone() == (20,)
    assert worker.execute("SELECT count(*) FROM expectation").fetchone() == (1,)


def test_the_names_are_the_ones_of_the_code() -> None:
    assert noting.KINDS == remarks.KINDS == {"entity": 1, "workflow": 2}
    assert awake.EVERY_S < 10
