"""Attempts to deliver, each in a thread with a time limit: a receiver that hangs holds up its own channel alone.

`sending` starts them and writes down what came of them. A thread cannot be ended, so one that overruns is left to
itself, and a channel with too many of these gets no further one until one of them is back.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tracing.watch.channels import Letter, Outcome, deliver

LIMIT_S = 10.0
MOST = 8  # at once, over all channels
MOST_HUNG = 3  # of one channel

Deliver = Callable[[str, bool, Letter], Outcome]


@dataclass
class Attempt:
    """One try of one message. `tried_ns` tells it from an earlier or later try of the same."""

    channel_id: int
    address: str
    by_mail: bool
    letter: Letter
    tried_ns: int
    attempts: int
    began: float = field(default_factory=time.monotonic)
    outcome: Outcome | None = None
    thread: threading.Thread | None = None

    def ended(self, limit_s: float = LIMIT_S) -> Outcome | None:
        """What came of it; None while it may still go well. Out of time, nobody knows whether it arrived."""
        if self.outcome is None and time.monotonic() - self.began >= limit_s:
            return Outcome(f"No answer within {limit_s:g} s.", doubtful=True)
        return self.outcome


class Threads:
    """The running attempts, one a channel, and the overrun threads that nobody waits for any more."""

    def __init__(self, deliver: Deliver = deliver, limit_s: float = LIMIT_S) -> None:
        self.deliver = deliver
        self.limit_s = limit_s
        self.running: dict[int, Attempt] = {}
        self.hung: dict[int, list[threading.Thread]] = {}
        self.answered = threading.Event()

    def is_free(self, channel_id: int) -> bool:
        hung = [thread for thread in self.hung.get(channel_id, ()) if thread.is_alive()]
        self.hung[channel_id] = hung
        return channel_id not in self.running and len(self.running) < MOST and len(hung) < MOST_HUNG

    def start(self, attempt: Attempt) -> None:
        attempt.thread = threading.Thread(target=self._run, args=(attempt,), daemon=True)
        self.running[attempt.channel_id] = attempt
        attempt.thread.start()

    def _run(self, attempt: Attempt) -> None:
        attempt.outcome = self.deliver(attempt.address, attempt.by_mail, attempt.letter)
        self.answered.set()

    def ended(self) -> list[tuple[Attempt, Outcome]]:
        """Those that are over, in the order they began; they count as running until `forget`."""
        over = [(attempt, attempt.ended(self.limit_s)) for attempt in self.running.values()]
        return [(attempt, outcome) for attempt, outcome in over if outcome is not None]

    def forget(self, attempt: Attempt) -> None:
        """What came of it is written down: its channel is free for the next."""
        del self.running[attempt.channel_id]
        if attempt.outcome is None and attempt.thread is not None:
            self.hung.setdefault(attempt.channel_id, []).append(attempt.thread)

    def wait(self, seconds: float, young_s: float) -> bool:
        """Wait for an answer, but only while one is likely: False where no running attempt is that young."""
        now = time.monotonic()
        if seconds <= 0 or not any(now - attempt.began < young_s for attempt in self.running.values()):
            return False
        self.answered.wait(seconds)
        self.answered.clear()
        return True
