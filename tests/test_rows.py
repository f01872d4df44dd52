"""What rows say of the unknown: null in JSON, and words where a person reads them."""

from typing import Any

from django.db import connection
from django.test import Client

from tests.builders import BASE_NS, MS, Service, batch, trace_id
from tracing.storing import Store

SHOP = Service("shop")


def rows(client: Client, path: str) -> dict[str, dict[str, Any]]:
    answer = client.get(path, {"format": "json", "expand": "all"}).json()
    return {f"{row['row']} {row['name']}": row for row in answer["rows"]}


def test_a_log_without_any_time_says_when_it_was_received(client: Client, store: Store) -> None:
    trace = trace_id("untimed")
    root = SHOP.span("root", 0, 90, trace=trace)
    store.put(batch(root, SHOP.log("untimed note", 0, span=root, time_ns=0)))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE log SET received_ns = %s", [BASE_NS + 3_661 * 1_000 * MS])
    path = f"/flow/request/trace/{trace.hex()}"
    row = rows(client, path)["log untimed note"]
    assert row["start"] is None and row["marks"] == ["has no time of its own"]
    page = client.get(path).content.decode()
    assert "received 2026-11-18 12:07:41.000 UTC, has no time of its own" in page
    assert "12:07:41</span>" in page and "1970" not in page
    line = next(
        line for line in client.get(path, {"format": "txt"}).content.decode().splitlines() if "¶" in line
    )
    assert line.startswith("18 Nov 12:07:41.000 ") and line.endswith(" received")


def test_an_unknown_service_is_null(client: Client, store: Store) -> None:
    """A chapter whose records are gone and whose root never came knows none."""
    trace = trace_id("gone")
    store.put(batch(SHOP.span("x", 0, 5, trace=trace, parent=b"12345678", attributes={"order.id": "7"})))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE span, request, member")
    told = rows(client, "/flow/entity/order/7")
    assert told[f"chapter trace {trace.hex()[:8]}"]["service"] is None
