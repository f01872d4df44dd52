"""The chapters of an order's life: placed, paid, reserved, shipped, delivered, cancelled, returned.

Each function plays one trace (or two, where a message crosses over) at the scene's time. `payments` and
`shipping` play the longer parts; `plan` says which chapters an order goes through, and when.
"""

from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.util.types import AnyValue

from tracing.demo.cast import Shop
from tracing.demo.goods import Order
from tracing.demo.payments import authorise
from tracing.demo.services import Attributes, Headers


def placed(shop: Shop, order: Order, timeouts: int = 0) -> None:
    """The checkout: a request from a browser, the payment, and the message that tells everybody."""
    web = shop.web
    with web.server("POST /checkout", _checkout(order, 201, "placed")):
        _basket(shop, order)
        authorise(shop, order, timeouts)
        with web.client("INSERT orders", {"db.system.name": "postgresql", "db.namespace": "shop"}):
            shop.scene.spend(2, 15)
        body = f"Order {order.number} placed: {order.quantity} × {order.product}"
        web.log(body, {**order.about, "order.value": order.cents / 100}, event="order.placed")
        order.messages["orders"] = web.publish("orders", order.about)
        shop.scene.spend(1, 4)


def refused(shop: Shop, order: Order, code: str) -> None:
    """A checkout that ends at the payment: the card was declined."""
    with shop.web.server("POST /checkout", _checkout(order, 402, "payment_failed")) as request:
        _basket(shop, order)
        authorise(shop, order, declined=code)
        shop.web.log(f"Checkout of order {order.number} refused: {code}", order.about, "WARN")
        request.set_status(Status(StatusCode.ERROR, "payment refused"))


def reserved(shop: Shop, order: Order, offset: int | None = None) -> None:
    """The warehouse hears of the order and puts the goods aside."""
    wms = shop.wms
    message = {
        "messaging.kafka.offset": order.number if offset is None else offset,
        "messaging.destination.partition.id": str(order.number % 6),
        "warehouse": order.warehouse,
        "order.state": "reserved",
        **order.about,
    }
    with wms.consume("orders", order.messages["orders"], message):
        shop.scene.spend(2, 10)
        with wms.span("reserve stock", {"product.sku": order.sku, "stock.quantity": order.quantity}):
            with wms.client("UPDATE stock", {"db.system.name": "postgresql", "db.namespace": "wms"}):
                shop.scene.spend(2, 40)
            wms.event("stock.reserved", {"stock.left": order.number % 190 + 3})
        wms.log(f"Reserved {order.quantity} × {order.sku} in {order.warehouse}", {"product.sku": order.sku})


def cancelled(shop: Shop, order: Order, told: bool = True) -> None:
    """A person cancels in the shop. The warehouse puts the goods back, unless the message is lost."""
    web = shop.web
    about = {"http.request.method": "POST", "http.route": "/orders/{id}/cancel", **order.about}
    with web.server("POST /orders/{id}/cancel", {**about, "order.state": "cancelled"}):
        shop.scene.spend(4, 30)
        web.log(f"Order {order.number} cancelled by the customer", order.about, event="order.cancelled")
        with web.client("POST crm/contacts", {"http.request.method": "POST", "server.address": "crm"}):
            shop.scene.spend(10, 80)
        message = web.publish("cancellations", order.about)
    if told:
        _put_back(shop, order, "cancellations", message, "cancelled")


def returned(shop: Shop, order: Order) -> None:
    """The parcel comes back and the money too."""
    about = {"http.request.method": "POST", "http.route": "/returns", **order.about}
    with shop.web.server("POST /returns", {**about, "order.state": "returned"}):
        shop.scene.spend(6, 20)
        shop.web.log(f"Return of order {order.number} registered", order.about, event="order.returned")
        message = shop.web.publish("returns", order.about)
    shop.scene.wait(2)
    refund = {
        "payment.id": order.payment,
        "payment.state": "refunded",
        "payment.amount": order.cents / 100,
        **order.about,
    }
    with shop.billing.consume("returns", message, refund):
        with shop.billing.client("POST psp/v1/refunds", {"http.request.method": "POST"}):
            shop.scene.spend(80, 400)
        shop.billing.log(f"Refunded {order.cents / 100:.2f} EUR", {"payment.id": order.payment})
    _put_back(shop, order, "returns", message, "returned")


def accounted(shop: Shop, order: Order) -> None:
    """The old ERP speaks in log lines without any trace: only the order's number ties them to it."""
    about = {"order.id": order.key, "erp.document": f"RE-{order.number}"}
    shop.erp.log(f"FIBU 4400 Beleg RE-{order.number} gebucht", about)
    shop.scene.wait(3)
    shop.erp.log({"document": f"RE-{order.number}", "order": {"id": order.key}, "account": 4400}, about)


def heard(shop: Shop, order: Order, topic: str, state: str) -> None:
    """The shop follows what the others say about an order."""
    about = {"order.state": state, **order.about}
    with shop.web.consume(topic, order.messages[topic], about, lag_ms=900):
        shop.scene.spend(1, 8)
        update = {
            "db.system.name": "postgresql",
            "db.query.text": "UPDATE orders SET state = $1 WHERE id = $2",
        }
        with shop.web.span("UPDATE orders", update, SpanKind.CLIENT):
            shop.scene.spend(1, 12)


def _put_back(shop: Shop, order: Order, topic: str, message: Headers, state: str) -> None:
    """The warehouse hears that goods stay or come back, and agrees on the order's state."""
    with shop.wms.consume(topic, message, {"order.state": state, **order.about}, lag_ms=1_500):
        with shop.wms.client("UPDATE stock", {"db.system.name": "postgresql", "db.namespace": "wms"}):
            shop.scene.spend(2, 30)
        shop.wms.event("stock.put_back", {"product.sku": order.sku})


def _checkout(order: Order, code: int, state: str) -> dict[str, AnyValue]:
    return {
        "http.request.method": "POST",
        "http.route": "/checkout",
        "url.path": "/checkout",
        "http.response.status_code": code,
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
        "order.value": order.cents / 100,
        "order.currency": "EUR",
        "order.state": state,
        **order.about,
    }


def _basket(shop: Shop, order: Order) -> None:
    shop.scene.spend(3, 12)
    basket: Attributes = {"basket.lines": 1, "product.sku": order.sku, "basket.quantity": order.quantity}
    with shop.web.span("validate basket", basket):
        shop.scene.spend(1, 9)
        stock = {"db.system.name": "postgresql", "db.query.text": "SELECT free FROM stock WHERE sku = $1"}
        with shop.web.client("SELECT stock", {**stock, "db.namespace": "shop"}):
            shop.scene.spend(1, 25)
