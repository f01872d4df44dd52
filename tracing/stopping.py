"""SIGTERM, Ctrl-C and a closed terminal as one event that a process waits for.

Used by every long-running command; what is in flight is finished by whoever waited.
"""

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def event() -> threading.Event:
    """Set by the first signal; a second one changes nothing, because stopping is bounded anyway."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in SIGNALS:
        signal.signal(number, handle)
    return stop
