"""Stories in which the senders misbehave: a wrong clock, a lost root, no traces, late and repeated data.

`stories` holds the ones in which the shop does. Threadline must draw all of them and say what is missing.
"""

from tracing.demo import orders, payments, shipping
from tracing.demo.cast import Shop
from tracing.demo.goods import Order
from tracing.demo.scene import HOUR, MINUTE
from tracing.demo.services import Attributes, headers_here
from tracing.demo.stories import Story, Teller, order_path, trace_path


def clocks_and_roots(teller: Teller) -> list[Story]:
    skewed = teller.begun(18, 16)
    teller.at(skewed, "packed", 2 * HOUR, shipping.shipped)
    rootless = teller.order(19, 12)
    teller.at(rootless, "placed", 0, _without_root)
    return [
        Story(
            "A clock 2.4 s ahead: the carrier answers before it is asked",
            trace_path(skewed.messages["shipments"]),
        ),
        Story(
            "A root that never arrived: the gateway does not report", trace_path(rootless.messages["orders"])
        ),
    ]


def deliveries(teller: Teller) -> list[Story]:
    """What comes without a trace, late, or twice."""
    traceless = teller.order(20, 30)
    teller.at(traceless, "accounted", HOUR, orders.accounted)
    teller.at(traceless, "scanned", 5 * HOUR, shipping.scanned)
    teller.at(traceless, "van", 20 * HOUR, shipping.on_the_van)
    late = teller.order(21, 10)
    teller.at(late, "placed", 0, orders.placed)
    with teller.shop.outbox.sending("late"):
        teller.at(late, "captured", MINUTE, payments.captured)
    teller.at(late, "reserved", 5 * MINUTE, orders.reserved)
    with teller.shop.outbox.sending("twice"):
        repeated = teller.begun(22, 8)
    return [
        Story("Known from log lines alone, none with a trace", order_path(traceless)),
        Story("Late data: its payment arrived after everything else", order_path(late)),
        Story("Sent twice by its exporters, stored once", order_path(repeated)),
    ]


def namesakes(teller: Teller) -> list[Story]:
    """Ids that are used twice: another environment's order, and a scheduler's tries."""
    twin = teller.order(11, 3)
    teller.at(twin, "staging", 0, _in_staging)
    run = f"scheduled__{teller.first_number}"
    teller.shop.scene.begin("story/settlement", teller.anchor_ns - 6 * HOUR)
    _settled(teller.shop, run)
    return [
        Story("The same number in staging is another order", f"{order_path(twin)}?env=staging"),
        Story("An Airflow task whose tries share their ids", f"/find?q={run}"),
    ]


def _without_root(shop: Shop, order: Order) -> None:
    about = {"http.request.method": "POST", "http.route": "/api/checkout"}
    with shop.web.span("POST /api/checkout", about, headers={}, lost=True):
        shop.scene.spend(2, 9)
        inner = {
            "http.request.method": "POST",
            "http.route": "/checkout",
            "order.state": "placed",
            **order.about,
        }
        with shop.web.server("POST /checkout", inner, headers_here()):
            payments.authorise(shop, order)
            order.messages["orders"] = shop.web.publish("orders", order.about)


def _in_staging(shop: Shop, order: Order) -> None:
    about = {"http.request.method": "POST", "http.route": "/checkout", "order.state": "placed", **order.about}
    with shop.staging.server("POST /checkout", about):
        shop.scene.spend(30, 300)
        shop.staging.log(
            f"Order {order.number} placed by the nightly test", order.about, event="order.placed"
        )


def _settled(shop: Shop, run: str) -> None:
    """Airflow: every try of a task under the same span id, the parent last."""
    dag = {"airflow.dag_id": "settlement", "airflow.dag_run.run_id": run}
    with shop.erp.span("settlement", {**dag, "airflow.dag_run.state": "success"}, headers={}) as parent:
        trace_id = parent.get_span_context().trace_id
        span_id = shop.scene.chance.getrandbits(64)
        for number, state in ((1, "up_for_retry"), (2, "success")):
            about: Attributes = {
                **dag,
                "airflow.task_id": "book_fees",
                "airflow.task_instance.try_number": number,
                "airflow.task_instance.state": state,
            }
            with shop.ids.fixed(trace_id, span_id), shop.erp.span("book_fees", about):
                shop.scene.spend(2_000, 9_000)
            shop.scene.wait(300)
