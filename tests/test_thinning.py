"""A day thinned: the exceptions stay as they were and the rest goes, whatever dies or arrives in between."""

import signal
import subprocess
import sys
import threading
import time
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests import tables
from tests.at_once import at_once
from tests.builders import Service, batch, trace_id
from tracing import kept, partitions, retention, thinning
from tracing.clock import now_ns
from tracing.parts import TABLES
from tracing.records import DAY_NS, Log, Span
from tracing.storing import Store

SHOP, BILLING = Service("shop"), Service("billing")
TODAY = now_ns() // DAY_NS
DAY = TODAY - 20
HOUR_NS = 3_600_000_000_000
KEYS = ("late", "well")


def told(key: str, day: int = DAY) -> list[Span | Log]:
    """What is stored of one order: a trace of its own with logs, a link and a customer, and a log without a trace."""
    start = day * DAY_NS + HOUR_NS
    trace, about = trace_id(f"{key} {day}"), {"order.id": key}
    root = SHOP.span(
        "POST /orders", 0, 5, trace=trace, start_ns=start, attributes=about | {"order.state": "new"}
    )
    child = BILLING.span(
        "charge", 0, 3, trace=trace, parent=root, start_ns=start + 1, links=[root], status=2,
        attributes={"customer.id": f"of {key}"},
    )  # fmt: skip
    leaf = BILLING.span("SELECT", 0, 1, trace=trace, parent=child, start_ns=start + 2)
    return [
        root, child, leaf,
        SHOP.log("declined", 0, span=child, severity=17, time_ns=start + 3),
        SHOP.log("by mail", 0, attributes=about, time_ns=start + 4),
    ]  # fmt: skip


def flow_id(conninfo: str, key: str, type: str = "order") -> bytes:
    found: bytes = tables.one(conninfo, "SELECT flow_id FROM flow WHERE type = %s AND key = %s", type, key)
    return found


def wrong(worker: psycopg.Connection, identity: bytes, kind: int = 1, severity: int = 3) -> None:
    """The flow or request was part of a problem."""
    worker.execute(
        "INSERT INTO problem (problem_id, identity, kind, type, environment, step, system, title, why, severity, state,"
        " flows, all_flows, first_ns, last_ns, opened_ns, evidence, checked_ns)"
        " VALUES (%s, %s, 'late', 'order', '', '', '', '', '', %s, 'resolved', 0, 1, 1, 1, 1, '{}', 1)",
        (identity[:12], identity, severity),
    )
    worker.execute("INSERT INTO problem_flow VALUES (%s, %s, %s, 1, 2)", (identity[:12], identity, kind))


def received(worker: psycopg.Connection, day: int, days_ago: float) -> None:
    at_ns = now_ns() - int(days_ago * DAY_NS)
    worker.execute("UPDATE day SET last_received_ns = %s WHERE day = %s", (at_ns, day))


def thin(worker: psycopg.Connection, problem_days: int | None = 90, limit_gb: int | None = None) -> list[int]:
    return retention.drop_old(worker, 14, 50_000, problem_days, limit_gb)


def stored(conninfo: str) -> dict[str, tables.Rows]:
    """All rows of the day's five tables, whole."""
    found = {}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for table in TABLES:
            rows = connection.execute(f"SELECT * FROM {table}".encode()).fetchall()
            found[table] = sorted(rows, key=repr)
    return found


def names(worker: psycopg.Connection, day: int) -> set[str]:
    """Its tables, those that stand alone marked."""
    rows = worker.execute(
        "SELECT relname || CASE WHEN relispartition THEN '' ELSE ' alone' END FROM pg_class"
        " WHERE relkind = 'r' AND relname ~ %s",
        (f"_[dk]{day}$",),
    ).fetchall()
    return {row[0] for row in rows}


PLACED = {f"{table}_d{DAY}" for table in TABLES}


@pytest.fixture
def two_orders(store: Store, worker: psycopg.Connection, conninfo: str) -> dict[str, tables.Rows]:
    """One order of two was late, on a day past retention; what is to be left of the day."""
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    partitions.ensure(worker, [DAY], 3_000)
    worker.execute("UPDATE day SET thinned_ns = NULL WHERE day = %s", (DAY,))
    store.put(batch(*told("late")))
    left = stored(conninfo)
    store.put(batch(*told("well")))
    received(worker, DAY, 20)
    wrong(worker, flow_id(conninfo, "late"))
    return left


