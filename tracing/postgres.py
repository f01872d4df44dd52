"""The embedded PostgreSQL: one process owns it, others attach, and it is back after anything.

Where it lies is `tracing.cluster`, how its data folder is made `tracing.initdb`. A lock that the kernel drops
with its holder says who owns; everything else (a process id in a file, a left socket) may be stale.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import make_conninfo

from tracing import child, initdb
from tracing.cluster import NAME, Cluster, locate
from tracing.sentence import Sentence

# Small, because the whole product idles in half a gigabyte; durable, because an answer 200 means committed. Buffers count
# once they are used: with a third of them writers wait for pages of the indexes to be written out.
SETTINGS: dict[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "192MB",
    "max_connections": "40",
    # A query without a time range locks every day of every table and their indexes.
    "max_locks_per_transaction": "256",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    # Nothing is replicated: an index or a table made in one transaction needs no log of its rows.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "jit": "off",
    # Two cores: a parallel page query would take them from ingest, and needs shared memory containers lack.
    "max_parallel_workers_per_gather": "0",
    "io_method": "sync",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # What failed to be stored may hold secrets: its text stays out of the log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}
LOG_LIMIT = 10 * 1024 * 1024
# An attached process waits this long for the owner's server; recovery itself is waited for without a limit.
ATTACH_S = 120.0
# One that was told to end may have much to write; one that does not start will not start later either.
ENDING_S = 60.0
BLOCKED_S = 15.0


class Server:
    """The server of one cluster, owned by us or by another process. `cancelled` ends every waiting."""

    def __init__(
        self,
        cluster: Cluster,
        extra: Mapping[str, str] | None = None,
        cancelled: threading.Event | None = None,
    ) -> None:
        self.cluster = cluster
        self.cancelled = cancelled or threading.Event()
        self.settings = SETTINGS | dict(extra or {})
        self.process: subprocess.Popen[bytes] | None = None
        self.adopted: int | None = None
        self.held: int | None = None

    @property
    def owned(self) -> bool:
        return self.held is not None

    @property
    def pid(self) -> int | None:
        """The running server's process, where it is ours."""
        return self.process.pid if self.process else self.adopted

    def conninfo(self, name: str = NAME) -> str:
        return make_conninfo(host=str(self.cluster.sockets), user=NAME, dbname=name, connect_timeout=5)

    def start(self) -> None:
        """Return once the product's database answers. Raises Sentence when it cannot be brought up."""
        initdb.make_folders(self.cluster)
        if self.take_lock():
            self.launch()
        else:
            self.attach()

    def take_lock(self) -> bool:
        handle = os.open(self.cluster.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.held = handle
        return True

    def launch(self) -> None:
        server = initdb.programs(self.cluster)
        initdb.make_data(self.cluster, server)
        deadline = time.monotonic() + BLOCKED_S
        while not self.adopt() and not self.run(server):
            # Backends of a killed server hold its memory for a moment, and it will not start beside them.
            if time.monotonic() > deadline:
                raise Sentence(
                    f"The database does not start: {self.last_words()} (all of it: {self.cluster.log})"
                )
            self.pause(0.2)
        self.create_database()

    def adopt(self) -> bool:
        """Take over a server that an owner left running; one that is on its way out is waited for."""
        self.process = self.adopted = None
        deadline = time.monotonic() + ENDING_S
        while (pid := postmaster(self.cluster.data)) is not None:
            if self.answers("postgres"):
                self.adopted = pid
                return True
            if time.monotonic() > deadline:
                raise Sentence(
                    f"The database process {pid} neither answers nor ends: end it, then start again."
                )
            self.pause(0.1)
        return False

    def run(self, server: Path) -> bool:
        """Start the server and wait through its recovery; False when it ended instead."""
        # No process of ours wrote this id: after a reboot the number may be anybody's, and PostgreSQL would wait.
        (self.cluster.data / "postmaster.pid").unlink(missing_ok=True)
        options = [f"--{name}={value}" for name, value in self.settings.items()]
        places: list[str | Path] = ["-D", self.cluster.data, "-k", self.cluster.sockets]
        with open_log(self.cluster.log) as log:
            self.process = child.start(
                [server / "bin/postgres", *places, *options],
                dies_by=signal.SIGINT,
                environ=initdb.environ(),
                account=self.cluster.account,
                output=log,
                folder=Path("/"),
            )
        while self.process.poll() is None:
            if self.answers("postgres"):
                return True
            self.pause(0.05)
        return False

    def create_database(self) -> None:
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone()
            if not known:
                # Nobody is connected to template0 and the folder is new: copying its files is quickest.
                connection.execute(f"CREATE DATABASE {NAME} TEMPLATE template0 STRATEGY file_copy")

    def attach(self) -> None:
        deadline = time.monotonic() + ATTACH_S
        while not self.answers(NAME):
            if time.monotonic() > deadline:
                raise Sentence(
                    f"Another Threadline owns the database in {self.cluster.folder} and it does not answer: "
                    f"stop it, or look into {self.cluster.log}."
                )
            if self.take_lock():  # the owner went while we waited
                return self.launch()
            self.pause(0.2)
        return None

    def answers(self, name: str) -> bool:
        try:
            psycopg.connect(self.conninfo(name)).close()
        except psycopg.OperationalError:
            return False
        return True

    def heal(self) -> str | None:
        """Bring the server back if it went, taking it over from an owner that went; what was done, or None."""
        if not self.owned:
            if not self.take_lock():
                return None
            self.launch()
            return "The database's owner went away; it is ours now."
        if self.pid is not None and self.runs():
            return None
        self.launch()
        return "The database had ended; it runs again."

    def runs(self) -> bool:
        if self.process:
            return self.process.poll() is None
        return self.adopted is not None and child.alive(self.adopted)

    def pause(self, seconds: float) -> None:
        if self.cancelled.wait(seconds):
            raise Sentence("Stopped before the database was ready.")

    def stop(self, patience_s: float = 6.0) -> None:
        """End an owned server: at once for its clients, cleanly for its files; an attached one is left alone.

        One that takes longer is ended hard and recovers at its next start; nothing committed is lost.
        """
        if not self.owned:
            return
        for wanted, seconds in ((signal.SIGINT, patience_s), (signal.SIGQUIT, 1.0)):
            if self.pid is None or not self.runs():
                break
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, wanted)
            wait_until(lambda: not self.runs(), seconds)
        self.process = self.adopted = None
        assert self.held is not None
        os.close(self.held)
        self.held = None

    def last_words(self) -> str:
        """The last complaint in the server's log."""
        try:
            lines = self.cluster.log.read_text(errors="replace").splitlines()
        except OSError:
            return "it left no log"
        told = [line for line in lines if "FATAL" in line or "ERROR" in line or "PANIC" in line]
        return (told or lines or ["its log is empty"])[-1]


def open_log(path: Path) -> IO[bytes]:
    """The log to append to; the one before is kept when it grew large."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_suffix(".log.1"))
    return path.open("ab")


def postmaster(data: Path) -> int | None:
    """The process that runs this data folder; None where the noted one is gone or is something else."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
    if not child.alive(pid):
        return None
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return pid
    return pid if os.fsencode(data) in command else None


def wait_until(done: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def running(home: Path, extra: Mapping[str, str] | None = None) -> Iterator[Server]:
    """The embedded server of a home for as long as the block runs, ours or another process's."""
    server = Server(locate(home), extra)
    try:
        server.start()
        yield server
    finally:
        server.stop()
