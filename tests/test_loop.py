"""The watcher's loop with duties that work, fail, break their connection, and have more to do."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

import psycopg
import pytest

from tracing.watch import loop
from tracing.watch.loop import Duty


def run_until(conninfo: str, duties: Sequence[Duty], done: Callable[[], bool], seconds: float = 15.0) -> None:
    stop = threading.Event()
    working = threading.Thread(target=loop.run, args=(conninfo, duties, stop))
    working.start()
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    working.join(5)
    assert not working.is_alive()
    assert done()


def test_a_failing_duty_stops_no_other(conninfo: str, caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fails(connection: psycopg.Connection) -> None:
        done.append("failed")
        connection.execute("SELECT 1 / 0")

    def works(connection: psycopg.Connection) -> None:
        connection.execute("SELECT 1")
        done.append("worked")

    with caplog.at_level(logging.ERROR):
        run_until(
            conninfo,
            [Duty("fails", 60, fails), Duty("works", 0.05, works)],
            lambda: done.count("worked") > 3 and done.count("failed") > 1,
        )
    assert [record.getMessage()[:22] for record in caplog.records] == ["The duty fails failed "]


def test_a_lost_connection_is_made_anew(conninfo: str) -> None:
    seen: list[int] = []

    def ends_itself(connection: psycopg.Connection) -> None:
        seen.append(connection.info.backend_pid)
        if len(seen) == 1:
            connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    run_until(conninfo, [Duty("ends itself", 0.05, ends_itself)], lambda: len(seen) > 2)
    assert seen[0] != seen[1] == seen[2]


def test_a_transaction_left_open_is_not_inherited(conninfo: str) -> None:
    seen: list[tuple[str, psycopg.pq.TransactionStatus]] = []

    def leaves_open(connection: psycopg.Connection) -> None:
        seen.append(("open", connection.info.transaction_status))
        connection.execute("BEGIN")
        raise RuntimeError("in the middle")

    def works(connection: psycopg.Connection) -> None:
        seen.append(("works", connection.info.transaction_status))

    run_until(conninfo, [Duty("open", 60, leaves_open), Duty("works", 0.1, works)], lambda: len(seen) > 3)
    assert {status for _, status in seen} == {psycopg.pq.TransactionStatus.IDLE}


def test_more_to_do_is_done_at_once(conninfo: str) -> None:
    calls: list[float] = []

    def works(connection: psycopg.Connection) -> bool:
        calls.append(time.monotonic())
        return len(calls) < 20

    run_until(conninfo, [Duty("works", 60, works)], lambda: len(calls) == 20, seconds=5)


def test_an_absent_database_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    duty = Duty("waits", 0.05, lambda connection: None)
    with caplog.at_level(logging.ERROR):
        run_until("host=127.0.0.1 port=1 dbname=none", [duty], lambda: duty.failures > 1)
    assert len(caplog.records) == 1
    assert not caplog.records[0].exc_info


def test_the_days_ahead_are_there(conninfo: str) -> None:
    """The duties themselves, once each, on the real tables."""
    duties = [duty for one in loop.duties().values() for duty in one]
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for duty in duties:
            assert loop.attempt(duty, connection, conninfo) is connection
            assert duty.failures == 0
        today = int(time.time() // 86_400)
        found = connection.execute("SELECT count(*) FROM day WHERE day > %s AND dropped_ns IS NULL", [today])
        row = found.fetchone()
        assert row is not None
        assert row[0] >= 1
