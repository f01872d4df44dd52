"""How busy the machine is, and what of its time the judge gives to work that can wait: receiving goes before that.

A share is seconds of work a second of time, of one processor.
"""

import contextlib
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tracing import clock

STAT = Path("/proc/stat")
# A machine with less of its processors idle has none to spare. Not nought: receivers that take all they can get still wait
# for each other and for the disk, a tenth of the time on two processors.
SPARE = 0.25
# What a shorter stretch says is chance.
SHORTEST_S = 0.5
# Shares by whether the machine is busy: what may go to flows without a deadline, that are new or of which nothing is
# awaited; and how much the judge may have to do at most for flows in order to be looked at when they move.
WITHOUT_DEADLINE = {True: 0.06, False: 0.8}
EAGER = {True: 0.03, False: 0.25}
# What was not used is kept up to so much; how long ago matters for the share of the time.
SAVED_S = 1.0
MEMORY_S = 5.0


class Busyness:
    """Asked again and again; an answer is about the time since the one before."""

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._ticks = self._read()
        self._read_s = time.monotonic()
        self._busy = False

    def is_busy(self) -> bool:
        """Whether there was next to no idle processor lately."""
        now_s, ticks = time.monotonic(), self._read()
        if ticks is None or self._ticks is None:
            return os.getloadavg()[0] >= (os.cpu_count() or 1)
        idle, whole = ticks[0] - self._ticks[0], ticks[1] - self._ticks[1]
        if whole < 0:  # counted anew
            self._ticks, self._read_s = ticks, now_s
        elif now_s - self._read_s >= SHORTEST_S and whole > 0:
            self._busy, self._ticks, self._read_s = idle < SPARE * whole, ticks, now_s
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
        self._busy = False
        self._saved_s = SAVED_S
        self._earned_s = time.monotonic()
        self._share = 0.0
        self._worked_s = 0.0
        self._begun_s = time.monotonic()

    def begin(self) -> None:
        """A round begins: how busy the machine is and how much the judge had to do is seen anew."""
        self._earn()
        self._busy = self._busyness.is_busy()
        now_s = time.monotonic()
        passed_s = now_s - self._begun_s
        old = math.exp(-passed_s / MEMORY_S)
        self._share = old * self._share + (1 - old) * min(1.0, self._worked_s / max(passed_s, 0.001))
        self._begun_s, self._worked_s = now_s, 0.0

    @contextlib.contextmanager
    def spending(self, waiting: bool = False) -> Iterator[None]:
        """Work, for flows without a deadline where `waiting` says so: these live on what they have."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            took_s = time.monotonic() - began_s
            self._worked_s += took_s
            if waiting:
                self._saved_s -= took_s

    def has_time(self) -> bool:
        """Whether flows without a deadline may be looked at now."""
        self._earn()
        return clock.is_set() or self._saved_s > 0

    def is_eager(self) -> bool:
        """Whether flows in order are looked at again when they move, and not only at their deadline."""
        return clock.is_set() or self._share < EAGER[self._busy]

    def _earn(self) -> None:
        now_s = time.monotonic()
        earned_s = WITHOUT_DEADLINE[self._busy] * (now_s - self._earned_s)
        self._saved_s, self._earned_s = min(SAVED_S, self._saved_s + earned_s), now_s
