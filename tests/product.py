"""Threadline started as its user starts it: `manage.py up` in a home of its own, on free ports.

The fixtures in `conftest` share one; tests that kill things start their own.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracing.cluster import locate

ROOT = Path(__file__).resolve().parent.parent
READY_S = 60.0


@dataclass(frozen=True)
class Running:
    """A started product. `log` holds what it has printed so far."""

    url: str
    otlp: str
    grpc: str
    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def said(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def conninfo(self) -> str:
        return f"host={locate(self.home).sockets} user=threadline dbname=threadline"

    def children(self) -> dict[str, int]:
        """Process ids of what `up` runs, by name: database, collect, pages, watch."""
        found: dict[str, int] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = path.read_text().rpartition(")")[2].split()
                words = (path.parent / "cmdline").read_bytes().decode(errors="replace").split("\0")
                if int(fields[1]) == self.process.pid and fields[0] != "Z":
                    script = next(
                        (place for place, word in enumerate(words) if word.endswith("manage.py")), None
                    )
                    name = "database" if script is None else words[script + 1]
                    found[name] = int(path.parent.name)
        return found


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def environ(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without any of Threadline's settings, and with the given home."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("THREADLINE_", "OTEL_")) and name != "DATABASE_URL"
    }
    return kept | {"THREADLINE_HOME": str(home), "PYTHONUNBUFFERED": "1"} | dict(more or {})


def start(
    home: Path,
    ports: list[int] | None = None,
    arguments: tuple[str, ...] = (),
    more: Mapping[str, str] | None = None,
) -> Running:
    """`manage.py up`, not waited for."""
    web, otlp, grpc = ports or free_ports(3)
    flags = (f"--port={web}", f"--otlp-port={otlp}", f"--grpc-port={grpc}")
    log = home / f"up-{web}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "up", *flags, *arguments],
            cwd=ROOT,
            env=environ(home, more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    return Running(
        f"http://127.0.0.1:{web}", f"http://127.0.0.1:{otlp}", f"127.0.0.1:{grpc}", home, log, process
    )


@contextlib.contextmanager
def started(
    home: Path, arguments: tuple[str, ...] = (), more: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The product, ready; ended with the block, its database removed."""
    running = start(home, arguments=arguments, more=more)
    try:
        wait_ready(running)
        yield running
    finally:
        end(running)
        forget(home)


def wait_ready(running: Running) -> None:
    deadline = time.monotonic() + READY_S
    while "Threadline is ready" not in running.said:
        assert running.process.poll() is None, f"up ended with {running.process.returncode}: {running.said}"
        assert time.monotonic() < deadline, f"not ready after {READY_S} s: {running.said}"
        time.sleep(0.05)


def end(running: Running, seconds: float = 15.0) -> int:
    """Ask it to stop; its exit code."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGTERM)
    return running.process.wait(seconds)


def forget(home: Path) -> None:
    """Remove a home's database, which root keeps elsewhere."""
    cluster = locate(home)
    shutil.rmtree(cluster.folder, ignore_errors=True)
    if cluster.folder not in cluster.sockets.parents and cluster.sockets.parent == Path(
        tempfile.gettempdir()
    ):
        shutil.rmtree(cluster.sockets, ignore_errors=True)


def one_span(trace_id: str | None = None, span_id: str | None = None) -> bytes:
    """An OTLP/JSON request with one span of now, under new ids where none are given."""
    span = {
        "traceId": trace_id or secrets.token_hex(16),
        "spanId": span_id or secrets.token_hex(8),
        "name": "place order",
        "startTimeUnixNano": str(time.time_ns() - 1_000_000),
        "endTimeUnixNano": str(time.time_ns()),
    }
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()


def send(running: Running, body: bytes | None = None) -> int:
    """The status with which a request (one new span, unless given) was answered; 0 where nobody answered."""
    return status(f"{running.otlp}/v1/traces", body or one_span(), {"Content-Type": "application/json"})


def status(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> int:
    """The HTTP status of one request; 0 where nobody answers."""
    request = urllib.request.Request(url, data=body, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
    except OSError:
        return 0
