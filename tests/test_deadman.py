"""The call that stops when the judge does: a real server counts."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import receivers
from tests.outbox import Time
from tests.receivers import Hook
from tracing import clock
from tracing.watch import deadman
from tracing.watch.deadman import Deadman


@pytest.fixture
def hook() -> Iterator[Hook]:
    with receivers.hooked() as made:
        yield made


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Time]:
    yield Time(tmp_path / "clock", 1_780_000_000_000_000_000)
    clock.follow(None)


def judged(connection: psycopg.Connection, duty: str = deadman.JUDGE) -> None:
    now = clock.now_ns()
    connection.execute(
        "INSERT INTO watch_round (duty, began_ns, ended_ns, took_ms, rows) VALUES (%s, %s, %s, 1, 1)"
        " ON CONFLICT (duty) DO UPDATE SET ended_ns = excluded.ended_ns",
        (duty, now, now),
    )


def work(duty: Deadman, connection: psycopg.Connection) -> None:
    """A round, and its call awaited."""
    duty.work(connection)
    until = time.monotonic() + 10
    while duty.call is not None and time.monotonic() < until:
        time.sleep(0.01)
        duty.work(connection)


def facts(connection: psycopg.Connection) -> tuple[int, dict[str, str]]:
    row = connection.execute(
        "SELECT ended_ns, facts FROM watch_round WHERE duty = %s", (deadman.CALL,)
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def test_it_calls_once_a_minute_while_the_judge_works(
    worker: psycopg.Connection, hook: Hook, at: Time
) -> None:
    first, second = (Deadman(f"http://127.0.0.1:{hook.port}/ping/s3cret?rid=1") for _ in range(2))
    work(first, worker)
    assert hook.got == []
    judged(worker)
    for _ in range(12):
        for duty in (first, second):
            work(duty, worker)
        at.pass_s(5)
    assert hook.got == [{"path": "/ping/s3cret?rid=1"}]
    work(second, worker)
    assert len(hook.got) == 2 and facts(worker) == (clock.now_ns(), {"error": ""})
    at.pass_s(60.1)
    work(first, worker)
    assert len(hook.got) == 2, "the judge is dead for two minutes"


def test_a_failure_is_logged_once(
    worker: psycopg.Connection, hook: Hook, at: Time, caplog: pytest.LogCaptureFixture
) -> None:
    duty = Deadman(f"http://127.0.0.1:{hook.port}/ping/s3cret")
    hook.status = 500
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            judged(worker)
            work(duty, worker)
            at.pass_s(60)
        assert [record.getMessage() for record in caplog.records] == [
            "The call of THREADLINE_DEADMAN_URL failed. It answered 500."
        ]
    assert len(hook.got) == 3
    hook.server.server_close()
    nobody = Deadman("http://127.0.0.1:1/s3cret")
    work(nobody, worker)
    assert "Connection refused" in facts(worker)[1]["error"] and "s3cret" not in str(facts(worker))


def test_without_an_address_nobody_is_called(worker: psycopg.Connection, at: Time) -> None:
    judged(worker)
    work(Deadman(""), worker)
    assert worker.execute("SELECT 1 FROM watch_round WHERE duty = %s", (deadman.CALL,)).fetchone() is None
