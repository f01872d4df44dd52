"""Records with absurd clocks go when they have been here long enough."""

import psycopg
import pytest

from tests import tables
from tests.builders import T1, T2, Service, batch, trace_id
from tracing import quarantine, retention
from tracing.clock import now_ns
from tracing.records import DAY_NS, MAX_NS, Log, Span
from tracing.storing import Store

SHOP = Service("shop")
ORDER = {"order.id": "1"}
FAILED = {"exception.type": "E"}
TABLES = ("span", "log", "link", "request", "member")


def absurd(trace: bytes) -> list[Span | Log]:
    """One of everything, at both ends of time."""
    far = SHOP.span("far", 0, 0, trace=trace, start_ns=MAX_NS, end_ns=MAX_NS, attributes=ORDER)
    return [
        far,
        SHOP.span("epoch", 0, 0, trace=trace, start_ns=0, attributes=ORDER, links=[far]),
        SHOP.log(f"none {trace.hex()}", 0, time_ns=0, attributes=ORDER),
        SHOP.log("failed", 0, span=far, time_ns=0, severity=17, attributes=FAILED),
    ]


def counts(worker: psycopg.Connection) -> list[int]:
    rows = [worker.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in TABLES]
    return [row[0] for row in rows if row]


def age(worker: psycopg.Connection, days: int) -> None:
    """Let everything there have come so many days ago."""
    for table in ("span", "log"):
        worker.execute(f"UPDATE {table} SET received_ns = received_ns - %s".encode(), (days * DAY_NS,))
    worker.execute("UPDATE request SET activity = activity - %s", (days * 1440,))


def test_what_came_long_ago_goes_and_the_rest_stays(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    store.put(batch(*absurd(T1)))
    age(worker, 15)
    store.put(batch(*absurd(T2), SHOP.span("good", 0, 1, trace=trace_id("good"), attributes=ORDER)))
    assert counts(worker) == [5, 4, 2, 5, 7]
    quarantine.forget(worker, now_ns() - 14 * DAY_NS)
    assert counts(worker) == [3, 2, 1, 3, 4]
    assert T1 not in {row[0] for row in tables.ask(conninfo, "SELECT trace_id FROM request")}
    assert tables.ask(conninfo, "SELECT scope_id FROM told_exception") == [(T2,)]
    # The order keeps what it was.
    assert tables.flow(conninfo, "1")["spans"] == 5


def test_retention_sees_to_it(
    store: Store, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(batch(*absurd(T1)))
    retention.drop_old(worker, 14, 50_000)
    assert counts(worker)[:2] == [2, 2]
    age(worker, 15)
    retention.drop_old(worker, 14, 50_000)
    assert counts(worker) == [0, 0, 0, 0, 0]