def test_the_exceptions_stay_as_they_were_and_the_rest_goes(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str
) -> None:
    told_before = tables.ask(conninfo, "SELECT scope_id FROM told_exception ORDER BY 1")
    assert thin(worker) == []
    assert stored(conninfo) == two_orders
    assert names(worker, DAY) == PLACED
    row = tables.ask(
        conninfo,
        "SELECT whole_records, kept_records, early, exchanging, thinned_ns IS NULL FROM day WHERE day = %s",
        DAY,
    )
    assert row == [(10, 5, False, False, False)]
    # Every flow keeps its summary.
    assert tables.flow(conninfo, "well")["spans"] == 1
    assert tables.ask(conninfo, "SELECT scope_id FROM told_exception ORDER BY 1") == told_before
    assert thin(worker) == []
    assert stored(conninfo) == two_orders


def test_a_thinned_partition_is_a_whole_table(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str
) -> None:
    thin(worker)
    for table in TABLES:
        bound = tables.one(
            conninfo,
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s",
            f"{table}_d{DAY}",
        )
        assert bound == f"FOR VALUES FROM ({DAY}) TO ({DAY + 1})"
        count = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass AND indisvalid"
        assert tables.one(conninfo, count, table) == tables.one(conninfo, count, f"{table}_d{DAY}")
        checks = "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
        assert tables.one(conninfo, checks, f"{table}_d{DAY}") == 0


def test_the_exceptions_go_when_their_own_time_is_past(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str
) -> None:
    thin(worker)
    received(worker, DAY, 19)
    assert thin(worker, 20) == []
    received(worker, DAY, 20)
    assert thin(worker, 19) == [DAY]
    assert names(worker, DAY) == set()


def test_a_day_without_an_exception_is_dropped(
    store: Store, worker: psycopg.Connection, conninfo: str
) -> None:
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    store.put(batch(*told("well")))
    received(worker, DAY, 20)
    assert thin(worker) == [DAY]
    assert names(worker, DAY) == set()


SAID = {
    "late now": "INSERT INTO expectation (flow_id, kind, type, environment, verdict) VALUES (%s, 1, 'order', '', 'late')"
    " ON CONFLICT (flow_id) DO UPDATE SET verdict = excluded.verdict",
    "stuck now": "INSERT INTO expectation (flow_id, kind, type, environment, verdict)"
    " VALUES (%s, 1, 'order', '', 'stuck') ON CONFLICT (flow_id) DO UPDATE SET verdict = excluded.verdict",
    "a note": "INSERT INTO tracing_note (flow_id, at_ns, text, name) VALUES (%s, 1, 'x', '')",
}


@pytest.mark.parametrize("statement", SAID.values(), ids=SAID.keys())
def test_what_makes_an_exception(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str, statement: str
) -> None:
    worker.execute("DELETE FROM problem_flow")
    worker.execute(statement.encode(), (flow_id(conninfo, "late"),))
    thin(worker)
    assert stored(conninfo) == two_orders


def test_a_grey_problem_keeps_nothing(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str
) -> None:
    worker.execute("UPDATE problem SET severity = 1")
    assert thin(worker) == [DAY]


@pytest.mark.parametrize("by", ["problem", "note"])
def test_a_request_of_a_problem_or_with_a_note_is_kept(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str, by: str
) -> None:
    worker.execute("DELETE FROM problem_flow")
    worker.execute("DELETE FROM problem")
    if by == "problem":
        wrong(worker, trace_id(f"late {DAY}"), kind=0)
    else:
        worker.execute(SAID["a note"].encode(), (trace_id(f"late {DAY}"),))
    thin(worker)
    left = stored(conninfo)
    assert left["span"] == two_orders["span"] and left["request"] == two_orders["request"]
    # What has no trace tells of the order, not of the request.
    assert left["log"] == [row for row in two_orders["log"] if row[4]]
    assert left["member"] == [row for row in two_orders["member"] if row[2]]


def test_a_trace_is_kept_on_all_its_days(store: Store, worker: psycopg.Connection, conninfo: str) -> None:
    """Also on the one where nothing of it names the flow."""
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    trace = trace_id("long")
    store.put(
        batch(
            SHOP.span("a", 0, 1, trace=trace, start_ns=DAY * DAY_NS, attributes={"order.id": "late"}),
            SHOP.span("b", 0, 1, trace=trace, start_ns=(DAY + 1) * DAY_NS),
            *told("well", DAY + 1),
        )
    )
    wrong(worker, flow_id(conninfo, "late"))
    for day in (DAY, DAY + 1):
        received(worker, day, 20)
    thin(worker)
    assert tables.ask(conninfo, "SELECT name FROM span ORDER BY 1") == [("a",), ("b",)]


