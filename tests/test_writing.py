"""One transaction: all of a batch or nothing, everything it carries, and one snapshot that never shows half."""

import threading
import time
from dataclasses import replace

import psycopg
import pytest

from tests import tables
from tests.builders import BASE_NS, MS, SCOPE, T1, T2, Service, batch, event
from tests.oddities import pool
from tracing import copying, partitions
from tracing.clock import now_ns
from tracing.records import DAY_NS, Log, Span, day_of
from tracing.storing import Store
from tracing.writing import DayClosed, Writer

SHOP = Service("shop")
ORDER = {"order.id": "1"}


@pytest.fixture
def writer(worker: psycopg.Connection) -> Writer:
    partitions.ensure(worker, [day_of(BASE_NS)], 3_000)
    return Writer(worker, "production")


def test_all_or_nothing(writer: Writer, conninfo: str) -> None:
    good = SHOP.span("good", 0, 1, attributes=ORDER)
    bad = SHOP.log("bad", 0, attributes=ORDER)
    bad.attributes_json = b"{]"
    with pytest.raises(psycopg.DataError):
        writer.write([good], [bad], now_ns())
    for table, rows in tables.everything(conninfo).items():
        assert rows == [], table
    assert writer.write([good], [], now_ns()) == []
    # Its resource was rolled back too, and is written now.
    assert tables.one(conninfo, "SELECT service FROM resource") == "shop"


def test_resources_and_scopes_are_written_once_and_kept_whole(store: Store, conninfo: str) -> None:
    resource = replace(
        SHOP.resource, dropped=2**32 - 1, schema_url="https://schema", attributes_json=b'{"a": null}'
    )
    scope = replace(SCOPE, version="1.2", attributes_json=b'{"b": []}', dropped=3, schema_url="s")
    spans = [replace(SHOP.span(f"s{n}", n, 1), resource=resource, scope=scope) for n in range(3)]
    store.put(batch(*spans[:2]))
    store.put(batch(spans[2]))
    rows = tables.ask(conninfo, "SELECT attributes, dropped, schema_url, service, environment FROM resource")
    # A count beyond the column is cut to what it holds.
    assert rows == [({"a": None}, 2**31 - 1, "https://schema", "shop", None)]
    rows = tables.ask(conninfo, "SELECT name, version, attributes, dropped, schema_url FROM scope")
    assert rows == [("tests.builders", "1.2", {"b": []}, 3, "s")]


def test_several_processes_may_name_a_new_resource_at_once(conninfo: str) -> None:
    from tests.at_once import at_once

    services = [Service(f"s{n}") for n in range(40)]
    stores = [Store(conninfo, "production", writers=1) for _ in range(3)]

    def send(which: int) -> None:
        order = services[:: -1 if which % 2 else 1]
        stores[which].put(
            batch(*(service.span(f"{which} {service.resource.service}", 0, 1) for service in order))
        )

    at_once(*(lambda which=which: send(which) for which in range(3)))
    for store in stores:
        store.close()
    assert tables.one(conninfo, "SELECT count(*) FROM resource") == 40
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 120


def test_a_part_that_is_new_is_stored_beside_what_came_again(writer: Writer, conninfo: str) -> None:
    spans = [SHOP.span(f"s{n}", n, 1, attributes=ORDER, links=[SHOP.span("x", 0, 1)]) for n in range(4)]
    logs = [SHOP.log(f"l{n}", n, span=spans[0], attributes=ORDER) for n in range(4)]
    assert writer.write(spans[:2], logs[:3], now_ns()) == []
    again = writer.write([*spans[::-1], replace(spans[3])], logs, now_ns())
    assert len(again) == 6
    flow = tables.flow(conninfo, "1")
    assert (flow["spans"], flow["logs"], flow["chapters"]) == (4, 4, 1)
    assert tables.one(conninfo, "SELECT count(*) FROM link") == 4
    assert tables.ask(conninfo, "SELECT spans, logs, resent FROM request") == [(4, 4, 6)]
    assert tables.ask(conninfo, "SELECT resent FROM chapter") == [(6,)]


def test_a_day_closed_under_the_batch_takes_it_all_back(
    writer: Writer, worker: psycopg.Connection, conninfo: str
) -> None:
    day = day_of(BASE_NS)
    worker.execute("UPDATE day SET dropped_ns = 1 WHERE day = %s", (day,))
    with pytest.raises(DayClosed):
        writer.write([SHOP.span("s", 0, 1, attributes=ORDER)], [], now_ns())
    worker.execute("UPDATE day SET dropped_ns = NULL WHERE day = %s", (day,))
    assert all(rows == [] for rows in tables.everything(conninfo).values())


