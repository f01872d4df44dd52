"""How an order is paid: authorised during the checkout, captured when the payment provider calls back.

The ways it goes wrong live here too: a timeout with declared resends, a declined card, a card charged twice.
`orders` plays the rest.
"""

from opentelemetry.trace import Span

from tracing.demo.cast import Shop
from tracing.demo.failures import Failure, card_declined, gateway_timeout
from tracing.demo.goods import Order
from tracing.demo.services import Attributes, Headers, headers_here


def authorise(shop: Shop, order: Order, timeouts: int = 0, declined: str = "") -> None:
    """shop -> billing -> psp, inside the current trace. `declined` is the provider's code."""
    order.payments += 1
    status = 402 if declined else 201
    call: Attributes = {
        "http.request.method": "POST",
        "server.address": "billing",
        "http.response.status_code": status,
    }
    with shop.web.client("POST billing/charges", call) as calling:
        shop.scene.spend(1, 5)
        _charge(shop, order, headers_here(), timeouts, declined)
        shop.scene.spend(1, 3)
        if declined:
            shop.web.fail(calling, card_declined(declined), logged=False)


def captured(shop: Shop, order: Order) -> None:
    """The provider's webhook: the money is there."""
    webhook = {
        "http.request.method": "POST",
        "http.route": "/webhooks/psp",
        "http.response.status_code": 204,
        "payment.id": order.payment,
        "payment.state": "captured",
        **order.about,
    }
    with shop.billing.server("POST /webhooks/psp", webhook):
        shop.scene.spend(2, 15)
        with shop.billing.client("UPDATE payments", {"db.system.name": "mysql", "db.namespace": "billing"}):
            shop.scene.spend(1, 20)
        body = f"Payment {order.payment} captured, {order.cents / 100:.2f} EUR"
        shop.billing.log(body, {"payment.id": order.payment, "order.id": order.key}, event="payment.captured")
        order.messages["payments"] = shop.billing.publish("payments", order.about)


def charge_again(shop: Shop, order: Order) -> None:
    """The same order charged a second time, by a button pressed twice: both succeed."""
    about = {"http.request.method": "POST", "http.route": "/checkout/retry", **order.about}
    with shop.web.server("POST /checkout/retry", about):
        shop.scene.spend(3, 12)
        authorise(shop, order)
        shop.web.log("Payment page was submitted again", order.about, "WARN")


def _charge(shop: Shop, order: Order, headers: Headers, timeouts: int, declined: str) -> None:
    billing = shop.billing
    request = {
        "http.request.method": "POST",
        "http.route": "/charges",
        "http.response.status_code": 402 if declined else 201,
        "payment.id": order.payment,
        "payment.amount": order.cents / 100,
        "payment.currency": "EUR",
        "payment.state": "declined" if declined else "authorised",
        **order.about,
    }
    with billing.server("POST /charges", request, headers) as charging:
        shop.scene.spend(2, 8)
        for resend in range(timeouts):
            _call(shop, order, resend, failure=gateway_timeout())
            billing.log(f"psp did not answer, trying again in {2**resend} s", order.about, "WARN")
            shop.scene.wait(2**resend)
        _call(shop, order, timeouts, failure=card_declined(declined) if declined else None)
        if declined:
            billing.fail(charging, card_declined(declined))
        else:
            billing.log(f"Authorised {order.payment}", {"payment.id": order.payment, "order.id": order.key})


def _call(shop: Shop, order: Order, resend: int, failure: Failure | None) -> None:
    """One try at the provider; only resends carry a count, as the HTTP conventions say."""
    about: dict[str, str | int] = {
        "http.request.method": "POST",
        "server.address": "api.psp.example",
        "url.full": "https://api.psp.example/v1/charges",
        "payment.id": order.payment,
        "order.id": order.key,
    }
    if resend:
        about["http.request.resend_count"] = resend
    timed_out = failure is not None and "Timeout" in failure.type
    with shop.billing.client("POST psp/v1/charges", about) as calling:
        if not timed_out:
            _provider(shop, order, headers_here(), calling, failure)
        else:
            shop.scene.wait(5)
        if failure:
            shop.billing.fail(calling, failure, logged=False)


def _provider(shop: Shop, order: Order, headers: Headers, calling: Span, failure: Failure | None) -> None:
    """The provider's side. A service should not send card numbers; this one does, and Threadline hides them."""
    code = 402 if failure else 200
    calling.set_attribute("http.response.status_code", code)
    about: Attributes = {
        "http.request.method": "POST",
        "http.route": "/v1/charges",
        "http.response.status_code": code,
        "payment.id": order.payment,
        "psp.card_number": f"41111111{order.number % 10**8:08d}",
    }
    with shop.psp.server("POST /v1/charges", about, headers):
        shop.scene.spend(40, 420)
