"""The watcher's loops: each duty at its own pace, none stopped by another's failure.

A duty is a function of one connection in autocommit; it guards itself against a second watcher (locks, conditional
updates). `duties` says which loop has which, so that a message that hangs or a long count does not keep the judge.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psycopg

from tracing import clock

logger = logging.getLogger(__name__)

# A duty that failed is tried again after a moment, later and later while it keeps failing.
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 10.0
CONNECT_TIMEOUT_S = 3
# Where the clock is set from outside, duties look at it this often.
DRILL_S = 0.01

# For people, and for whoever wants to know that the judge is alive.
_NOTE = """
INSERT INTO watch_round (duty, began_ns, ended_ns, took_ms, rows) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (duty) DO UPDATE SET began_ns = excluded.began_ns, ended_ns = excluded.ended_ns, took_ms = excluded.took_ms,
    rows = excluded.rows
"""


@dataclass
class Duty:
    """`work` returns true when more is waiting and it should be called again at once; `rows` what it did last."""

    name: str
    every_s: float
    work: Callable[[psycopg.Connection], bool | None]
    patience: float = (
        0.0  # rests at least so many times as long as it took: what looks at much must not look all the time
    )
    noted: bool = False  # its rounds are told in `watch_round`
    rows: Callable[[], int] = lambda: 0
    did: Callable[[], bool] = lambda: True  # whether the last call was this watcher's turn
    due: float = 0.0
    due_ns: int = 0  # by our clock, where that is set from outside
    failures: int = 0
    close: Callable[[psycopg.Connection], None] | None = None  # before the process ends

    def is_due(self) -> bool:
        return self.due <= time.monotonic() or (clock.is_set() and clock.now_ns() >= self.due_ns)

    def put_off(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds
        self.due_ns = clock.now_ns() + int(seconds * 1e9)


def duties() -> dict[str, list[Duty]]:
    """By loop. Each has a thread and a connection of its own."""
    from django.conf import settings

    from tracing import indexing, partitions, reapply, retention
    from tracing.snapshots import keeping, staging
    from tracing.watch import deadman, problems, sending, sensing, telling, volumes
    from tracing.watch.backlogs import Backlogs
    from tracing.watch.learning import Learner
    from tracing.watch.pinning import Pinning
    from tracing.watch.rounds import Rounds

    post = sending.Sending()
    days = settings.RETENTION_DAYS, settings.FLOW_RETENTION_DAYS, settings.PROBLEM_RETENTION_DAYS
    rounds = Rounds()
    # As long as the summary of a flow.
    pinning = Pinning(settings.ENVIRONMENT, settings.SNAPSHOT_BYTES, settings.FLOW_RETENTION_DAYS)
    return {
        "judging": [
            Duty("judge", 1.0, rounds.work, noted=True, rows=lambda: rounds.rows, did=lambda: rounds.judged),
            Duty("problems", 2.0, problems.keep, patience=15.0, noted=True),
        ],
        "counting": [
            Duty("volumes", 2.0, volumes.keep, patience=10.0),
            Duty("senses", 15.0, sensing.work, patience=20.0),
            Duty("learning", 2.0, Learner().work, noted=True),
            Duty("backlogs", 1.0, Backlogs().work),
        ],
        "keeping": [
            Duty(
                "partitions", 600.0, lambda connection: partitions.keep_ahead(connection, settings.MAX_DAYS)
            ),
            Duty(
                "retention",
                600.0,
                lambda connection: bool(retention.drop_old(connection, *days, settings.RETENTION_GB or None)),
            ),
            Duty("copies", 30.0, lambda connection: bool(keeping.drop_over(connection))),
            Duty("pins", 60.0, pinning.work),
            Duty("stages", 30.0, lambda connection: bool(staging.evict(connection))),
            Duty("indexes", 300.0, indexing.build_next),
            Duty("rules", 1.0, lambda connection: reapply.work(connection, settings.ENVIRONMENT)),
        ],
        "telling": [
            Duty("telling", 1.0, telling.work),
            Duty("sending", 1.0, post.work, close=post.close),
            Duty("deadman", 5.0, deadman.Deadman().work),
        ],
    }


def run_all(conninfo: str, loops: Mapping[str, Sequence[Duty]], stop: threading.Event) -> None:
    """Each loop in a thread of its own, until told to stop."""
    threads = [
        threading.Thread(target=run, args=(conninfo, duties, stop), name=name, daemon=True)
        for name, duties in loops.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def run(conninfo: str, duties: Sequence[Duty], stop: threading.Event) -> None:
    """Work until told to stop. A lost connection is made anew; the duties' failures are told once each."""
    connection: psycopg.Connection | None = None
    while not stop.is_set():
        for duty in duties:
            if duty.is_due() and not stop.is_set():
                connection = attempt(duty, connection, conninfo)
        stop.wait(_pause(duties))
    if connection is not None:
        for duty in duties:
            if duty.close is not None:
                with contextlib.suppress(psycopg.Error):
                    duty.close(connection)
        connection.close()


def _pause(duties: Sequence[Duty]) -> float:
    left = max(0.0, min(duty.due for duty in duties) - time.monotonic())
    return min(left, DRILL_S) if clock.is_set() else left


def attempt(duty: Duty, connection: psycopg.Connection | None, conninfo: str) -> psycopg.Connection | None:
    """One try of one duty; returns the connection to go on with, None where it is broken."""
    began, began_ns = time.monotonic(), clock.now_ns()
    try:
        if connection is None:
            connection = psycopg.connect(
                conninfo,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="threadline watch",
            )
        more = duty.work(connection)
        if duty.noted and duty.did():
            took_ms = int((time.monotonic() - began) * 1000)
            connection.execute(_NOTE, (duty.name, began_ns, clock.now_ns(), took_ms, duty.rows()))
    except Exception as error:
        duty.failures += 1
        duty.put_off(min(FIRST_RETRY_S * 2 ** (duty.failures - 1), LAST_RETRY_S))
        tell(duty, error)
        return kept(connection)
    duty.failures = 0
    duty.put_off(0.0 if more else max(duty.every_s, duty.patience * (time.monotonic() - began)))
    return connection


def tell(duty: Duty, error: Exception) -> None:
    """The whole story of a bug once; a database that is away is one line, and `up` has said it."""
    away = isinstance(error, psycopg.OperationalError)
    if duty.failures == 1:
        logger.error("The duty %s failed and is tried again: %s", duty.name, error, exc_info=not away)


def kept(connection: psycopg.Connection | None) -> psycopg.Connection | None:
    """The connection if it can be used further: a failed duty may have left it in any state."""
    if connection is None:
        return None
    if not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        return connection
    connection.close()
    return None
