"""The store under real PostgreSQL: the same thing twice, at once, in pieces, and what it refuses."""

import threading
from collections.abc import Iterator, Sequence

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests import tables
from tests.at_once import at_once
from tests.builders import MS, T1, T2, Service, batch, event, trace_id
from tests.wire import Wire
from tracing.committing import Committer
from tracing.partitions import stored_days
from tracing.records import DAY_NS, Batch, Log, Span
from tracing.storing import Store, Unavailable
from tracing.writing import Writer

SHOP, BILLING = Service("shop"), Service("Billing")
ORDER = {"order.id": "4711"}


def story() -> list[Span | Log]:
    """One order in two traces and two services, with an exception told twice and a log outside any trace."""
    place = SHOP.span("POST /orders", 0, 900, kind=2, attributes=ORDER | {"order.state": "placed"})
    pay = BILLING.span(
        "charge", 100, 300, parent=place, status=2, attributes=ORDER,
        events=[event("exception", 350, exception__type="Declined", exception__message="no")],
    )  # fmt: skip
    told = BILLING.log(
        "declined", 351, span=pay, severity=17,
        attributes=ORDER | {"exception.type": "Declined", "exception.message": "no"},
    )  # fmt: skip
    again = BILLING.span("charge", 5000, 200, trace=T2, kind=5, attributes=ORDER | {"order.state": "paid"})
    outside = SHOP.log("packed", 9000, attributes=ORDER)
    return [place, pay, told, again, outside]


def test_a_story_is_counted(store: Store, conninfo: str) -> None:
    outcome = store.put(batch(*story()))
    assert (outcome.stored_spans, outcome.stored_logs, outcome.again.total(), outcome.refusals) == (
        3,
        2,
        0,
        [],
    )
    flow = tables.flow(conninfo, "4711")
    counts = {name: flow[name] for name in ("spans", "events", "logs", "errors", "chapters", "state")}
    # Two errors: the span's status and its exception; the log tells that exception again.
    assert counts == {"spans": 3, "events": 1, "logs": 2, "errors": 2, "chapters": 3, "state": "paid"}
    assert flow["services"] == ["Billing", "shop"]
    assert flow["environment"] == "production"


def test_the_same_batch_twice_changes_nothing_but_resent(store: Store, conninfo: str) -> None:
    store.put(batch(*story()))
    before = tables.everything(conninfo)
    outcome = store.put(batch(*story()))
    assert outcome.again.total() == 5
    assert tables.everything(conninfo) == before
    assert tables.ask(conninfo, "SELECT trace_id, resent FROM request ORDER BY resent") == [(T2, 1), (T1, 3)]
    assert tables.one(conninfo, "SELECT sum(resent) FROM chapter") == 5


def test_twice_in_one_batch_is_once(store: Store, conninfo: str) -> None:
    outcome = store.put(batch(*story(), *story()))
    assert outcome.again.total() == 5
    assert tables.flow(conninfo, "4711")["spans"] == 3


def test_the_same_twice_at_once_and_in_reverse_order(store: Store, conninfo: str) -> None:
    records = many(400)
    other = Store(conninfo, "production")
    before = tables.deadlocks(conninfo)
    at_once(
        lambda: store.put(batch(*records)),
        lambda: other.put(batch(*reversed(records))),
        lambda: store.put(batch(*records[::-1])),
        lambda: other.put(batch(*records)),
    )
    other.close()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 400
    assert tables.one(conninfo, "SELECT sum(spans) FROM flow") == 800
    assert tables.one(conninfo, "SELECT sum(spans) FROM request") == 400
    assert tables.deadlocks(conninfo) == before


def many(count: int) -> list[Span]:
    """Spans of 20 orders and one customer, in 30 traces on three days."""
    return [
        SHOP.span(
            f"step {n}", n, 5, trace=trace_id(str(n % 30)), id=f"many {n}",
            start_ns=1_795_000_000_000_000_000 + (n % 3) * DAY_NS + n * MS,
            attributes={"order.id": f"o{n % 20}", "customer.id": "c1"},
        )
        for n in range(count)
    ]  # fmt: skip


