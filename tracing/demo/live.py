"""The shop in real time: a new order every few seconds, living as ordinary orders do, but a hundred times faster.

`plan` decides what happens to each; numbers come from the clock, so that no two runs share one.
"""

import heapq
import threading
from random import Random

from tracing.clock import now_ns
from tracing.demo import jobs
from tracing.demo.cast import Shop
from tracing.demo.goods import Order, new_order
from tracing.demo.plan import Chapter, chapters, play
from tracing.demo.post import NotDelivered
from tracing.demo.scene import SECOND

FASTER = 100
BEHIND_NS = 3 * SECOND  # a chapter is played as having begun a moment ago: most have ended by now
BEAT_S = 60
EVERY_S = (1.5, 5.0)


class Live:
    """Orders under way, by when their next chapter is due (Unix nanoseconds)."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._due: list[tuple[int, int, int, Order, Chapter]] = []
        self._chance = Random(now_ns())
        self._beat_ns = 0
        self._ends_ns = 0  # of what was played: nobody exports a span before it has ended

    def run(self, stop: threading.Event) -> None:
        """Until told to stop. Raises NotDelivered."""
        threading.Thread(target=self._hang_up, args=(stop,), daemon=True).start()
        try:
            self._trade(stop)
        except NotDelivered:
            if not stop.is_set():
                raise

    def _hang_up(self, stop: threading.Event) -> None:
        """Nobody waits for a receiver that is gone once we were told to stop."""
        stop.wait()
        self._shop.hang_up()

    def _trade(self, stop: threading.Event) -> None:
        next_order_ns = now_ns()
        while not stop.is_set():
            now = now_ns()
            if now >= next_order_ns:
                self._place(now)
                next_order_ns = now + int(self._chance.uniform(*EVERY_S) * SECOND)
            while self._due and self._due[0][0] <= now:
                _, _, _, order, chapter = heapq.heappop(self._due)
                play(self._shop, order, chapter, now - BEHIND_NS)
                self._ends_ns = max(self._ends_ns, self._shop.scene.now)
            self._beat(now)
            if now >= self._ends_ns:
                self._shop.outbox.flush()
                self._shop.outbox.post.settle()
            stop.wait(0.5)

    def _place(self, now: int) -> None:
        number = now // (100_000_000)  # tenths of a second since 1970
        order = new_order(number, now, self._chance)
        for index, chapter in enumerate(chapters(order, self._chance)):
            due = now + int(chapter.after_s / FASTER * SECOND)
            heapq.heappush(self._due, (due, number, index, order, chapter))

    def _beat(self, now: int) -> None:
        """The stock feed says once a minute that it lives."""
        if now - self._beat_ns < BEAT_S * SECOND:
            return
        self._beat_ns = now
        self._shop.scene.begin(f"feed/{now}", now - BEHIND_NS)
        jobs.fed(self._shop, f"stock-feed-{now // (3_600 * SECOND)}")
