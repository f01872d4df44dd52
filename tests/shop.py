"""A small cast for the tests of lists: a shop with orders, payments and one workflow, one day and two environments.

`fill` stores it through the real store. Order 4711 is paid and carries an error; order 4712 lives in staging too.
"""

from tests.builders import Service, batch, event, trace_id
from tracing.storing import Store

SHOP, BILLING, STAGING = Service("shop"), Service("billing"), Service("shop", "staging")
HOUR_MS = 3_600_000
PLACED, PAID, OTHER, STAGED, RUN = (trace_id(name) for name in ("placed", "paid", "other", "staged", "run"))


def fill(store: Store) -> None:
    place = SHOP.span(
        "POST /orders",
        0,
        900,
        trace=PLACED,
        kind=2,
        attributes={"order.id": "4711", "order.state": "created"},
    )
    charge = BILLING.span(
        "charge card", 100, 500, trace=PLACED, parent=place, kind=3, status=2,
        attributes={"http.route": "/x y", "amount": 42}, events=[event("exception", 300, exception__type="Declined")],
    )  # fmt: skip
    pay = BILLING.span(
        "POST /payments", HOUR_MS, 200, trace=PAID, kind=2,
        attributes={"order.id": "4711", "payment.id": "pay/1 ü", "order.state": "paid"},
    )  # fmt: skip
    other = SHOP.span("POST /orders", 2 * HOUR_MS, 50, trace=OTHER, kind=2, attributes={"order.id": "4712"})
    staged = STAGING.span(
        "POST /orders", 3 * HOUR_MS, 50, trace=STAGED, kind=2, attributes={"order.id": "4712"}
    )
    run = SHOP.span(
        "onboard",
        4 * HOUR_MS,
        50,
        trace=RUN,
        attributes={"workflow.id": "run-1", "workflow.type": "onboarding"},
    )
    lost = SHOP.span("late child", 5 * HOUR_MS, 50, trace=trace_id("lost"), parent=bytes(7) + b"\x01")
    note = BILLING.log("refund asked", 90_000, attributes={"order.id": "4711"}, severity=17)
    store.put(batch(place, charge, pay, other, staged, run, lost, note))
