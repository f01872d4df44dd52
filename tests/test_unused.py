"""Resources and scopes of erased records go when no record uses them, and never from under one that comes meanwhile."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tests import tables
from tests.builders import SCOPE, Service, batch
from tracing import unused
from tracing.storing import Store

SHOP, PHONE = Service("shop"), Service("phone", **{"customer.id": "c1"})
SERVICES = "SELECT service FROM resource ORDER BY 1"


@pytest.fixture
def erased(conninfo: str, worker: psycopg.Connection) -> Iterator[Store]:
    """Both services stored something, and the records of one were erased; who stores knows both."""
    store = Store(conninfo, "production", writers=1)
    store.put(batch(SHOP.span("kept", 0, 1), PHONE.span("erased", 0, 1), PHONE.log("erased", 0)))
    note(worker, [SHOP.resource.resource_id, PHONE.resource.resource_id], [SCOPE.scope_id])
    for statement in ("DELETE FROM span WHERE name = 'erased'", "DELETE FROM log"):
        worker.execute(statement)
    yield store
    store.close()


def note(worker: psycopg.Connection, resources: list[bytes], scopes: list[bytes]) -> None:
    with worker.transaction(), worker.cursor() as cursor:
        unused.note(cursor, resources, scopes)


def test_what_no_record_uses_goes(erased: Store, conninfo: str, worker: psycopg.Connection) -> None:
    assert unused.drop(worker) == 1
    assert tables.ask(conninfo, SERVICES) == [("shop",)]
    assert tables.ask(conninfo, "SELECT 1 FROM recount") == []
    worker.execute("DELETE FROM span")
    note(worker, [SHOP.resource.resource_id], [SCOPE.scope_id])
    assert unused.drop(worker) == 2
    assert tables.ask(conninfo, "SELECT 1 FROM resource UNION ALL SELECT 1 FROM scope") == []


def test_what_is_sent_later_brings_it_again(erased: Store, conninfo: str, worker: psycopg.Connection) -> None:
    """The store noted it today already, and relied on that."""
    unused.drop(worker)
    erased.put(batch(PHONE.span("again", 5, 1)))
    assert tables.ask(conninfo, SERVICES) == [("phone",), ("shop",)]


@pytest.mark.parametrize("is_under_way", [False, True])
def test_what_is_stored_meanwhile_keeps_it(
    erased: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
    is_under_way: bool,
) -> None:
    """After everything was looked through and before the row goes, committed already or about to."""
    look, put = unused._unused, list[Future[Any]]()
    with psycopg.connect(conninfo) as holder, ThreadPoolExecutor(1) as pool:

        def late(connection: psycopg.Connection, kind: int, ids: Any) -> set[bytes]:
            found = look(connection, kind, ids)
            if put:
                return found
            if is_under_way:
                holder.execute("SELECT 1 FROM flow WHERE key = 'c1' FOR UPDATE")
            put.append(pool.submit(erased.put, batch(PHONE.span("meanwhile", 5, 1))))
            time.sleep(0.5)
            assert put[0].done() != is_under_way
            if is_under_way:
                threading.Timer(0.5, holder.rollback).start()
            return found

        monkeypatch.setattr(unused, "_unused", late)
        assert unused.drop(worker) == 0
        put[0].result(20)
    assert tables.ask(conninfo, SERVICES) == [("phone",), ("shop",)]
    assert tables.ask(conninfo, "SELECT name FROM span ORDER BY 1") == [("kept",), ("meanwhile",)]


def test_while_records_are_out_of_sight_nothing_goes(
    erased: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    worker.execute("UPDATE day SET exchanging = true")
    assert unused.drop(worker) == 0
    worker.execute("UPDATE day SET exchanging = false")
    assert unused.drop(worker) == 1


@pytest.mark.parametrize(("key", "left"), [("c1", ["shop"]), ("c1/x", ["shop"]), ("c", ["phone", "shop"])])
def test_what_holds_the_key_goes_though_retention_had_its_records(
    erased: Store, conninfo: str, worker: psycopg.Connection, key: str, left: list[str]
) -> None:
    worker.execute("DELETE FROM recount")
    with worker.transaction(), worker.cursor() as cursor:
        unused.note_naming(cursor, key)
    unused.drop(worker)
    assert [row[0] for row in tables.ask(conninfo, SERVICES)] == left
