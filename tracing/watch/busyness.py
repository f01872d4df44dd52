"""How busy the machine is, and what of its time the judge gives to work that can wait: receiving goes before that."""

import math
import os
import time
from pathlib import Path

from tracing import clock

STAT = Path("/proc/stat")
# A machine with less of its processors idle has none to spare: whoever waits for another leaves a little idle.
SPARE = 0.25
# What a shorter stretch says is chance.
SHORTEST_S = 0.5
# Shares of the time, by whether the machine is busy: what may go to flows without a deadline, that are new or of which
# nothing is awaited; and how much the judge may have to do at most for flows in order to be looked at when they move.
WITHOUT_DEADLINE = {True: 0.06, False: 0.8}
EAGER = {True: 0.03, False: 0.25}
# What was not used is kept for so long; how long ago matters for the share of the time.
SAVED_S = 1.0
MEMORY_S = 5.0


class Busyness:
    """Asked again and again; an answer is about the time since the last that was."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._counted = self._read()
        self._at = time.monotonic()
        self._busy = False

    def is_busy(self) -> bool:
        """Whether there was next to no idle processor lately."""
        now, counted = time.monotonic(), self._read()
        if counted is None or self._counted is None:
            return os.getloadavg()[0] >= (os.cpu_count() or 1)
        if now - self._at >= SHORTEST_S and counted[1] > self._counted[1]:
            idle, whole = counted[0] - self._counted[0], counted[1] - self._counted[1]
            self._busy, self._counted, self._at = idle < SPARE * whole, counted, now
        return self._busy

    def _read(self) -> tuple[int, int] | None:
        """Idle and all ticks of all processors since boot; None where the system does not say."""
        try:
            line = self._stat.read_text().partition("\n")[0].split()
            ticks = [int(field) for field in line[1:9]]
        except (OSError, ValueError):
            return None
        return (ticks[3] + ticks[4], sum(ticks)) if line[:1] == ["cpu"] and len(ticks) > 4 else None


class Budget:
    """The judge's time. Where the clock is set from outside, how long work takes says nothing, and there is enough."""

    def __init__(self, busyness: Busyness | None = None) -> None:
        self._busyness = busyness or Busyness()
        self._left_s = SAVED_S
        self._share = 0.0
        self._at = time.monotonic()
        self._spent_s = 0.0
        self._busy = False

    def begin(self) -> None:
        """A round begins."""
        now = time.monotonic()
        self._busy = self._busyness.is_busy()
        passed_s = now - self._at
        self._left_s = min(SAVED_S, self._left_s + WITHOUT_DEADLINE[self._busy] * passed_s)
        old = math.exp(-passed_s / MEMORY_S)
        self._share = old * self._share + (1 - old) * min(1.0, self._spent_s / max(passed_s, 0.001))
        self._at, self._spent_s = now, 0.0

    def spend(self, seconds: float) -> None:
        """A set was judged."""
        self._spent_s += seconds
        self._left_s = max(-SAVED_S, self._left_s - seconds)

    def has_time(self) -> bool:
        """For flows without a deadline."""
        return clock.is_set() or self._left_s > 0

    def is_eager(self) -> bool:
        return clock.is_set() or self._share < EAGER[self._busy]
