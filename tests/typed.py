"""Orders as a fortnight of them looks to the watcher: flows through the real store, what it counted and learned as rows.

    fill_types(store)   120 orders; learned: created, paid, reserved, shipped, cancelled; 22 stuck at paid

Table `learned` and `backlog` are written here as `tracing.watch` writes them; its own tests show that it does.
"""

from typing import Any

import orjson
from django.db import connection

from tests.builders import Service, batch, trace_id
from tracing.clock import now_ns
from tracing.storing import Store

SHOP, BILLING, WMS = Service("shop"), Service("billing"), Service("wms")
MINUTE = 60_000_000_000
MINUTE_MS = 60_000
ORDERS = 120


def fill_types(store: Store, orders: int = ORDERS, begun_ms: int = 0) -> None:
    """`begun_ms`: when the first order begins, after `BASE_NS`; the others follow every ten minutes."""
    spans = []
    for number in range(orders):
        at_ms = begun_ms + number * 10 * MINUTE_MS
        moves = [(SHOP, "created", 0), (BILLING, "paid", 4)]
        if number % 20 == 7:
            moves = [*moves[:1], (SHOP, "cancelled", 30)]
        elif number % 6:
            # Every tenth takes two hours to be reserved.
            moves += [(WMS, "reserved", 130 if number % 10 == 3 else 12), (WMS, "shipped", 150)]
        for service, state, minute in moves:
            said = {"order.id": str(4700 + number), "order.state": state}
            trace = trace_id(f"order {number} {state}")
            spans.append(
                service.span(f"to {state}", at_ms + minute * MINUTE_MS, 100, trace=trace, attributes=said)
            )
    store.put(batch(*spans))
    learn("order", "", 0, passed=480, waiting=30, p50=3, p99=60, share=1.0)
    learn("order", "created", 0, ("paid", "billing", 0.95), ("cancelled", "shop", 0.05), system="shop",
          passed=412, waiting=3, p50=3, p99=11, threshold=21, share=1.0)  # fmt: skip
    learn("order", "paid", 1, ("reserved", "wms", 0.97), ("cancelled", "shop", 0.03), system="billing",
          passed=390, waiting=22, p50=8, p99=14, threshold=26, share=0.95,
          backtest={"alarms": 3, "never_recovered": 2, "days": 14})  # fmt: skip
    learn(
        "order",
        "reserved",
        2,
        ("shipped", "wms", 1.0),
        system="wms",
        passed=12,
        waiting=1,
        p50=110,
        share=0.8,
    )
    learn(
        "order",
        "ready",
        3,
        ("returned", "shop", 0.7),
        system="wms",
        passed=70,
        waiting=30,
        plateau=0.3,
        share=0.2,
    )
    learn("order", "shipped", 4, system="wms", passed=0, waiting=380, is_end=True, plateau=1.0, share=0.78)
    learn(
        "order", "cancelled", 2.1, system="shop", passed=0, waiting=20, is_end=True, plateau=1.0, share=0.05
    )
    stand("order", "created", 41, oldest="4700")
    stand("order", "paid", 22, stuck=20, late=1, oldest="4706", minutes=192)
    stand("order", "shipped", 0, ended=51)


def learn(
    type: str, step: str, position: float, *ways: tuple[str, str, float], system: str = "", passed: int = 0,
    waiting: int = 0, threshold: int | None = None, level: str = "p99", is_end: bool = False, source: str = "state",
    environment: str = "production", p50: int | None = None, p99: int | None = None, **facts: Any,
) -> None:  # fmt: skip
    """One row of what is learned; lengths in minutes."""
    told = {
        "p50": _minutes(p50), "p90": None, "p95": None, "p99": _minutes(p99), "needed": 29, "plateau": 0.0,
        "ways": [{"step": name, "system": by, "share": share} for name, by, share in ways],
        "system": system, "position": position, **facts,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO learned VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                type, environment, step, source, passed, waiting, _minutes(threshold),
                level if threshold else None, is_end, orjson.dumps(told).decode(), now_ns(),
            ],
        )  # fmt: skip


def stand(
    type: str, step: str, open: int, *, late: int = 0, stuck: int = 0, oldest: str = "", minutes: int = 2,
    ended: int = 0, environment: str = "production",
) -> None:  # fmt: skip
    """One row of the backlog; `oldest` is the key of the flow that stands there longest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO backlog (kind, type, environment, step, open, ended, late, stuck, unknown, paused, oldest_ns,"
            " oldest_id, counted_ns) SELECT 1, %s, %s, %s, %s, %s, %s, %s, 0, 0, %s, (SELECT flow_id FROM flow"
            " WHERE type = %s AND key = %s AND environment = %s), %s",
            [
                type, environment, step, open, ended, late, stuck, now_ns() - minutes * MINUTE,
                type, oldest, environment, now_ns(),
            ],
        )  # fmt: skip


def _minutes(count: int | None) -> int | None:
    return None if count is None else count * MINUTE
