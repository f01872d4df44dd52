"""SIGTERM, Ctrl-C and a closed terminal as one event that a process waits for.

Used by every long-running command; what is in flight is finished by whoever waited.
"""

import atexit
import os
import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def event() -> threading.Event:
    """Set soon after the first signal; a second one changes nothing, because stopping is bounded anyway."""
    stop = threading.Event()
    # Python calls a handler when the main thread comes to its next instruction, which it never does where the signal
    # comes just before it begins to wait for a lock. What is written to this pipe is written at once.
    told, tell = os.pipe()
    os.set_blocking(tell, False)

    def pass_on() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=pass_on, name="stopping", daemon=True).start()
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    for number in SIGNALS:
        signal.signal(number, _nothing)
    atexit.register(_ignore)
    return stop


def _nothing(number: int, frame: FrameType | None) -> None:
    """The pipe was told already."""


def _ignore() -> None:
    """A process that is ending on its own is not ended by a late signal, with another exit code."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
