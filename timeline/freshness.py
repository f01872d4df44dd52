"""How fresh a live link is: of which moment it is shown. A moment is a word, the same while nothing of the view moved.

What is large would be copied whole at each record that comes, so it is shown as it was a few seconds ago, as
`timeline.prepared` does with the live page. `timeline.views.shared` lays out what is shown.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from timeline.prepared import AGAIN_S

LARGE_FROM = 20_000  # records: of more a copy takes longer than a second
MOST = 500  # links


class Moments:
    """Of each link the moment that was laid out last, for all threads of a process."""

    def __init__(self, again_s: float = AGAIN_S) -> None:
        self._again_s = again_s
        self._lock = threading.Lock()
        self._held: OrderedDict[int, tuple[str, float]] = OrderedDict()  # by link: and until when

    def of(self, share_id: int, moment: str, records: int) -> str:
        """The moment to show: `moment`, what it is now, unless so many records were laid out just now."""
        with self._lock:
            held, until = self._held.get(share_id, ("", 0.0))
        return held if records >= LARGE_FROM and time.monotonic() < until else moment

    @contextmanager
    def held(self, share_id: int, moment: str) -> Iterator[None]:
        """While it is laid out all who come are shown this moment, and for `AGAIN_S` after that."""
        with self._lock:
            is_known = share_id in self._held and self._held[share_id][0] == moment
        if is_known:
            yield
            return
        self._hold(share_id, moment, math.inf)
        try:
            yield
        finally:
            self._hold(share_id, moment, time.monotonic() + self._again_s)

    def _hold(self, share_id: int, moment: str, until: float) -> None:
        with self._lock:
            self._held[share_id] = moment, until
            self._held.move_to_end(share_id)
            while len(self._held) > MOST:
                self._held.popitem(last=False)