def test_overlapping_batches_at_once_count_exactly(conninfo: str) -> None:
    records = many(600)
    stores = [Store(conninfo, "production", writers=1) for _ in range(4)]
    before = tables.deadlocks(conninfo)

    def send(which: int) -> None:
        for start in range(0, 600, 50):
            part = records[(start + which * 150) % 600 :][:80]
            stores[which].put(batch(*(part if which % 2 else part[::-1])))

    at_once(*(lambda which=which: send(which) for which in range(4)))
    for store in stores:
        store.close()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 600
    assert tables.one(conninfo, "SELECT spans FROM flow WHERE type = 'customer'") == 600
    assert tables.one(conninfo, "SELECT chapters FROM flow WHERE type = 'customer'") == 30
    assert tables.one(conninfo, "SELECT sum(spans) FROM chapter") == 1200
    assert tables.one(conninfo, "SELECT sum(length(span_ids)) / 8 FROM member") == 1200
    assert tables.deadlocks(conninfo) == before


def test_a_different_span_under_the_same_ids_is_a_version(store: Store, conninfo: str) -> None:
    first = SHOP.span("try", 0, 10, id="task", attributes=ORDER | {"order.state": "queued"})
    second = SHOP.span("try", 0, 90, id="task", attributes=ORDER | {"order.state": "done"})
    store.put(batch(second))
    store.put(batch(first, second))
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 2
    flow = tables.flow(conninfo, "4711")
    assert (flow["spans"], flow["state"], flow["chapters"]) == (2, "done", 1)


def test_a_trace_on_three_days_is_one_chapter(store: Store, conninfo: str) -> None:
    day_ms = DAY_NS / MS
    for day in (0, 2, 1):
        store.put(batch(SHOP.span("poll", day * day_ms, 5, attributes=ORDER)))
    store.put(batch(SHOP.log("x", 0, attributes=ORDER), SHOP.log("y", day_ms, attributes=ORDER)))
    assert tables.one(conninfo, "SELECT count(*) FROM chapter") == 5
    # One trace, and the traceless logs of one service on two days.
    assert tables.flow(conninfo, "4711")["chapters"] == 3


def deep() -> Span:
    """A span whose attributes PostgreSQL cannot parse: its stack ends before their depth does."""
    span = SHOP.span("deep", 20, 1, attributes=ORDER)
    span.attributes_json = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    return span


def wide() -> Log:
    log = SHOP.log("wide", 20, attributes=ORDER)
    log.severity = 2**40
    return log


@pytest.mark.parametrize("odd", [deep(), wide()], ids=["too deep for jsonb", "too large for its column"])
def test_a_record_the_database_refuses_costs_only_itself(
    store: Store, conninfo: str, odd: Span | Log
) -> None:
    outcome = store.put(batch(*story(), odd, *many(30)))
    assert [refusal.count for refusal in outcome.refusals] == [1]
    assert "refused" in outcome.refusals[0].reason
    assert outcome.refusals[0].service == "shop"
    assert outcome.stored_spans + outcome.stored_logs == 35
    assert tables.flow(conninfo, "4711")["spans"] == 3
    assert tables.flow(conninfo, "c1", "customer")["spans"] == 30


def test_a_shared_transaction_that_fails_costs_the_other_requests_nothing(conninfo: str) -> None:
    store = Store(conninfo, "production", writers=1)
    outcomes: dict[int, Sequence[object]] = {}

    def put(which: int, one: Batch) -> None:
        outcomes[which] = store.put(one).refusals

    batches = [batch(*many(30)[n::3]) for n in range(3)] + [batch(deep())]
    at_once(*(lambda n=n, one=one: put(n, one) for n, one in enumerate(batches)))
    store.close()
    assert [len(outcomes[n]) for n in range(4)] == [0, 0, 0, 1]
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 30


