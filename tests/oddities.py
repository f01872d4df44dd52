"""A small pool of records in which everything that may depend on the order of arrival happens at least once.

Parents after children, versions, an exception told twice and on two days, states at equal times, events that name
flows, links, absurd times, logs without a trace, several environments in one trace, keys on the resource.
"""

import random
from collections.abc import Iterator

from tests.builders import MS, T1, T2, T3, Service, event, trace_id
from tracing.records import DAY_NS, MAX_NS, Log, Span

DAY_MS = DAY_NS / MS
ORDER = {"order.id": "4711", "parcel.no": "P1"}

SHOP = Service("shop")
WMS = Service("Warehouse", environment="staging")
WORKER = Service("worker", **{"job.id": "nightly-7", "parcel.no": "P9"})


DECLINED = {"exception.type": "Declined", "exception.message": "no funds"}


def pool() -> list[Span | Log]:
    """About thirty records of three traces, equal at every call."""
    return [*_first_trace(), *_versions(), *_days_apart(), *_absurd(), *_traceless()]


def _first_trace() -> list[Span | Log]:
    place = SHOP.span("POST /orders", 0, 900, kind=2, attributes=ORDER | {"order.state": "placed"})
    pay = SHOP.span(
        "charge", 100, 300, parent=place, status=2, attributes=ORDER | {"payment.id": "p-1", "http.request.resend_count": 2},
        events=[
            event("exception", 350, exception__type="Declined", exception__message="no funds"),
            event("exception", 351, exception__type="Declined", exception__message="no funds"),
            event("noted", 360, order__id="4712", order__state="dragged in"),
        ],
    )  # fmt: skip
    told = SHOP.log("declined", 352, span=pay, severity=17, attributes=ORDER | DECLINED)
    body = {"order": {"id": "4711", "state": "noticed"}, "parcel": {"no": "P1"}}
    return [
        place,
        pay,
        told,
        SHOP.log(body, 353, span=place, event_name="order.noticed"),
        # Two states at one time: the digests decide.
        SHOP.span("a", 500, 100, parent=place, attributes=ORDER | {"order.state": "reserved"}),
        SHOP.span("b", 500, 100, parent=place, attributes=ORDER | {"order.state": "held"}),
        WMS.span("reserve", 520, 10, parent=pay, attributes=ORDER | {"order.state": "picked", "parcel.phase": "picked"}),
        WORKER.span("sweep", 540, 10, parent=b"orphaned"),
        # A second root of the same trace, in another environment.
        WMS.span("stray root", 0, 5, status=2),
    ]  # fmt: skip


def _versions() -> list[Span | Log]:
    told = [event("exception", 10, exception__type="Retry", exception__message="1")]
    states = ORDER | {"workflow.id": "w", "workflow.type": "Import"}
    return [
        SHOP.span("task", 0, 50, trace=T2, id="task", attributes=states | {"workflow.state": "retry"}, events=told),
        SHOP.span("task", 0, 80, trace=T2, id="task", attributes=states | {"workflow.state": "done"}, events=told, status=2),
        # A version that starts on the next day, and one that carries no key.
        SHOP.span("task", DAY_MS, 80, trace=T2, id="task", attributes=states, status=2),
        SHOP.span("task", 0, 20, trace=T2, id="task"),
        SHOP.span("follow", 90, 5, trace=T2, kind=5, links=[SHOP.span("x", 0, 1)], attributes=ORDER),
    ]  # fmt: skip


def _days_apart() -> list[Span | Log]:
    span = SHOP.span(
        "long", 0, 3 * DAY_MS, trace=T3, status=2, attributes=ORDER,
        events=[event("exception", DAY_MS, exception__type="Late", exception__message="x")],
    )  # fmt: skip
    late = {"exception.type": "Late", "exception.message": "x"}
    return [
        span,
        SHOP.span("poll", DAY_MS, 5, trace=T3, parent=span, attributes=ORDER),
        SHOP.log("late", DAY_MS + 1, span=span, severity=21, attributes=ORDER | late),
        SHOP.log("late again", 2 * DAY_MS, span=span, severity=17, attributes=ORDER | late),
    ]


def _absurd() -> list[Span | Log]:
    return [
        SHOP.span("epoch", 0, 1, trace=T3, start_ns=0, attributes=ORDER | {"order.state": "before all"}),
        SHOP.span("far", 0, 0, trace=T3, start_ns=MAX_NS, end_ns=MAX_NS, attributes=ORDER | {"order.state": "after all"}),
        SHOP.span("backwards", 700, -300, trace=T3, attributes=ORDER),
        SHOP.span("endless", 700, 0, trace=T3, end_ns=MAX_NS, attributes=ORDER),
        SHOP.log("no time", 0, time_ns=0, severity=17, attributes=ORDER),
    ]  # fmt: skip


def _traceless() -> list[Span | Log]:
    return [
        SHOP.log("packed", 5000, attributes=ORDER | {"order.status": "packed"}, event_name="order.packed"),
        WMS.log("packed", 5000, attributes=ORDER, severity=17),
        SHOP.log("next day", DAY_MS, attributes=ORDER | DECLINED, severity=17),
        WORKER.log("done", 5100),
        SHOP.log("in a trace, of no span", 400, trace=T1, attributes=ORDER),
        SHOP.log("of nothing", 401, trace=T1, severity=17, attributes=DECLINED),
    ]


def shuffled_parts(seed: int) -> Iterator[list[Span | Log]]:
    chance = random.Random(seed)
    records = pool()
    chance.shuffle(records)
    while records:
        size = chance.randint(1, 9)
        yield records[:size]
        del records[:size]


def numbered() -> list[Span | Log]:
    """Orders under one name, the other, and both; with versions that carry different ones."""
    state = {"order.state": "placed"}
    return [
        SHOP.span("old", 0, 5, trace=trace_id("n1"), attributes={"order.id": "A"} | state),
        SHOP.span("new", 1, 5, trace=trace_id("n1"), attributes={"shop.order_no": "A"}),
        SHOP.span(
            "both", 2, 5, trace=trace_id("n2"), attributes={"order.id": "A", "shop.order_no": "A"} | state
        ),
        SHOP.span(
            "two", 3, 5, trace=trace_id("n3"), attributes={"order.id": "A", "shop.order_no": "B"} | state
        ),
        SHOP.span("v", 4, 5, trace=trace_id("n3"), id="v", attributes={"order.id": "A"}, status=2),
        SHOP.span("v", 4, 6, trace=trace_id("n3"), id="v", attributes={"shop.order_no": "A"}, status=2),
        SHOP.log("both", 5, attributes={"order.id": "A", "shop.order_no": "A"}, severity=17),
        SHOP.log("new", 6, attributes={"shop.order_no": "A"}, severity=17),
    ]
