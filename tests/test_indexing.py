"""Indexes of closed days, on real PostgreSQL."""

import psycopg
import pytest

from tests.builders import Service, batch
from tracing import indexing
from tracing.records import DAY_NS
from tracing.storing import Store

SHOP = Service("shop")
OLD_NS = 20_000 * DAY_NS
INDEXES = "SELECT indexname FROM pg_indexes WHERE tablename LIKE '%_d20000' AND indexname LIKE '%_search' ORDER BY 1"
EXPECTED = sorted(f"{table}_d20000_{column}_search" for table, column, _ in indexing.KINDS)


@pytest.fixture
def stored(store: Store, conninfo: str) -> psycopg.Connection:
    store.put(
        batch(
            SHOP.span("old", 0, 1, start_ns=OLD_NS, attributes={"order.id": "1"}),
            SHOP.log("old", 0, time_ns=OLD_NS),
        )
    )
    connection = psycopg.connect(conninfo, autocommit=True)
    connection.execute(f"DROP INDEX IF EXISTS {', '.join(EXPECTED)}".encode())
    return connection


def work(connection: psycopg.Connection) -> list[str]:
    while indexing.build_next(connection):
        pass
    return [row[0] for row in connection.execute(INDEXES).fetchall()]


def test_a_day_that_still_receives_gets_none(stored: psycopg.Connection) -> None:
    with stored:
        assert work(stored) == []


def test_a_closed_day_gets_each_once(stored: psycopg.Connection) -> None:
    with stored:
        stored.execute("UPDATE day SET last_received_ns = 1 WHERE day = 20000")
        assert work(stored) == EXPECTED
        assert not indexing.build_next(stored)


def test_one_that_a_crash_left_invalid_is_built_again(stored: psycopg.Connection) -> None:
    with stored:
        stored.execute("UPDATE day SET last_received_ns = 1 WHERE day = 20000")
        work(stored)
        stored.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'span_d20000_span_id_search'::regclass"
        )
        assert indexing.build_next(stored)
        valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'span_d20000_span_id_search'::regclass"
        assert stored.execute(valid).fetchone() == (True,)


def test_another_watcher_at_it_means_nothing_to_do(stored: psycopg.Connection, conninfo: str) -> None:
    with stored, psycopg.connect(conninfo, autocommit=True) as other:
        stored.execute("UPDATE day SET last_received_ns = 1 WHERE day = 20000")
        other.execute("SELECT pg_advisory_lock(%s)", (indexing.INDEX_LOCK,))
        assert not indexing.build_next(stored)


def test_the_search_of_an_old_day_uses_them(stored: psycopg.Connection, store: Store) -> None:
    many = [SHOP.span(f"step {n}", 0, 1, start_ns=OLD_NS + n, attributes={"a": n}) for n in range(3_000)]
    store.put(batch(*many))
    with stored:
        stored.execute("UPDATE day SET last_received_ns = 1 WHERE day = 20000")
        work(stored)
        stored.execute("ANALYZE span")
        asked = (
            "EXPLAIN SELECT trace_id FROM span WHERE day = 20000 AND (attributes @> '{\"a\": 1}'::jsonb"
            " OR events @> '[{\"attributes\": {\"a\": 1}}]'::jsonb OR resource_id = ANY('{}'::bytea[]))"
        )
        plan = "\n".join(row[0] for row in stored.execute(asked).fetchall())
        assert "span_d20000_attributes_search" in plan
        assert "span_d20000_events_search" in plan