def test_days_beyond_the_bound_are_refused_and_the_rest_stored(conninfo: str) -> None:
    there = tables.one(conninfo, "SELECT count(*) FROM day WHERE dropped_ns IS NULL")
    store = Store(conninfo, "production", max_days=there + 2)
    far = [SHOP.span("far", 0, 1, start_ns=(30_000 + n) * DAY_NS, attributes=ORDER) for n in range(5)]
    outcome = store.put(batch(*far, SHOP.log("far too", 0, time_ns=30_000 * DAY_NS)))
    store.close()
    assert [(refusal.count, refusal.service) for refusal in outcome.refusals] == [(3, "shop")]
    assert "THREADLINE_MAX_DAYS" in outcome.refusals[0].reason
    assert (outcome.stored_spans, outcome.stored_logs) == (2, 1)
    assert tables.flow(conninfo, "4711")["spans"] == 2
    forget_days(conninfo, range(30_000, 30_005))


def forget_days(conninfo: str, days: Sequence[int]) -> None:
    """Take test days out again: the tables' shape outlives a test."""
    import psycopg

    from tracing.retention import finish_interrupted

    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("UPDATE day SET dropped_ns = 1 WHERE day = ANY(%s)", (list(days),))
        finish_interrupted(connection)
        connection.execute("DELETE FROM day WHERE day = ANY(%s)", (list(days),))
        assert not stored_days(connection) & set(days)


def test_absurd_times_lie_in_the_catch_all_ranges_and_date_nothing(store: Store, conninfo: str) -> None:
    good = SHOP.span("good", 0, 10, attributes=ORDER)
    absurd: list[Span | Log] = [
        SHOP.span("epoch", 0, 0, start_ns=0, attributes=ORDER),
        SHOP.span("far", 0, 0, start_ns=2**63 - 1, end_ns=2**63 - 1, attributes=ORDER),
        SHOP.log("none", 0, time_ns=0, attributes=ORDER),
    ]
    assert not store.put(batch(*absurd, good)).refusals
    flow = tables.flow(conninfo, "4711")
    assert (flow["spans"], flow["logs"]) == (3, 1)
    assert (flow["first_ns"], flow["last_ns"]) == (good.start_ns, good.end_ns)
    where = "SELECT tableoid::regclass::text FROM span WHERE start_ns = 0 OR start_ns = 9223372036854775807"
    assert sorted(tables.ask(conninfo, where)) == [("span_ancient",), ("span_future",)]


def test_no_database_is_unavailable_and_keeps_no_one_waiting() -> None:
    store = Store("host=127.0.0.1 port=1 dbname=nothing connect_timeout=1", "production")
    with pytest.raises(Unavailable) as raised:
        store.put(batch(*story()))
    assert 1 <= raised.value.retry_after_s <= 9
    assert store.ready()
    with pytest.raises(Unavailable):
        _ = store.digest_key
    store.close()


def test_connections_lost_are_made_anew(conninfo: str) -> None:
    records = story()
    store = Store(f"{conninfo} application_name=victim", "production")
    store.put(batch(records[0]))
    for record in records[1:]:
        tables.ask(
            conninfo,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'",
        )
        store.put(batch(record))
    assert store.ready() is None
    store.close()
    assert tables.flow(conninfo, "4711")["spans"] == 3


@pytest.fixture
def wire(conninfo: str) -> Iterator[tuple[Wire, str]]:
    """A wire to the test database, and the connection string that leads through it."""
    told = conninfo_to_dict(conninfo)
    host, port = str(told["host"]), int(str(told.get("port") or 5432))
    with Wire(f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)) as wire:
        yield wire, make_conninfo(conninfo, host="127.0.0.1", port=wire.port)


def test_gone_and_back_again(wire: tuple[Wire, str], conninfo: str) -> None:
    store = Store(wire[1], "production")
    records = story()
    store.put(batch(records[0]))
    assert store.ready() is None
    wire[0].cut()
    for _ in range(3):
        with pytest.raises(Unavailable) as raised:
            store.put(batch(*records))
        assert raised.value.sentence.endswith(".")
    assert store.ready() == "The database cannot be reached."
    wire[0].mend()
    assert store.put(batch(*records)).again.total() == 1
    assert store.ready() is None
    store.close()
    assert tables.flow(conninfo, "4711")["spans"] == 3


