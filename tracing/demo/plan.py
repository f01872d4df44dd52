"""Which chapters an ordinary order goes through, and how long after it was placed.

`history` plays the chapters that lie in the past, `live` plays them as their time comes, on a faster clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tracing.demo import orders, payments, shipping, workflows
from tracing.demo.cast import Shop
from tracing.demo.goods import Order
from tracing.demo.scene import SECOND

MINUTES = 60.0
HOURS = 3_600.0

Play = Callable[[Shop, Order], object]


@dataclass(frozen=True)
class Chapter:
    """One part of an order's life. `name` seeds its chance, `after_s` counts from the placing."""

    name: str
    after_s: float
    play: Play


def chapters(order: Order, chance: Random) -> list[Chapter]:
    """The life of one order, in time order."""
    fate = chance.random()
    if fate < 0.04:
        return _declined(chance)
    if fate < 0.08:
        return _called_off(chance)
    begun = _paid(chance, timeouts=1 if fate < 0.11 else 0)
    # A few stand still for good, among thousands that go on.
    if 0.11 <= fate < 0.114:
        return begun
    return begun + _sent(chance, hidden_tries=1 if fate > 0.98 else 0, comes_back=fate > 0.94)


def play(shop: Shop, order: Order, chapter: Chapter, at_ns: int | None = None) -> None:
    """Play one chapter at its time, or at `at_ns`."""
    due = order.placed_ns + int(chapter.after_s * SECOND) if at_ns is None else at_ns
    shop.scene.begin(f"{order.number}/{chapter.name}", due)
    chapter.play(shop, order)


def _paid(chance: Random, timeouts: int = 0) -> list[Chapter]:
    def retried(shop: Shop, order: Order) -> None:
        orders.placed(shop, order, timeouts)

    capture = chance.uniform(20, 240)
    return [
        Chapter("placed", 0, retried if timeouts else orders.placed),
        Chapter("captured", capture, payments.captured),
        Chapter("heard paid", capture + 2, lambda shop, order: orders.heard(shop, order, "payments", "paid")),
        Chapter("reserved", capture + chance.uniform(5, 15 * MINUTES), orders.reserved),
    ]


def _sent(chance: Random, hidden_tries: int, comes_back: bool) -> list[Chapter]:
    packed = chance.uniform(1.5 * HOURS, 8 * HOURS)
    arrived = packed + chance.uniform(3 * HOURS, 7 * HOURS)
    handed_over = arrived + chance.uniform(5 * HOURS, 22 * HOURS)

    def pack(shop: Shop, order: Order) -> None:
        shipping.shipped(shop, order, hidden_tries)

    parts = [
        Chapter("packed", packed, pack),
        Chapter(
            "heard shipped",
            packed + 15,
            lambda shop, order: orders.heard(shop, order, "shipments", "shipped"),
        ),
        Chapter("mailed", packed + 20, workflows.mailed),
        Chapter("scanned", arrived, shipping.scanned),
        Chapter("on the van", handed_over - 1.2 * HOURS, shipping.on_the_van),
        Chapter("delivered", handed_over, shipping.delivered),
        Chapter(
            "heard delivered",
            handed_over + 5,
            lambda shop, order: orders.heard(shop, order, "shipments", "delivered"),
        ),
    ]
    if chance.random() < 0.12:
        parts.insert(0, Chapter("fulfilled", packed - 10 * MINUTES, workflows.fulfilled))
    if chance.random() < 0.25:
        parts.append(Chapter("accounted", handed_over + 2 * HOURS, orders.accounted))
    if comes_back:
        parts.append(
            Chapter("returned", handed_over + chance.uniform(4 * HOURS, 20 * HOURS), orders.returned)
        )
    return parts


def _declined(chance: Random) -> list[Chapter]:
    code = chance.choice(("insufficient_funds", "expired_card", "do_not_honor"))
    return [Chapter("declined", 0, lambda shop, order: orders.refused(shop, order, code))]


def _called_off(chance: Random) -> list[Chapter]:
    later = chance.uniform(20 * MINUTES, 60 * MINUTES)
    return [*_paid(chance), Chapter("cancelled", later, orders.cancelled)]
