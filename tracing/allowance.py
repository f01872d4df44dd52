"""How much may still be sent: a bucket that fills at a rate and may go into debt (pure).

A request is let in while something is left, because how much it holds is known only once it was read; what it took is
paid afterwards. So the mean is kept and a batch is never cut. `tracing.keyring` has one for each key with a limit.
"""

import math
import threading
import time


class Allowance:
    """`per_second` records; a second's worth may be saved up. Safe to share between threads."""

    def __init__(self, per_second: int, now_s: float | None = None) -> None:
        self.per_second = per_second
        self._left = float(per_second)
        self._at = time.monotonic() if now_s is None else now_s
        self._lock = threading.Lock()

    def wait_s(self, now_s: float | None = None) -> int:
        """0 where a request may come in, else whole seconds until one may."""
        with self._lock:
            self._fill(now_s)
            return 0 if self._left > 0 else max(1, math.ceil(-self._left / self.per_second))

    def spend(self, records: int, now_s: float | None = None) -> None:
        with self._lock:
            self._fill(now_s)
            self._left -= records

    def _fill(self, now_s: float | None) -> None:
        now_s = time.monotonic() if now_s is None else now_s
        gained = max(now_s - self._at, 0.0) * self.per_second
        self._left = min(self._left + gained, float(self.per_second))
        self._at = max(now_s, self._at)