def test_cut_at_any_moment_what_was_acknowledged_is_there_once(wire: tuple[Wire, str], conninfo: str) -> None:
    """Four senders that try again, and a wire that is cut again and again in the middle of their batches."""
    store = Store(wire[1], "production")
    ended = threading.Event()

    def cutting() -> None:
        for _ in range(10):
            ended.wait(0.15)
            wire[0].cut()
            wire[0].mend()

    def send(which: int) -> None:
        for n in range(25):
            one = batch(*(SHOP.span(f"{which} {n} {m}", m, 1, attributes=ORDER) for m in range(20)))
            while True:
                try:
                    store.put(one)
                    break
                except Unavailable:
                    continue

    cutter = threading.Thread(target=cutting)
    cutter.start()
    at_once(*(lambda which=which: send(which) for which in range(4)))
    ended.set()
    cutter.join()
    store.close()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 2_000
    flow = tables.flow(conninfo, "4711")
    assert (flow["spans"], flow["chapters"]) == (2_000, 1)
    assert tables.ask(conninfo, "SELECT spans FROM request") == [(2_000,)]
    assert tables.one(conninfo, "SELECT sum(length(span_ids)) / 8 FROM member") == 2_000


def test_a_database_that_only_reads_is_our_trouble_not_the_records(conninfo: str) -> None:
    """After a failover to a replica the batch must be sent again, never dropped as if its records were bad."""
    store = Store(f"{conninfo} options='-c default_transaction_read_only=on'", "production")
    with pytest.raises(Unavailable):
        store.put(batch(*story()))
    store.close()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 0


def test_a_bug_of_ours_answers_everybody_is_told_and_ends_no_writer(
    conninfo: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(conninfo, "production", writers=1)

    def wrong(*_: object) -> int:
        raise KeyError("no such key")

    with monkeypatch.context() as broken:
        broken.setattr(Writer, "write", wrong)
        with pytest.raises(Unavailable):
            store.put(batch(*story()))
    assert "no such key" in caplog.text
    assert store.put(batch(*story())).stored_spans == 3
    store.close()


def test_an_abandoned_writer_leaves_nothing_half_done(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that dies inside the transaction: nothing of it is there, and the same batch goes in whole."""
    writes = Writer.write
    broken: list[bool] = []

    def break_once(
        writer: Writer, spans: Sequence[Span], logs: Sequence[Log], received_ns: int
    ) -> list[Span | Log]:
        if not broken:
            broken.append(True)
            with writer.connection.transaction():
                writer.connection.execute("INSERT INTO day (day) VALUES (1)")
                pid = writer.connection.info.backend_pid
                tables.ask(conninfo, "SELECT pg_terminate_backend(%s)", pid)
                writer.connection.execute("SELECT 1")
        return writes(writer, spans, logs, received_ns)

    monkeypatch.setattr(Writer, "write", break_once)
    store = Store(conninfo, "production", writers=1)
    outcome = store.put(batch(*story()))
    store.close()
    assert broken and not outcome.again
    assert tables.one(conninfo, "SELECT count(*) FROM day WHERE day = 1") == 0
    assert tables.flow(conninfo, "4711")["spans"] == 3


def test_each_request_of_a_shared_transaction_knows_its_own_repeats(conninfo: str) -> None:
    def spans(service: str, *names: str) -> Batch:
        return batch(*(Service(service).span(name, 0, 1) for name in names))

    committer = Committer(conninfo, "production", 400)
    committer.alone(spans("a", "1"))
    outcomes = committer.together([spans("b", "2", "3"), spans("a", "1", "4"), spans("b", "3")])
    committer.close()
    assert outcomes is not None
    assert [outcome.again.total() for outcome in outcomes] == [0, 1, 1]
    assert list(outcomes[1].again) == [spans("a", "1").spans[0].resource.resource_id]
