"""The product's parts in a home of their own: database, receivers, and a watcher where one is asked for.

Receivers and watchers follow a clock each: a watcher must not reach a moment before everything that arrived until then
is stored and receivers have said that they were there. Between two moments both stand still.
"""

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from tests import product
from tracing import clock, postgres
from tracing.database import conninfo

PATIENCE_S = 60.0
# Receivers say every two seconds of our clock that they are there.
THERE_NS = 3_000_000_000
# A simulated fortnight is kept whole, and one receiver is enough for one that waits for each answer.
DRILLED = {"THREADLINE_RETENTION_DAYS": "40", "THREADLINE_RECEIVERS": "1"}
HEADERS = {"Content-Type": "application/x-protobuf"}


class House:
    """Started parts. `receiving` and `watching` are the files with their clocks."""

    def __init__(self, home: Path, conninfo: str, start_ns: int, more: Mapping[str, str]) -> None:
        self.home, self.conninfo, self._more = home, conninfo, more
        self.receiving, self.watching = home / "receiving.clock", home / "watching.clock"
        for path in (self.receiving, self.watching):
            clock.set_file(path, start_ns)
        self.otlp, self.grpc = product.free_ports(2)
        self.collect: subprocess.Popen[bytes] | None = None
        self.watch: subprocess.Popen[bytes] | None = None
        self._connection: http.client.HTTPConnection | None = None
        self.database = psycopg.connect(conninfo, autocommit=True)
        self.sending_s = 0.0

    def begin(self, *words: str, follows: Path | None) -> subprocess.Popen[bytes]:
        """One part as a process of its own; it goes by the true time where it follows no clock."""
        told = {**self._more, **({"THREADLINE_CLOCK": str(follows)} if follows else {})}
        with (self.home / "said.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, str(product.ROOT / "manage.py"), *words],
                cwd=product.ROOT,
                env=product.environ(self.home, told),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def open(self, *, clocked: bool = True) -> None:
        """Receivers, ready."""
        ports = (f"--otlp-port={self.otlp}", f"--grpc-port={self.grpc}")
        self.collect = self.begin("collect", *ports, follows=self.receiving if clocked else None)
        until = time.monotonic() + PATIENCE_S
        while product.status(f"http://127.0.0.1:{self.otlp}/readyz") != 200:
            assert time.monotonic() < until, (self.home / "said.log").read_text()
            time.sleep(0.05)

    def shut(self) -> None:
        """No receivers any more."""
        if self.collect is not None:
            end(self.collect)
        self.collect, self._connection = None, None

    def send(self, at_ns: int, body: bytes) -> None:
        """One request, at that time of our clock."""
        began = time.monotonic()
        clock.set_file(self.receiving, at_ns)
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.otlp, timeout=30)
        self._connection.request("POST", "/v1/traces", body, HEADERS)
        with self._connection.getresponse() as answer:
            told = answer.read()
            assert answer.status == 200 and not told, (answer.status, told)
        self.sending_s += time.monotonic() - began

    def reach(self, at_ns: int) -> None:
        """It is that time for receivers, and they have said so."""
        clock.set_file(self.receiving, at_ns)
        until = time.monotonic() + PATIENCE_S
        while self.collect is not None and not self.asked(
            "SELECT max(until_ns) >= %s FROM awake", at_ns - THERE_NS
        ):
            assert time.monotonic() < until, "no receiver says that it is there"
            time.sleep(0.005)

    def asked(self, question: str, *values: object) -> object:
        row = self.database.execute(question.encode(), values).fetchone()
        return row[0] if row else None


def end(process: subprocess.Popen[bytes], how: int = signal.SIGTERM) -> None:
    """A process that we started."""
    if process.poll() is None:
        process.send_signal(how)
    process.wait(20)


@contextlib.contextmanager
def built(start_ns: int, more: Mapping[str, str] = DRILLED, fsync: str = "off") -> Iterator[House]:
    """A house with receivers, `more` being settings; Django in this process works on its database, by the watchers' clock."""
    with tempfile.TemporaryDirectory(prefix="threadline-drill-") as folder:
        home = Path(folder)
        for name, value in {"THREADLINE_HOME": folder, **more}.items():
            os.environ[name] = value
        os.environ.pop("DATABASE_URL", None)
        with postgres.running(home, {"fsync": fsync}) as server:
            house = House(home, conninfo(server.cluster.database()), start_ns, more)
            try:
                migrating = house.begin("migrate", "--verbosity=0", follows=house.receiving)
                assert migrating.wait(PATIENCE_S) == 0, (home / "said.log").read_text()
                house.open()
                clock.follow(house.watching)
                yield house
            finally:
                clock.follow(None)
                house.shut()
                if house.watch is not None:
                    end(house.watch)
                house.database.close()
        product.forget(home)
