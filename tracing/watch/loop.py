"""The watcher's loop: each duty at its own pace, none stopped by another's failure.

A duty is a function of one connection in autocommit; it guards itself against a second watcher (locks,
conditional updates). Duties are `tracing.partitions`, `tracing.retention`, `tracing.indexing`, `tracing.reapply`.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

logger = logging.getLogger(__name__)

# A duty that failed is tried again after a moment, later and later while it keeps failing.
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 10.0
CONNECT_TIMEOUT_S = 3


@dataclass
class Duty:
    """`work` returns true when more is waiting and it should be called again at once."""

    name: str
    every_s: float
    work: Callable[[psycopg.Connection], bool | None]
    due: float = 0.0
    failures: int = 0
    close: Callable[[psycopg.Connection], None] | None = None  # before the process ends


def duties() -> list[Duty]:
    from django.conf import settings

    from tracing import indexing, partitions, reapply, retention
    from tracing.watch import deadman, sending, telling

    post = sending.Sending()
    days, flow_days = settings.RETENTION_DAYS, settings.FLOW_RETENTION_DAYS
    return [
        Duty("partitions", 600.0, lambda connection: partitions.keep_ahead(connection, settings.MAX_DAYS)),
        Duty("retention", 600.0, lambda connection: bool(retention.drop_old(connection, days, flow_days))),
        Duty("indexes", 300.0, indexing.build_next),
        Duty("rules", 1.0, lambda connection: reapply.work(connection, settings.ENVIRONMENT)),
        Duty("telling", 1.0, telling.work),
        Duty("sending", 1.0, post.work, close=post.close),
        Duty("deadman", 5.0, deadman.Deadman().work),
    ]


def run(conninfo: str, duties: Sequence[Duty], stop: threading.Event) -> None:
    """Work until told to stop. A lost connection is made anew; the duties' failures are told once each."""
    connection: psycopg.Connection | None = None
    while not stop.is_set():
        for duty in duties:
            if duty.due <= time.monotonic() and not stop.is_set():
                connection = attempt(duty, connection, conninfo)
        stop.wait(max(0.0, min(duty.due for duty in duties) - time.monotonic()))
    if connection is not None:
        for duty in duties:
            if duty.close is not None:
                with contextlib.suppress(psycopg.Error):
                    duty.close(connection)
        connection.close()


def attempt(duty: Duty, connection: psycopg.Connection | None, conninfo: str) -> psycopg.Connection | None:
    """One try of one duty; returns the connection to go on with, None where it is broken."""
    try:
        if connection is None:
            connection = psycopg.connect(
                conninfo,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="threadline watch",
            )
        more = duty.work(connection)
    except Exception as error:
        duty.failures += 1
        duty.due = time.monotonic() + min(FIRST_RETRY_S * 2 ** (duty.failures - 1), LAST_RETRY_S)
        tell(duty, error)
        return kept(connection)
    duty.failures = 0
    duty.due = time.monotonic() + (0.0 if more else duty.every_s)
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