def test_of_a_large_trace_the_part_of_the_flow_is_kept(
    store: Store, worker: psycopg.Connection, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What carries its key, all below, the way up to the root, their logs; over midnight too."""
    monkeypatch.setattr(kept, "WHOLE_RECORDS", 10)
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    start, trace = DAY * DAY_NS, trace_id("batch")
    root = SHOP.span("root", 0, 1, trace=trace, start_ns=start)
    sent: list[Span | Log] = [root]
    for key in ("late", "b", "c", "d"):
        above = SHOP.span(f"above {key}", 0, 1, trace=trace, parent=root, start_ns=start + 1)
        told = SHOP.span(
            f"at {key}", 0, 1, trace=trace, parent=above, start_ns=start + 2, attributes={"order.id": key}
        )
        below = SHOP.span(
            f"below {key}", 0, 1, trace=trace, parent=told, start_ns=start + DAY_NS, links=[root]
        )
        sent += [above, told, below, SHOP.log(f"log {key}", 0, span=below, time_ns=start + 5)]
    elsewhere = SHOP.span("says", 0, 1, trace=trace, parent=root, start_ns=start + 6)
    sent += [
        elsewhere,
        SHOP.log("late log", 0, span=elsewhere, time_ns=start + 7, attributes={"order.id": "late"}),
    ]
    store.put(batch(*sent))
    wrong(worker, flow_id(conninfo, "late"))
    monkeypatch.setattr(kept, "WHOLE_RECORDS", 3)
    for day in (DAY, DAY + 1):
        received(worker, day, 20)
    thin(worker)
    spans = [name for (name,) in tables.ask(conninfo, "SELECT name FROM span ORDER BY 1")]
    assert spans == ["above late", "at late", "below late", "root", "says"]
    assert tables.ask(conninfo, "SELECT body #>> '{}' FROM log ORDER BY 1") == [("late log",), ("log late",)]
    assert tables.one(conninfo, "SELECT count(*) FROM link") == 1
    assert tables.ask(conninfo, "SELECT spans FROM request ORDER BY day") == [(10,), (4,)]
    assert tables.ask(conninfo, "SELECT DISTINCT flow_id FROM member") == [(flow_id(conninfo, "late"),)]


def test_what_arrives_after_is_kept_and_the_day_is_thinned_again(
    two_orders: dict[str, tables.Rows], store: Store, worker: psycopg.Connection, conninfo: str
) -> None:
    thin(worker)
    again = Store(conninfo, "production")
    assert not again.put(batch(*told("well"))).refusals
    # This one still believes the day is as it was.
    assert not store.put(batch(*told("late"), *told("third"))).refusals
    again.close()
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 9
    assert thin(worker) == []
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 9
    # Once its last receipt is past, too. The exceptions are there once.
    worker.execute("UPDATE day SET thinned_ns = thinned_ns - 20 * 86400000000000")
    received(worker, DAY, 19)
    assert thin(worker) == []
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 3
    assert tables.ask(conninfo, "SELECT whole_records, kept_records FROM day WHERE day = %s", DAY) == [
        (20, 5)
    ]


def test_what_arrives_during_the_copy_leaves_the_day_whole(
    two_orders: dict[str, tables.Rows],
    worker: psycopg.Connection,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copying = kept.copy

    def copy(connection: psycopg.Connection, day: int) -> None:
        copying(connection, day)
        fresh = Store(conninfo, "production")
        fresh.put(batch(*told("third")))
        fresh.close()

    monkeypatch.setattr(kept, "copy", copy)
    assert thin(worker) == []
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 9
    assert tables.one(conninfo, "SELECT thinned_ns FROM day WHERE day = %s", DAY) is None
    monkeypatch.undo()
    # The next run forgets the copy.
    thin(worker)
    assert names(worker, DAY) == PLACED


class Died(Exception):
    """Where a crash is played."""


STATEMENTS = 35


@pytest.mark.parametrize("at", [-2, *range(STATEMENTS)])
def test_cut_short_anywhere_it_loses_nothing(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str, at: int
) -> None:
    """The connection dies before one of the statements from the copy's end on; then the next run or a record comes."""
    with psycopg.connect(conninfo, autocommit=True) as doomed:
        Dying(doomed, at)
        with pytest.raises(Died), thinning.alone(doomed):
            thinning.thin(doomed, DAY, now_ns() - 14 * DAY_NS)
    # The session goes a moment after its connection.
    while tables.ask(conninfo, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"):
        time.sleep(0.01)
    # Each table's five statements are followed by one and by the other.
    if at % 2:
        late = Store(conninfo, "production")
        assert not late.put(batch(*told("third"))).refusals
        late.close()
        assert tables.one(conninfo, "SELECT count(*) FROM span") in (6, 9)
        received(worker, DAY, 19)
        worker.execute("UPDATE day SET thinned_ns = thinned_ns - 20 * 86400000000000")
    thin(worker)
    assert stored(conninfo) == two_orders
    assert names(worker, DAY) == PLACED


class Dying:
    """A connection whose backend is ended before the statement of that number: from the copy's end on, reads not counted."""

    def __init__(self, connection: psycopg.Connection, at: int) -> None:
        self.connection, self.at, self.count = connection, at, -1
        self._execute = connection.execute
        connection.execute = self.execute  # type: ignore[method-assign]

    def execute(self, query: Any, *values: Any, **options: Any) -> Any:
        text = query.as_string() if isinstance(query, sql.Composable) else str(query)
        if self.count >= 0 or text.startswith("VACUUM"):
            self.count += not text.lstrip().startswith("SELECT")
        if self.count == self.at or (self.at < 0 and text.startswith('INSERT INTO "member_k')):
            self.connection.close()
            raise Died
        return self._execute(query, *values, **options)


def test_statements_are_as_many_as_are_tried(two_orders: dict[str, tables.Rows], conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        counted = Dying(connection, 1_000)
        with thinning.alone(connection):
            assert thinning.thin(connection, DAY, now_ns() - 14 * DAY_NS) == 5
    assert counted.count == STATEMENTS - 1


def test_a_detach_cut_short_in_its_middle_is_finished(
    two_orders: dict[str, tables.Rows],
    worker: psycopg.Connection,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It commits twice: what comes between is a reader that began after the look for readers."""
    monkeypatch.setattr(thinning, "PATIENCE_MS", 300)
    monkeypatch.setattr(thinning, "_nobody_reads", lambda connection: True)
    with psycopg.connect(conninfo) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM span")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            thin(worker)
        assert tables.one(conninfo, "SELECT count(*) FROM pg_inherits WHERE inhdetachpending") == 1
        # It sees what it saw.
        assert reader.execute("SELECT count(*) FROM span").fetchone() == (6,)
    assert not tables.ask(conninfo, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory'")
    thin(worker)
    assert stored(conninfo) == two_orders


def test_it_waits_until_nobody_has_read_for_long(
    two_orders: dict[str, tables.Rows],
    worker: psycopg.Connection,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A dump reads for an hour: the day stays whole, and nothing kept is out of sight meanwhile."""
    monkeypatch.setattr(thinning, "PATIENCE_S", 0.3)
    with psycopg.connect(conninfo) as reader:
        reader.execute("SELECT count(*) FROM request")
        assert thin(worker) == []
        assert tables.one(conninfo, "SELECT count(*) FROM span") == 6
        monkeypatch.setattr(thinning, "PATIENCE_S", 20.0)
        thinning_now = threading.Thread(target=thin, args=(worker,))
        thinning_now.start()
        time.sleep(0.5)
        assert tables.one(conninfo, "SELECT count(*) FROM span") == 6
    thinning_now.join()
    assert stored(conninfo) == two_orders


def test_who_looks_at_the_past_is_waited_for(
    two_orders: dict[str, tables.Rows],
    worker: psycopg.Connection,
    conninfo: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its snapshot is older than the copy: in the thinned day it would find nothing."""
    monkeypatch.setattr(thinning, "PATIENCE_S", 0.3)
    with psycopg.connect(conninfo) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        assert thin(worker) == []
        assert reader.execute("SELECT count(*) FROM span").fetchone() == (6,)
    thin(worker)
    assert stored(conninfo) == two_orders


def test_two_watchers_at_once(
    two_orders: dict[str, tables.Rows], conninfo: str, worker: psycopg.Connection
) -> None:
    def watch() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            for _ in range(3):
                thin(connection)

    before = tables.deadlocks(conninfo)
    at_once(watch, watch)
    assert stored(conninfo) == two_orders
    assert names(worker, DAY) == PLACED
    assert tables.deadlocks(conninfo) == before


def test_records_come_all_the_while(
    two_orders: dict[str, tables.Rows], worker: psycopg.Connection, conninfo: str
) -> None:
    """Of the day itself and of today, from several sides: each is stored or asked for again, and none is lost."""
    sent: list[str] = []

    def send(which: int) -> None:
        for n in range(12):
            key = f"{which}-{n}"
            # A store notes a receipt once an hour, and this test turns that back: a new one notes it each time.
            fresh = Store(conninfo, "production", writers=1)
            fresh.put(batch(*told(key, DAY if n % 3 else TODAY)))
            fresh.close()
            sent.append(key)

    def watch() -> None:
        for _ in range(8):
            received(worker, DAY, 19)
            worker.execute("UPDATE day SET thinned_ns = thinned_ns - 20 * 86400000000000")
            thin(worker)

    at_once(lambda: send(1), lambda: send(2), watch)
    assert tables.one(conninfo, "SELECT count(*) FROM span WHERE day = %s", TODAY) == 8 * 3
    for table in TABLES:
        wanted = [row for row in two_orders[table] if row not in stored(conninfo)[table]]
        assert wanted == [], table
    found = tables.ask(conninfo, "SELECT key FROM flow WHERE type = 'order'")
    assert {key for (key,) in found} == {*sent, *KEYS}


def test_a_killed_watcher(two_orders: dict[str, tables.Rows], conninfo: str) -> None:
    """SIGKILL, at whatever moment; what is kept is there in the end, and nothing else."""
    program = (
        "import sys, psycopg\n"
        "from tracing import retention\n"
        "with psycopg.connect(sys.argv[1], autocommit=True) as connection:\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    retention.drop_old(connection, 14, 50_000, 90)\n"
    )
    for moment in (0.0, 0.01, 0.02, 0.04, 0.08):
        with subprocess.Popen(
            [sys.executable, "-c", program, conninfo], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin and process.stdout
            process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
        assert len(stored(conninfo)["span"]) in (0, 3, 6)
    with psycopg.connect(conninfo, autocommit=True) as worker:
        patience = time.monotonic() + 10
        while time.monotonic() < patience and stored(conninfo) != two_orders:
            thin(worker)
            time.sleep(0.05)
    assert stored(conninfo) == two_orders


def test_a_limit_of_size_takes_the_oldest_days_first(
    store: Store, worker: psycopg.Connection, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thinned first, then dropped, and never today or yesterday."""
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    days = [TODAY - 4, TODAY - 3, TODAY - 2, TODAY - 1, TODAY]
    for day in days:
        for key in KEYS:
            store.put(batch(*told(key, day)))
        received(worker, day, 1)
    wrong(worker, flow_id(conninfo, "late"))
    monkeypatch.setattr(retention, "size", sizes := Sizes(worker))

    def spans() -> list[tuple[Any, ...]]:
        return tables.ask(conninfo, "SELECT day - %s, count(*)::int FROM span GROUP BY 1 ORDER BY 1", TODAY)

    sizes.limit(24)
    assert thin(worker, limit_gb=1) == []
    assert spans() == [(-4, 3), (-3, 3), (-2, 6), (-1, 6), (0, 6)]
    sizes.limit(17)
    assert thin(worker, limit_gb=1) == [TODAY - 4, TODAY - 3]
    assert spans() == [(-2, 3), (-1, 6), (0, 6)]
    sizes.limit(1)
    assert thin(worker, limit_gb=1) == [TODAY - 2]
    assert spans() == [(-1, 6), (0, 6)]
    assert tables.ask(conninfo, "SELECT day - %s FROM day WHERE early ORDER BY 1", TODAY) == [
        (-4,),
        (-3,),
        (-2,),
    ]


class Sizes:
    """Of a store in which a span takes so much that `limit` of them are a gigabyte."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection, self._limit = connection, 1

    def limit(self, spans: int) -> None:
        self._limit = spans

    def __call__(self, connection: psycopg.Connection) -> int:
        row = connection.execute("SELECT count(*) FROM span").fetchone()
        return int(row[0]) * retention.GB // self._limit if row else 0


def test_a_day_heard_of_just_now_is_left_whatever_its_size(
    store: Store, worker: psycopg.Connection, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.execute("UPDATE day SET last_received_ns = %s", (now_ns(),))
    store.put(batch(*told("well")))
    monkeypatch.setattr(retention, "size", lambda connection: 2 * retention.GB)
    assert thin(worker, limit_gb=1) == []
    received(worker, DAY, 0.2)
    assert thin(worker, limit_gb=1) == [DAY]


def test_the_ranges_without_dates_are_never_thinned(
    two_orders: dict[str, tables.Rows], store: Store, worker: psycopg.Connection, conninfo: str
) -> None:
    store.put(batch(SHOP.span("ancient", 0, 1, start_ns=5, attributes={"order.id": "well"})))
    thin(worker)
    assert tables.one(conninfo, "SELECT count(*) FROM span WHERE day = 0") == 1
