"""Our clock: when something arrived or was judged, never when a sender says it happened.

One function in every process. A drill or a test may set it through a file (`THREADLINE_CLOCK`): judging the past fast
needs receivers, watchers and pages that agree on what time it is. No statement that judges asks the database's clock.
"""

import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_LAYOUT = struct.Struct("<q")
_map: mmap.mmap | None = None
_held: ContextVar[int | None] = ContextVar("held", default=None)


def now_ns() -> int:
    """Unix nanoseconds, now."""
    if (held := _held.get()) is not None:
        return held
    if _map is None:
        return time.time_ns()
    said: int = _LAYOUT.unpack_from(_map, 0)[0]
    return said or time.time_ns()


@contextmanager
def held(time_ns: int | None) -> Iterator[None]:
    """It is this moment for whoever asks meanwhile, in this thread: a frozen page is drawn as of then. None changes nothing."""
    token = _held.set(time_ns if time_ns is not None else _held.get())
    try:
        yield
    finally:
        _held.reset(token)


def follow(path: Path | None) -> None:
    """From here on the time is what the file says: 8 bytes, Unix nanoseconds; zero for the true time. None undoes it."""
    global _map
    if path is None:
        _map = None
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _map = mmap.mmap(descriptor, _LAYOUT.size, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def set_file(path: Path, time_ns: int) -> None:
    """Say what time it is to everybody who follows the file; it is made where it is not there."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.pwrite(descriptor, _LAYOUT.pack(time_ns), 0)
    finally:
        os.close(descriptor)


def is_set() -> bool:
    """Whether the time comes from a file, and is not the true one."""
    return _map is not None and _LAYOUT.unpack_from(_map, 0)[0] != 0
