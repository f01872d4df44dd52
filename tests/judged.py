"""What the watcher would have written about order 4711, for tests of the pages: rows by SQL into its tables.

The order of `tests.test_flow_page` is paid and waits for wms; times are milliseconds after `BASE_NS`, as in `builders`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from django.db import connection

from tests.builders import BASE_NS, MS, T2, Service
from tracing import clock
from tracing.records import Log, Span

MINUTE = 60_000
HOUR = 60 * MINUTE
NOW = BASE_NS + (3 * HOUR + 12 * MINUTE) * MS
ORDER = "order"
WAITS: dict[str, Any] = {
    "verdict": "stuck",
    "verdict_since_ns": BASE_NS + 21 * MINUTE * MS,
    "step": "paid",
    "system": "shop",
    "since_ns": BASE_NS,
    "awaited_step": "shipment.created",
    "awaited_system": "wms",
    "expected_ns": BASE_NS + 14 * MINUTE * MS,
    "late_ns": BASE_NS + 21 * MINUTE * MS,
    "stuck_ns": BASE_NS + 42 * MINUTE * MS,
    "source": "learned",
    "reason": "step",
    "evidence": {"passed": 412, "within_ns": 14 * MINUTE * MS, "share": 0.97, "level": "p99", "factor": 1.5},
}
shop, billing, wms = Service("shop"), Service("billing"), Service("wms")


def waiting_order() -> list[Span | Log]:
    """Order 4711, paid after two tries of its card, heard of by wms; then nothing."""
    order = {"order.id": "4711"}
    received = {**order, "order.state": "created"}
    place = shop.span("POST /orders", 0, 1240, kind=2, attributes={**order, "order.state": "created"})
    charge = billing.span(
        "charge card", 100, 200, parent=place, kind=3, status=2, message="declined",
        attributes={**order, "http.request.resend_count": 1},
    )  # fmt: skip
    second = billing.span("charge card", 500, 300, id="second", parent=place, kind=3, attributes=order)
    return [
        place, charge, second,
        shop.log("order paid", 1300, span=place, event_name="order.paid", attributes={**order, "order.state": "paid"}),
        wms.span("consume order.paid", 1245, 40, trace=T2, kind=5, links=[place], attributes=received),
        wms.log("no carrier answers", 5200, severity=17, attributes=order),
    ]  # fmt: skip


@contextmanager
def at(folder: Path, time_ns: int = NOW) -> Iterator[Path]:
    """It is that time for everything in this process; `clock.set_file` of what is yielded moves it on."""
    told = folder / "clock"
    clock.set_file(told, time_ns)
    clock.follow(told)
    try:
        yield told
    finally:
        clock.follow(None)


def order_id() -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT flow_id FROM flow WHERE type = 'order' AND key = '4711'")
        return bytes(cursor.fetchone()[0])


def insert(table: str, **values: Any) -> None:
    """One row, whatever was there of its key before."""
    told = [orjson.dumps(one).decode() if isinstance(one, dict) else one for one in values.values()]
    with connection.cursor() as cursor:
        if table == "expectation":
            cursor.execute("DELETE FROM expectation WHERE flow_id = %s", [values["flow_id"]])
        marks = ", ".join(["%s"] * len(told))
        cursor.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", told)


def judge(flow_id: bytes | None = None, **changed: Any) -> bytes:
    """The order as the watcher left it: stuck since 21 minutes after it was paid, unless something else is told."""
    identity = flow_id or order_id()
    insert(
        "expectation", flow_id=identity, kind=1, type=ORDER, environment="production",
        **(WAITS | changed),
    )  # fmt: skip
    return identity


def flip(
    flow_id: bytes, after_ms: int, before: str | None, after: str, sentence: str = "It waits too long.",
    noticed_ms: int = 1,
) -> None:  # fmt: skip
    at_ns = BASE_NS + after_ms * MS
    insert(
        "flip", flip_id=f"{after_ms}{after}".encode().ljust(16, b"."), flow_id=flow_id, at_ns=at_ns,
        judged_ns=at_ns + noticed_ms * MS, before=before, after=after, sentence=sentence,
    )  # fmt: skip


def problem(flow_ids: Sequence[bytes], title: str = "22 orders wait for shipment.created from wms") -> bytes:
    identity = b"problem 1234"
    times = dict.fromkeys(("first_ns", "opened_ns", "checked_ns"), BASE_NS) | {"last_ns": NOW}
    insert(
        "problem", problem_id=identity, identity=identity, kind="stuck", type=ORDER, environment="production",
        step="paid", system="wms", title=title, why="", severity=3, state="open", flows=22, all_flows=22,
        evidence={}, **times,
    )  # fmt: skip
    for flow_id in flow_ids:
        insert("problem_flow", problem_id=identity, flow_id=flow_id, kind=1, since_ns=BASE_NS)
    return identity


def message(after_ms: int, state: str = "sent", *, channel_id: int = 0, **about: Any) -> None:
    at_ns = BASE_NS + after_ms * MS
    insert(
        "message", message_id=f"m{after_ms}", channel_id=channel_id, phase="opened", subject="22 orders are stuck",
        body="…", url="/", at_ns=at_ns, not_before_ns=at_ns, state=state,
        error="no route to host" if state == "failed" else "", **about,
    )  # fmt: skip


def promise(by_ms: int, said_ms: int = 300, operation: str = "charge card", **more: Any) -> None:
    """billing said that it would try again."""
    about = {"flow_id": order_id(), "trace_id": bytes(16), "record_id": b"x" * 16} | more
    insert(
        "stated", said_ns=BASE_NS + said_ms * MS, digest=b"d" * 16, what="retry", by_ns=BASE_NS + by_ms * MS,
        step="", system="billing", operation=operation, attempt=2, most=5, day=0, rule_id=1,
        received_ns=BASE_NS, xid="1", **about,
    )  # fmt: skip
