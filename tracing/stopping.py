"""SIGTERM, Ctrl-C and a closed terminal as one event that a process waits for.

Used by every long-running command; what is in flight is finished by whoever waited.
"""

import queue
import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def event() -> threading.Event:
    """Set soon after the first signal; a second one changes nothing, because stopping is bounded anyway."""
    stop = threading.Event()
    # A handler runs in the middle of whatever the main thread does, often inside `stop.wait()`: setting the event
    # there can wait for a lock that the same thread holds. Of the queues this one may be put to from a handler.
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    def handle(number: int, frame: FrameType | None) -> None:
        told.put(number)

    def pass_on() -> None:
        told.get()
        stop.set()

    threading.Thread(target=pass_on, name="stopping", daemon=True).start()
    for number in SIGNALS:
        signal.signal(number, handle)
    return stop