def insert(connection: psycopg.Connection, span: Span) -> None:
    with connection.cursor() as cursor:
        target = f"COPY span ({copying.SPAN_COLUMNS}) FROM STDIN (FORMAT binary)"
        with cursor.copy(target.encode()) as copy:
            copy.write(copying.HEADER + copying.span_row(span, 1, 0, 1) + copying.TRAILER)


@pytest.mark.parametrize("size", [1, 40])
def test_rows_go_in_by_day_so_that_no_two_batches_wait_for_each_other(
    writer: Writer, worker: psycopg.Connection, conninfo: str, size: int
) -> None:
    """COPY fills one partition after the other, so the order of the keys alone would not do."""
    partitions.ensure(worker, [day_of(BASE_NS) + 1], 3_000)
    early = [SHOP.span(f"e{n}", 0, 1, trace=b"\xff" * 15 + bytes([n])) for n in range(size)]
    late = [SHOP.span(f"l{n}", DAY_NS / MS, 1, trace=b"\x01" * 15 + bytes([n])) for n in range(size)]
    with psycopg.connect(conninfo) as other:
        insert(other, early[-1])
        writing = threading.Thread(target=writer.write, args=([*late, *early], [], now_ns()))
        writing.start()
        wait_for_a_waiter(conninfo)
        other.execute("SET lock_timeout = '3s'")
        # The writer waits at the earlier day and holds nothing of the later one.
        insert(other, late[0])
        other.rollback()
    writing.join(10)
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 2 * size


def wait_for_a_waiter(conninfo: str) -> None:
    until = time.monotonic() + 5
    while not tables.ask(conninfo, "SELECT 1 FROM pg_locks WHERE NOT granted"):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_last_receipt_of_a_day_moves_once_an_hour(writer: Writer, conninfo: str) -> None:
    hour = 3_600_000_000_000
    start = now_ns() // hour * hour
    question = "SELECT last_received_ns FROM day WHERE day = %s"
    for n, (received_ns, kept_ns) in enumerate(
        [(start + 5, start + 5), (start + 9, start + 5), (start + hour, start + hour), (start, start + hour)]
    ):
        writer.write([SHOP.span(f"s{n}", n, 1)], [], received_ns)
        assert tables.one(conninfo, question, day_of(BASE_NS)) == kept_ns


def test_readers_see_all_of_a_batch_or_none_of_it(store: Store, conninfo: str) -> None:
    """Rows of all tables carry one transaction, so that a page under a snapshot never shows a sum without its parts."""
    store.put(batch(*pool()))
    xids = {
        xid
        for table in ("span", "log", "request", "flow", "chapter", "member", "assertion")
        for (xid,) in one_column(conninfo, f"SELECT DISTINCT xid::text FROM {table}")
    }
    assert len(xids) == 1


def one_column(conninfo: str, question: str) -> tables.Rows:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(question.encode()).fetchall()


def test_sums_never_lag_behind_the_records(store: Store, conninfo: str) -> None:
    ended = threading.Event()
    differences: list[tuple[int, int]] = []

    def watch() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            while not ended.is_set():
                row = connection.execute(
                    "SELECT (SELECT count(*) FROM span), coalesce((SELECT sum(spans) FROM flow), 0)::int"
                ).fetchone()
                if row and row[0] != row[1]:
                    differences.append(row)

    watching = threading.Thread(target=watch)
    watching.start()
    for n in range(30):
        store.put(
            batch(*(SHOP.span(f"s{n} {m}", m, 1, trace=(T1, T2)[m % 2], attributes=ORDER) for m in range(9)))
        )
    ended.set()
    watching.join()
    assert differences == []
    assert tables.flow(conninfo, "1")["spans"] == 270


def test_an_exception_is_told_once_by_whoever_comes_first(store: Store, conninfo: str) -> None:
    told = {"exception.type": "E", "exception.message": "m"}
    one = event("exception", 1)
    one.attributes = told
    span: Span = SHOP.span("s", 0, 5, status=2, attributes=ORDER, events=[one])
    log: Log = SHOP.log("l", 2, span=span, severity=17, attributes=ORDER | told)
    store.put(batch(log))
    assert tables.flow(conninfo, "1")["errors"] == 1
    store.put(batch(span))
    assert tables.flow(conninfo, "1")["errors"] == 2
    assert tables.one(conninfo, "SELECT errors FROM request") == 2
    store.put(batch(log, span))
    assert tables.flow(conninfo, "1")["errors"] == 2
