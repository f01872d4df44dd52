"""The orders and runs worth opening: one for each thing that goes wrong, under numbers that never change.

`history` plays them after the newest orders; the command prints their addresses. `oddities` holds those that
need a sender to misbehave.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from tracing.demo import orders, payments, shipping, workflows
from tracing.demo.cast import Shop
from tracing.demo.goods import Order, new_order
from tracing.demo.scene import HOUR, MINUTE, SECOND
from tracing.demo.services import Headers, context_of


@dataclass(frozen=True)
class Story:
    """A sentence, and the path of the page that tells it."""

    title: str
    path: str


class Teller:
    """Plays parts of named orders at times before the anchor."""

    def __init__(self, shop: Shop, anchor_ns: int, first_number: int) -> None:
        self.shop = shop
        self.anchor_ns = anchor_ns
        self.first_number = first_number

    def order(self, index: int, hours_ago: float) -> Order:
        number = self.first_number + index
        chance = Random(f"{self.shop.scene.seed}/story/{index}")
        return new_order(number, self.anchor_ns - int(hours_ago * HOUR), chance, customer="c-1042")

    def at(self, order: Order, part: str, after_ns: int, play: Callable[[Shop, Order], object]) -> None:
        self.shop.scene.begin(f"story/{order.number}/{part}", order.placed_ns + after_ns)
        play(self.shop, order)

    def begun(self, index: int, hours_ago: float, timeouts: int = 0) -> Order:
        """An order that was placed, paid and reserved within minutes."""
        order = self.order(index, hours_ago)
        self.at(order, "placed", 0, lambda shop, one: orders.placed(shop, one, timeouts))
        self.at(order, "captured", MINUTE, payments.captured)
        self.at(
            order, "heard paid", MINUTE + 2 * SECOND, lambda s, one: orders.heard(s, one, "payments", "paid")
        )
        self.at(order, "reserved", 4 * MINUTE, orders.reserved)
        return order


def flow_path(kind: str, type: str, key: str) -> str:
    return f"/flow/{kind}/{quote(type, safe='')}/{quote(key, safe='')}"


def order_path(order: Order) -> str:
    return flow_path("entity", "order", order.key)


def trace_path(headers: Headers) -> str:
    return f"/trace/{context_of(headers).trace_id:032x}"


def whole_life(teller: Teller) -> list[Story]:
    """The order to open first: days long, seven systems, with a retry here and there."""
    order = teller.begun(11, 51, timeouts=2)
    teller.at(order, "fulfilled", 3 * HOUR, lambda shop, one: workflows.fulfilled(shop, one, failing_tries=1))
    teller.at(order, "packed", 4 * HOUR, shipping.shipped)
    later = 4 * HOUR + 15 * SECOND
    teller.at(order, "heard shipped", later, lambda s, one: orders.heard(s, one, "shipments", "shipped"))
    teller.at(order, "mailed", later + 9 * SECOND, lambda shop, one: workflows.mailed(shop, one, failures=1))
    teller.at(order, "scanned", 11 * HOUR, shipping.scanned)
    teller.at(order, "van", 26 * HOUR, shipping.on_the_van)
    teller.at(order, "delivered", 27 * HOUR, shipping.delivered)
    later = 27 * HOUR + 5 * SECOND
    teller.at(order, "heard delivered", later, lambda s, one: orders.heard(s, one, "shipments", "delivered"))
    teller.at(order, "accounted", 30 * HOUR, orders.accounted)
    teller.at(order, "returned", 47 * HOUR, orders.returned)
    return [
        Story("A whole life: placed, paid, reserved, shipped, delivered, returned", order_path(order)),
        Story("Its checkout as one request", trace_path(order.messages["orders"])),
        Story(
            "Its fulfilment as a Temporal workflow",
            f"/find?q={quote(f'fulfilment-{order.number}', safe='')}",
        ),
        Story("The customer behind these stories", flow_path("entity", "customer", order.customer)),
    ]


def retries(teller: Teller) -> list[Story]:
    """Told, untold, redelivered, and announced but never made."""
    told = teller.begun(12, 20, timeouts=2)
    untold = teller.begun(13, 21)
    teller.at(untold, "packed", 3 * HOUR, lambda shop, one: shipping.shipped(shop, one, hidden_tries=2))
    redelivered = teller.begun(14, 9)
    teller.at(redelivered, "reserved again", 6 * MINUTE, orders.reserved)
    abandoned = teller.begun(24, 7)
    tasks: list[str] = []

    def mail(shop: Shop, one: Order) -> None:
        tasks.append(workflows.mailed(shop, one, failures=3, gives_in=False))

    teller.at(abandoned, "mailed", HOUR, mail)
    return [
        Story("Payment retried and said so (http.request.resend_count)", order_path(told)),
        Story("Label retried without a word: three servers under one client", order_path(untold)),
        Story("A message delivered twice: the same Kafka offset", order_path(redelivered)),
        Story("A mail that announced a retry which never came", order_path(abandoned)),
        Story("The same as a Celery task", f"/find?q={tasks[0]}"),
    ]


def troubles(teller: Teller) -> list[Story]:
    """What a person would have to look at."""
    stuck = teller.begun(15, 26)
    shop = teller.shop
    shop.scene.begin("story/ticket", teller.anchor_ns - 2 * HOUR)
    ticket = f"EU/{stuck.number}.1"
    shop.crm.log(
        f"Where is my order {stuck.number}?", {"ticket.id": ticket, **stuck.about}, event="ticket.opened"
    )
    torn = teller.begun(16, 18)
    teller.at(torn, "cancelled", 30 * MINUTE, lambda s, one: orders.cancelled(s, one, told=False))
    teller.at(torn, "packed", 2 * HOUR, shipping.shipped)
    twice = teller.order(17, 14)
    teller.at(twice, "placed", 0, orders.placed)
    teller.at(twice, "charged", 40 * SECOND, payments.charge_again)
    teller.at(twice, "captured", 2 * MINUTE, payments.captured)
    teller.at(
        twice, "heard paid", 2 * MINUTE + 2 * SECOND, lambda s, one: orders.heard(s, one, "payments", "paid")
    )
    declined = teller.order(23, 5)
    teller.at(declined, "refused", 0, lambda s, one: orders.refused(s, one, "insufficient_funds"))
    return [
        Story("A step that never comes: reserved yesterday, never shipped", order_path(stuck)),
        Story(
            "The customer asks where it is (a key with slash and dot)", flow_path("entity", "ticket", ticket)
        ),
        Story("Two systems disagree: the shop cancelled, the warehouse shipped", order_path(torn)),
        Story("A double charge: two payments for one order", order_path(twice)),
        Story("A declined card, with its stack trace and a hidden card number", order_path(declined)),
    ]
