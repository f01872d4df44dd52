"""How an order leaves the house: picked and labelled, handed to the carrier, scanned, delivered.

The carrier's clock is ahead of everybody's; its scanners log without any trace. `orders` plays the rest.
"""

from tracing.demo.cast import Shop
from tracing.demo.failures import label_refused
from tracing.demo.goods import Order
from tracing.demo.services import Attributes, headers_here


def shipped(shop: Shop, order: Order, hidden_tries: int = 0) -> None:
    """Pick, pack and label. With `hidden_tries` the HTTP client retries without telling: one CLIENT span, many SERVERs."""
    wms = shop.wms
    about = {
        "warehouse": order.warehouse,
        "shipment.id": order.shipment,
        "shipment.state": "packed",
        "order.state": "shipped",
        **order.about,
    }
    with wms.span("pick and pack", about, headers={}):
        shop.scene.spend(400, 9_000)
        wms.event("picked", {"product.sku": order.sku, "picker": f"p-{order.number % 14}"})
        call: Attributes = {
            "http.request.method": "POST",
            "server.address": "carrier",
            "http.response.status_code": 201,
        }
        with wms.client("POST carrier/labels", call):
            headers = headers_here()
            for _ in range(hidden_tries):
                _label(shop, order, headers, refused=True)
                shop.scene.wait(0.4)
            _label(shop, order, headers)
        wms.log(f"Order {order.number} packed as {order.shipment}", about | {"shipment.weight_g": 740})
        order.messages["shipments"] = wms.publish("shipments", {"shipment.id": order.shipment, **order.about})


def _label(shop: Shop, order: Order, headers: dict[str, str], refused: bool = False) -> None:
    shop.scene.spend(4, 20)
    about = {
        "http.request.method": "POST",
        "http.route": "/labels",
        "http.response.status_code": 503 if refused else 201,
        "shipment.id": order.shipment,
        "destination.country": order.country,
    }
    with shop.carrier.server("POST /labels", about, headers) as labelling:
        shop.scene.spend(30, 260)
        if refused:
            shop.carrier.fail(labelling, label_refused())


def scanned(shop: Shop, order: Order) -> None:
    """A scanner at the depot: a log line that knows a parcel and an order, but no trace."""
    about = {"shipment.id": order.shipment, "order.id": order.key}
    depot = f"{order.country}-{order.number % 9}"
    shop.carrier.log("Parcel scanned: arrived at depot", {**about, "depot": depot})


def on_the_van(shop: Shop, order: Order) -> None:
    """The scanner of the van, a log line like the depot's."""
    about = {"shipment.id": order.shipment, "order.id": order.key, "shipment.state": "out_for_delivery"}
    shop.carrier.log("Parcel scanned: out for delivery", about)


def delivered(shop: Shop, order: Order) -> None:
    """The carrier's webhook to the warehouse, which tells the shop."""
    about = {
        "http.request.method": "POST",
        "http.route": "/tracking",
        "http.response.status_code": 204,
        "shipment.id": order.shipment,
        "shipment.state": "delivered",
        "order.state": "delivered",
        **order.about,
    }
    with shop.wms.server("POST /tracking", about):
        shop.scene.spend(3, 25)
        shop.wms.log(
            f"{order.shipment} delivered", {"shipment.id": order.shipment}, event="shipment.delivered"
        )
        order.messages["shipments"] = shop.wms.publish("shipments", order.about)
