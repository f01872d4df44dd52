"""The children of `manage.py up`: started, started again when they die, ended in order.

The database is supervised by `tracing.postgres`; the programs here are our own commands. Everything that
happens to them is said in one line each.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tracing import child

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
# A first death is answered at once, because senders give up after ten seconds; a program that keeps dying waits.
QUICK_S = 10.0
LONGEST_PAUSE_S = 10.0

Say = Callable[[str], None]


class Child:
    """One of our commands. One that ends well by itself (`once`) is finished, any other ending is a death."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        *,
        once: bool = False,
        keep: Sequence[int] = (),
    ) -> None:
        self.words = list(words)
        self.environ = environ
        self.once = once
        self.keep = keep
        self.process: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.deaths = 0
        self.again = 0.0

    @property
    def finished(self) -> bool:
        return self.once and self.process is not None and self.process.poll() is not None

    def start(self) -> None:
        # Unbuffered: what it says is passed on when it is said.
        command = [sys.executable, "-u", str(MANAGE), *self.words]
        self.process = child.start(command, environ=self.environ, keep=self.keep)
        self.started = time.monotonic()

    def check(self, say: Say) -> None:
        """Start it again when it died, after a pause that grows while it dies young."""
        if self.process is None or self.finished or self.process.poll() is None:
            return
        now = time.monotonic()
        if not self.again:
            self.deaths = self.deaths + 1 if now - self.started < QUICK_S else 0
            pause = min(0.5 * 2 ** (self.deaths - 1), LONGEST_PAUSE_S) if self.deaths else 0.0
            self.again = now + pause
            say(f"{self.words[0]} ended ({how(self.process.returncode)}); starting it again.")
        if now >= self.again:
            self.again = 0.0
            self.start()

    def send(self, wanted: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(wanted)

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None


def how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def end(children: Sequence[Child], patience_s: float) -> None:
    """Ask all to stop and wait; what is left after that is killed."""
    for one in children:
        one.send(signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while not all(one.ended() for one in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    for one in children:
        one.send(signal.SIGKILL)
        if one.process is not None:
            one.process.wait()


def environ_for(home: Path, host: str, ports: Mapping[str, int]) -> dict[str, str]:
    """The children's environment: ours, with what this run was told on the command line."""
    told = {f"THREADLINE_{name}": str(port) for name, port in ports.items()}
    # A socket handed to us by systemd is not theirs; cheroot would listen on it.
    ours = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}
    return {**ours, "THREADLINE_HOME": str(home), "THREADLINE_HOST": host, **told}
