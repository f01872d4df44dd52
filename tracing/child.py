"""One process started by ours: executed afresh, ended with its parent, never left behind.

`tracing.postgres` starts the database with it and `manage.py up` everything else. Nothing is forked and kept:
gRPC does not survive a fork, and a fresh program shares no lock and no connection with its parent.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from tracing.cluster import Account

TRAMPOLINE = Path(__file__).with_name("trampoline.py")


def start(
    command: Sequence[str | Path],
    *,
    dies_by: signal.Signals = signal.SIGTERM,
    environ: Mapping[str, str] | None = None,
    account: Account | None = None,
    output: IO[bytes] | None = None,
    folder: Path | None = None,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C reaches only us and we end things in order.

    `dies_by` is what the kernel sends it when we are gone, however we went (Linux only). `keep` are
    descriptors it inherits.
    """
    user = (account.uid, account.gid) if account else (-1, -1)
    first_steps = [sys.executable, "-I", "-S", TRAMPOLINE, int(dies_by), os.getpid(), *user]
    return subprocess.Popen(
        [str(word) for word in (*first_steps, *command)],
        env=dict(environ) if environ is not None else None,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        start_new_session=True,
        pass_fds=keep,
    )


def as_user(account: Account | None) -> dict[str, Any]:
    """Popen's arguments for another user, without our groups and without our umask."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": [], "umask": 0o077}


def alive(pid: int) -> bool:
    """Whether a process exists and still runs: what ended but was not yet waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not Path("/proc/self/stat").exists()
    return state not in ("Z", "X")
