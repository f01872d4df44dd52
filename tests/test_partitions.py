"""Day partitions: ahead, on demand, within the bound, beside running ingest."""

import psycopg
import pytest

from tests import tables
from tests.at_once import at_once
from tests.builders import Service, batch
from tracing import partitions
from tracing.clock import now_ns
from tracing.records import DAY_NS, FIRST_DAY, LAST_DAY
from tracing.storing import Store, Unavailable

SHOP = Service("shop")


@pytest.mark.parametrize(
    ("day", "catch_all"),
    [
        (0, True),
        (FIRST_DAY - 1, True),
        (FIRST_DAY, False),
        (20_000, False),
        (LAST_DAY - 1, False),
        (LAST_DAY, True),
    ],
)
def test_catch_all(day: int, catch_all: bool) -> None:
    assert partitions.is_catch_all(day) is catch_all


def test_ahead(worker: psycopg.Connection) -> None:
    partitions.keep_ahead(worker)
    today = now_ns() // DAY_NS
    assert set(range(today - 1, today + 4)) <= partitions.stored_days(worker)
    before = shape(worker)
    partitions.keep_ahead(worker)
    assert shape(worker) == before


def shape(worker: psycopg.Connection) -> list[tuple[object, ...]]:
    return worker.execute(
        "SELECT oid, relname FROM pg_class WHERE relkind IN ('r', 'i') ORDER BY oid"
    ).fetchall()


def test_days_beyond_the_bound_and_in_catch_all_ranges_are_left_out(worker: psycopg.Connection) -> None:
    there = partitions.stored_days(worker)
    wanted = {17_000, 17_001, 17_002, 5, LAST_DAY + 1}
    found = partitions.ensure(worker, wanted | there, len(there - wanted) + 2)
    assert found - there <= {17_000, 17_001}
    assert len(found) == len(there - wanted) + 2
    assert partitions.ensure(worker, [17_001], 0) == found


def test_wild_clocks_never_use_up_the_days_about_now(worker: psycopg.Connection) -> None:
    today = now_ns() // DAY_NS
    near = set(range(today - 7, today + 4))
    assert near <= partitions.ensure(worker, near | {today - 8_000}, 0)
    assert today - 8_000 not in partitions.stored_days(worker)


def test_a_partition_is_a_whole_table_with_its_bounds(worker: psycopg.Connection, conninfo: str) -> None:
    partitions.ensure(worker, [17_010], 3_000)
    for table in partitions.TABLES:
        bound = tables.one(
            conninfo,
            "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname = %s",
            f"{table}_d17010",
        )
        assert bound == "FOR VALUES FROM (17010) TO (17011)"
        # Every index of the parent has its part; the check that spared the scan is gone.
        count = "SELECT count(*) FROM pg_index WHERE indrelid = %s::regclass"
        assert tables.one(conninfo, count, table) == tables.one(conninfo, count, f"{table}_d17010")
        checks = "SELECT count(*) FROM pg_constraint WHERE contype = 'c' AND conrelid = %s::regclass"
        assert tables.one(conninfo, checks, f"{table}_d17010") == 0


def test_the_same_new_days_from_several_sides_at_once(conninfo: str) -> None:
    def send(which: int) -> None:
        store = Store(conninfo, "production", max_days=3_000, writers=1)
        for day in range(17_020, 17_026):
            store.put(batch(SHOP.span(f"{which}", 0, 1, start_ns=day * DAY_NS)))
        store.close()

    before = tables.deadlocks(conninfo)
    at_once(*(lambda which=which: send(which) for which in range(3)))
    assert tables.one(conninfo, "SELECT count(*) FROM span") == 18
    assert tables.one(conninfo, "SELECT count(*) FROM day WHERE day BETWEEN 17020 AND 17025") == 6
    assert tables.deadlocks(conninfo) == before


def test_a_new_day_does_not_wait_for_whoever_reads_or_writes(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    store.put(batch(SHOP.span("s", 0, 1)))
    with psycopg.connect(conninfo) as other:
        other.execute("SELECT count(*) FROM span")
        other.execute("UPDATE request SET late = late")
        worker.execute("SET lock_timeout = '2s'")
        assert 17_030 in partitions.ensure(worker, [17_030], 3_000)


def test_a_request_of_many_new_days_comes_in_by_and_by(worker: psycopg.Connection, conninfo: str) -> None:
    """And what waits beside it is stored meanwhile."""
    first = 18_000
    for day in range(first, first + 50):
        worker.execute("DELETE FROM day WHERE day = %s", (day,))
        for table in partitions.TABLES:
            worker.execute(f"DROP TABLE IF EXISTS {table}_d{day}".encode())
    old = batch(*(SHOP.span(f"d{n}", 0, 1, start_ns=(first + n) * DAY_NS) for n in range(50)))
    store = Store(conninfo, "production", max_days=3_000, writers=1)
    refused = []
    for _ in range(5):
        try:
            store.put(old)
            break
        except Unavailable as reason:
            refused.append((reason.sentence, reason.retry_after_s))
            assert store.put(batch(SHOP.span("new", 0, 1, start_ns=now_ns()))).refusals == []
    store.close()
    assert refused == [
        (f"{left} more days are being made ready for this batch; send it again.", 1) for left in (30, 10)
    ]
    assert tables.one(conninfo, "SELECT count(*) FROM span WHERE day < 18050") == 50
