"""When this process was there to receive: a row that grows while it can reach the database.

What no row covers nobody could have told us, so the judge calls it blindness and not silence (`watch.blindness`). A
process that could not write for a while begins a new row: it refused what came in between.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable

import psycopg

from tracing import clock
from tracing.clock import now_ns

logger = logging.getLogger(__name__)

EVERY_S = 2.0
# Where the clock is set from outside, its movement is looked for this often.
DRILL_S = 0.01
PROCESS = 8

_TOUCH = """
INSERT INTO awake (process, since_ns, until_ns) VALUES (%s, %s, %s)
ON CONFLICT (process, since_ns) DO UPDATE SET until_ns = greatest(awake.until_ns, excluded.until_ns)
"""


class Awake:
    """A thread that keeps this process's row; `close` writes it a last time."""

    def __init__(self, conninfo: Callable[[], str]) -> None:
        self._conninfo = conninfo
        self._process = secrets.token_bytes(PROCESS)
        self._since_ns: int | None = None
        self._connection: psycopg.Connection | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="awake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        stopping = False
        while not stopping:
            self.touch()
            stopping = self._pause()
        self.touch()
        self.leave()

    def _pause(self) -> bool:
        """Wait for the next touch, as long by our clock as by the true one; whether to stop."""
        if not clock.is_set():
            return self._stop.wait(EVERY_S)
        since_ns, until = now_ns(), time.monotonic() + EVERY_S
        while time.monotonic() < until and abs(now_ns() - since_ns) < EVERY_S * 1e9:
            if self._stop.wait(DRILL_S):
                return True
        return False

    def touch(self) -> None:
        """Say that we are here, or note that we cannot."""
        now = now_ns()
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._conninfo(), autocommit=True, connect_timeout=2)
            since_ns = now if self._since_ns is None else self._since_ns
            self._connection.execute(_TOUCH, (self._process, since_ns, now))
            self._since_ns = since_ns
        except (psycopg.Error, OSError) as error:
            if not isinstance(error, psycopg.OperationalError | psycopg.errors.UndefinedTable):
                logger.exception("the time we were awake could not be noted")
            self._since_ns = None
            self.leave()

    def leave(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
