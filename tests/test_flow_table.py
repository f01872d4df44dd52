"""The table twin of a flow's rows, and its CSV: the rows of the timeline, in columns."""

import csv
import io
import re

import pytest
from django.test import Client

from tests.builders import T3, Service, batch
from tests.test_flow_page import order_4711
from tests.test_flow_work import page, told
from tracing.storing import Store

ORDER = "/flow/entity/order/4711"


@pytest.fixture
def order(store: Store) -> None:
    store.put(batch(*order_4711()))


def as_csv(client: Client, path: str, **query: str) -> list[dict[str, str]]:
    answer = client.get(path, {"format": "csv", **query})
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.usefixtures("order")
def test_the_same_rows_in_columns(client: Client) -> None:
    rows = told(client, "", ORDER)["rows"]
    text = page(client, "view=table", ORDER)
    assert re.findall(r'<tr class="row [^"]*" id="([^"]+)"', text) == [row["id"] for row in rows]
    assert 'role="treegrid"' not in text
    assert "view=table" not in re.findall(r'href="([^"]+)" data-table', text)[0]
    cells = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    assert "span charge card 18 Nov 11:06:40.100 200 ms billing ✕ error try 2 · declined" in cells


@pytest.mark.usefixtures("order")
def test_columns_sort_and_say_so(client: Client) -> None:
    text = page(client, "view=table&sort=-took", ORDER)
    assert 'aria-sort="descending"><a href="/flow/entity/order/4711?view=table&amp;sort=took">took ▼' in text
    names = re.findall(r'<(?:a|span) class="name"[^>]*>([^<]+)<', text)
    assert names[:4] == ["POST /orders", "POST /orders", "consume order.paid", "consume order.paid"]
    assert client.get(ORDER, {"view": "table", "sort": "colour"}).status_code == 400


@pytest.mark.usefixtures("order")
def test_csv_has_every_row_and_every_id(client: Client) -> None:
    rows = told(client, "&expand=all", ORDER)["rows"]
    found = as_csv(client, ORDER, expand="all")
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [row["start_ns"] for row in found] == [row["start"] or "" for row in rows]
    charge = next(row for row in found if row["name"] == "charge card")
    assert (charge["status"], charge["duration_ns"], charge["attempt"]) == ("error", "200000000", "2")
    assert charge["start"] == "2026-11-18T11:06:40.100000Z"


def test_csv_goes_on_beyond_a_window_and_is_no_formula(client: Client, store: Store) -> None:
    shop = Service("shop")
    root = shop.span("=cmd|' /C calc'!A0", 0, 60_000, trace=T3)
    steps = [shop.span(f"step {n}", n * 10, 5, trace=T3, id=f"s{n}", parent=root) for n in range(1, 1_200)]
    store.put(batch(root, *steps))
    found = as_csv(client, f"/flow/request/trace/{T3.hex()}", expand="all")
    assert len(found) == 1_200
    assert found[0]["name"] == "'=cmd|' /C calc'!A0"
    first = as_csv(client, f"/flow/request/trace/{T3.hex()}", expand="all", sort="-start")[0]
    assert first["name"] == "step 1199"
    text = page(client, "view=table&sort=-start&expand=all", f"/flow/request/trace/{T3.hex()}")
    assert "at=501" in text and "step 1199" in text


@pytest.mark.usefixtures("order")
def test_csv_of_what_is_not_there(client: Client) -> None:
    assert client.get("/flow/entity/order/0", {"format": "csv"}).status_code == 404
    assert client.get("/flows", {"format": "csv"}).status_code == 400
