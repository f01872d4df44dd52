"""Days go out whole, only when date and last receipt are past, beside running ingest and after a crash."""

import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests import tables
from tests.at_once import at_once
from tests.builders import Service, batch
from tracing import partitions, retention
from tracing.clock import now_ns
from tracing.committing import Committer
from tracing.records import DAY_NS, Span
from tracing.storing import Store

SHOP = Service("shop")
ORDER = {"order.id": "1"}
OLD = 18_000


def on(day: int, name: str = "s") -> Span:
    return SHOP.span(f"{name} {day}", 0, 1, start_ns=day * DAY_NS, attributes=ORDER)


def received(worker: psycopg.Connection, day: int, days_ago: int) -> None:
    worker.execute("UPDATE day SET last_received_ns = %s WHERE day = %s", (now_ns() - days_ago * DAY_NS, day))


@pytest.fixture
def other_days_kept(worker: psycopg.Connection) -> Iterator[None]:
    """Days of other tests are none of ours: they were received just now."""
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    yield


def names(worker: psycopg.Connection, day: int) -> set[str]:
    rows = worker.execute("SELECT relname FROM pg_class WHERE relname ~ %s", (f"_d{day}$",)).fetchall()
    return {row[0] for row in rows}


def test_a_day_goes_when_its_date_and_its_last_receipt_are_past(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    today = now_ns() // DAY_NS
    ages = {OLD: 15, OLD + 1: 13, today - 13: 15, today - 15: 15}
    store.put(batch(*(on(day) for day in ages)))
    for day, days_ago in ages.items():
        received(worker, day, days_ago)
    assert retention.drop_old(worker, 14, 50_000) == [OLD, today - 15]
    assert names(worker, OLD) == set()
    assert tables.ask(conninfo, "SELECT day FROM span ORDER BY day") == [(OLD + 1,), (today - 13,)]
    assert tables.ask(conninfo, "SELECT day FROM request ORDER BY day") == [(OLD + 1,), (today - 13,)]
    # The order keeps what it was.
    flow = tables.flow(conninfo, "1")
    assert (flow["spans"], flow["first_ns"], flow["chapters"]) == (4, OLD * DAY_NS, 1)
    assert retention.drop_old(worker, 14, 50_000) == []


def test_who_sent_it_goes_after_the_last_of_its_days(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """One process sent to a day that stays, the other's day goes; a third is heard of today."""
    # What is older is needed by whoever stored it, and would keep these.
    worker.execute("UPDATE day SET dropped_ns = 1 WHERE day < %s", (OLD,))
    today = now_ns() // DAY_NS
    days = {"stays": OLD, "goes": OLD + 1, "today": OLD + 2}
    for name, day in days.items():
        store.put(batch(Service(name).span("s", 0, 1, start_ns=day * DAY_NS)))
    for name in ("stays", "goes"):
        worker.execute("UPDATE resource SET last_day = %s WHERE service = %s", (days[name], name))
    for day in (OLD, OLD + 1, OLD + 2):
        received(worker, day, 20)
    received(worker, OLD, 1)
    assert retention.drop_old(worker, 14, 50_000) == [OLD + 1, OLD + 2]
    services = "SELECT service FROM resource WHERE service = ANY(%s) ORDER BY service"
    assert [row[0] for row in tables.ask(conninfo, services, list(days))] == ["goes", "stays", "today"]
    received(worker, OLD, 20)
    retention.drop_old(worker, 14, 50_000)
    assert [row[0] for row in tables.ask(conninfo, services, list(days))] == ["today"]
    # It comes back with its next record.
    again = Store(conninfo, "production")
    again.put(batch(Service("goes").span("s", 0, 1, start_ns=today * DAY_NS)))
    again.close()
    assert [row[0] for row in tables.ask(conninfo, services, list(days))] == ["goes", "today"]


def test_a_dropped_day_begins_anew(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    store.put(batch(on(OLD)))
    received(worker, OLD, 20)
    assert retention.drop_old(worker, 14, 50_000) == [OLD]
    # This store still believes the day is there.
    store.put(batch(on(OLD, "late")))
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 1
    assert OLD in partitions.stored_days(worker)
    assert retention.drop_old(worker, 14, 50_000) == []


def test_a_record_that_came_just_now_keeps_its_day(
    other_days_kept: None,
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between retention's look and its close."""
    store.put(batch(on(OLD), on(OLD + 1)))
    for day in (OLD, OLD + 1):
        received(worker, day, 20)
    closing = retention._close

    def close(connection: psycopg.Connection, day: int, before_ns: int) -> bool:
        if day == OLD:
            late = Store(conninfo, "production")
            late.put(batch(on(OLD, "late")))
            late.close()
        return closing(connection, day, before_ns)

    monkeypatch.setattr(retention, "_close", close)
    assert retention.drop_old(worker, 14, 50_000) == [OLD + 1]
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 2


def test_a_batch_that_meets_a_closing_day_waits_and_is_kept(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """The day is closed, its partitions still there: written into them, the batch would be lost with them."""
    store.put(batch(on(OLD)))
    received(worker, OLD, 20)
    fresh = Committer(conninfo, "production", 400)
    fresh.alone(batch(on(OLD + 1)))
    received(worker, OLD, 20)
    worker.execute("SELECT pg_advisory_lock(%s)", (partitions.SHAPE_LOCK,))
    assert retention._close(worker, OLD, now_ns() - 14 * DAY_NS)
    sending = threading.Thread(target=fresh.alone, args=(batch(on(OLD, "late")),))
    fresh._days.add(OLD)
    sending.start()
    time.sleep(0.3)
    assert sending.is_alive()
    retention._drop(worker, OLD)
    worker.execute("SELECT pg_advisory_unlock(%s)", (partitions.SHAPE_LOCK,))
    sending.join(10)
    fresh.close()
    assert tables.ask(conninfo, "SELECT name FROM span WHERE day = %s", OLD) == [(f"late {OLD}",)]


INTERRUPTED = {
    "closed only": [],
    "one partition detached": ["ALTER TABLE span DETACH PARTITION span_d{day}"],
    "one dropped, one detached": ["DROP TABLE span_d{day}", "ALTER TABLE log DETACH PARTITION log_d{day}"],
    "all but one dropped": [f"DROP TABLE {table}_d{{day}}" for table in partitions.TABLES[:-1]],
}


@pytest.mark.parametrize("statements", INTERRUPTED.values(), ids=INTERRUPTED.keys())
@pytest.mark.parametrize("first", ["retention", "ingest"])
def test_an_interrupted_drop_is_finished(
    other_days_kept: None,
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    statements: list[str],
    first: str,
) -> None:
    store.put(batch(on(OLD)))
    received(worker, OLD, 20)
    retention._close(worker, OLD, now_ns())
    for statement in statements:
        worker.execute(statement.format(day=OLD).encode())
    if first == "retention":
        retention.drop_old(worker, 14, 50_000)
        assert names(worker, OLD) == set()
    late = Store(conninfo, "production")
    assert not late.put(batch(on(OLD, "late"))).refusals
    late.close()
    assert tables.ask(conninfo, "SELECT name FROM span") == [(f"late {OLD}",)]
    assert tables.one(conninfo, "SELECT sum(spans) FROM request") == 1
    assert retention.drop_old(worker, 14, 50_000) == []


def test_a_half_detached_partition_is_finished(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """DETACH CONCURRENTLY commits twice; a crash between leaves it pending."""
    store.put(batch(on(OLD)))
    received(worker, OLD, 20)
    retention._close(worker, OLD, now_ns())
    with psycopg.connect(conninfo) as reader:
        reader.execute("SELECT count(*) FROM span")  # holds the lock that the second half waits for
        with psycopg.connect(conninfo, autocommit=True) as dying:
            dying.execute("SET statement_timeout = '300ms'")
            with pytest.raises(psycopg.errors.QueryCanceled):
                dying.execute(f"ALTER TABLE span DETACH PARTITION span_d{OLD} CONCURRENTLY".encode())
    pending = "SELECT count(*) FROM pg_inherits WHERE inhdetachpending"
    assert tables.one(conninfo, pending) == 1
    retention.drop_old(worker, 14, 50_000)
    assert tables.one(conninfo, pending) == 0
    assert names(worker, OLD) == set()


def test_a_long_reader_holds_up_neither_ingest_nor_a_new_process(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """A dump reads for an hour, and retention waits for it."""
    store.put(batch(on(OLD), on(OLD + 1)))
    received(worker, OLD, 20)
    dropping = threading.Thread(target=retention.drop_old, args=(worker, 14, 50_000))
    with psycopg.connect(conninfo) as reader:
        reader.execute("SELECT count(*) FROM span")
        dropping.start()
        while not tables.ask(conninfo, "SELECT 1 FROM pg_locks WHERE NOT granted"):
            time.sleep(0.01)
        fresh = Store(conninfo, "production")
        fresh.put(batch(on(OLD + 1, "meanwhile")))
        fresh.close()
        assert dropping.is_alive()
    dropping.join()
    assert names(worker, OLD) == set()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 2


def test_retention_gives_up_on_a_long_reader_and_comes_back(
    other_days_kept: None,
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "PATIENCE_MS", 200)
    store.put(batch(on(OLD)))
    received(worker, OLD, 20)
    with psycopg.connect(conninfo) as reader:
        reader.execute("SELECT count(*) FROM span")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            retention.drop_old(worker, 14, 50_000)
    assert worker.execute("SHOW lock_timeout").fetchone() == ("0",)
    assert tables.one(conninfo, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    assert retention.drop_old(worker, 14, 50_000) == []
    assert names(worker, OLD) == set()


def test_ingest_goes_on_while_days_are_dropped(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    days = [OLD + n for n in range(4)]
    store.put(batch(*(on(day) for day in days)))
    for day in days:
        received(worker, day, 20)
    slowest = []

    def send() -> None:
        for n in range(60):
            began = time.monotonic()
            store.put(batch(SHOP.span(f"now {n}", n, 1, attributes=ORDER)))
            slowest.append(time.monotonic() - began)

    dropped: list[int] = []
    at_once(send, lambda: dropped.extend(retention.drop_old(worker, 14, 50_000)))
    assert dropped == days
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 60
    assert max(slowest) < 5


def test_a_flow_is_forgotten_after_a_retention_of_its_own(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    ended = SHOP.span(
        "e", 0, 1, start_ns=OLD * DAY_NS, attributes={"order.id": "old", "order.state": "done"}, status=2
    )
    store.put(
        batch(ended, SHOP.span("n", 0, 1, start_ns=now_ns(), attributes=ORDER | {"order.state": "new"}))
    )
    retention.drop_old(worker, 14, 400)
    assert tables.ask(conninfo, "SELECT key FROM flow") == [("1",)]
    for table in ("chapter", "assertion", "current_state"):
        with psycopg.connect(conninfo) as connection:
            count = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert count == (1,), table


def test_what_was_told_of_a_request_goes_with_its_day(
    other_days_kept: None, store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    failing = Service("shop").log(
        "x", 0, trace=bytes(range(16)), span_named=b"s" * 8, severity=17, time_ns=OLD * DAY_NS,
        attributes=ORDER | {"exception.type": "E"},
    )  # fmt: skip
    store.put(batch(failing))
    received(worker, OLD, 20)
    assert tables.one(conninfo, "SELECT count(*) FROM told_exception") == 2
    retention.drop_old(worker, 14, 50_000)
    flow_id = tables.one(conninfo, "SELECT flow_id FROM flow")
    assert tables.ask(conninfo, "SELECT scope_id FROM told_exception") == [(flow_id,)]


def test_what_the_watcher_noted_goes_when_its_time_is_past(worker: psycopg.Connection) -> None:
    """Failures of requests and when we were there with the records, a problem that is over with the flows."""
    now = now_ns()
    for days, state in ((500, "resolved"), (300, "resolved"), (500, "open")):
        name = f"{days}{state}"[:12].encode()
        at_ns = now - days * DAY_NS
        worker.execute(
            "INSERT INTO problem (problem_id, identity, kind, type, environment, step, system, title, why, severity, state,"
            " flows, all_flows, first_ns, last_ns, opened_ns, resolved_ns, evidence, checked_ns)"
            " VALUES (%s, %s, 'stuck', 'order', '', '', '', '', '', 3, %s, 1, 1, %s, %s, %s, %s, '{}', %s)",
            (name, name, state, at_ns, at_ns, at_ns, at_ns, at_ns),
        )
        worker.execute("INSERT INTO problem_flow VALUES (%s, %s, 1, %s, NULL)", (name, b"f" * 16, at_ns))
        worker.execute(
            "INSERT INTO flip (flip_id, problem_id, at_ns, judged_ns, after, sentence) VALUES (%s, %s, %s, %s, 'open', '')",
            (name, name, at_ns, at_ns),
        )
    for days in (20, 1):
        at_ns = now - days * DAY_NS
        worker.execute("INSERT INTO awake VALUES (%s, %s, %s)", (b"%d" % days, at_ns, at_ns))
        worker.execute("INSERT INTO blind VALUES (%s, %s)", (at_ns, at_ns))
        worker.execute(
            "INSERT INTO failure (scope_id, kind, fingerprint, at_ns, trace_id, record_id, environment, service, operation,"
            " error_type, message, day, received_ns, xid) VALUES (%s, 0, '', 1, '', '', '', '', '', '', '', 1, %s, '1')",
            (b"%d" % days, at_ns),
        )
    retention.drop_old(worker, 14, 400)
    names = "SELECT convert_from(problem_id, 'UTF8') FROM {} ORDER BY 1"
    for table in ("problem", "problem_flow", "flip"):
        assert worker.execute(names.format(table).encode()).fetchall() == [("300resolved",), ("500open",)], (
            table
        )
    for table in ("awake", "blind", "failure"):
        assert worker.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,), table


def test_what_names_no_flow_goes_too(store: Store, worker: psycopg.Connection) -> None:
    """Tests of a channel by age; what was learned and counted of types that have no flow any more."""
    now = now_ns()
    for days in (500, 300):
        worker.execute(
            "INSERT INTO message (message_id, channel_id, phase, subject, body, url, at_ns, not_before_ns, state)"
            " VALUES (%s, 1, 'test', '', '', '', %s, %s, 'sent')",
            (str(days), now - days * DAY_NS, now),
        )
    store.put(batch(SHOP.span("n", 0, 1, start_ns=now, attributes=ORDER)))
    for type, days in (("order", 40), ("gone", 40), ("forgotten", 20)):
        worker.execute(
            "INSERT INTO learned (type, environment, step, source, passed, waiting, is_end, facts, learned_ns)"
            " VALUES (%s, '', '', 'state', 1, 1, false, '{}', %s)",
            (type, now - days * DAY_NS),
        )
        worker.execute(
            "INSERT INTO backlog_history VALUES (%s, '', 'paid', 1, 1), (%s, '', 'new', 2, 1)", (type, type)
        )
    retention.drop_old(worker, 14, 400)
    assert worker.execute("SELECT message_id FROM message").fetchall() == [("300",)]
    assert worker.execute("SELECT type FROM learned ORDER BY 1").fetchall() == [("forgotten",), ("order",)]
    assert worker.execute("SELECT type, count(*) FROM backlog_history GROUP BY 1").fetchall() == [
        ("order", 2)
    ]
