"""A frozen link outlives its records and the database's restart: the whole product, as it is run."""

import json
import re
import secrets
import tempfile
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import psycopg

from tests import product
from tests.asking import as_json, ask, every_row
from tests.product import Running
from tracing.lengths import DAY_NS

AGO_NS = 3 * DAY_NS
FLOW = "/flow/entity/order/survivor-1"
SHORT = {"THREADLINE_RETENTION_DAYS": "1", "THREADLINE_PROBLEM_RETENTION_DAYS": "1"}
PATIENCE_S = 30.0


def order(at_ns: int) -> bytes:
    """An order's trace: a request with a failed payment in it."""
    trace_id, place = secrets.token_hex(16), secrets.token_hex(8)

    def span(name: str, span_id: str, after_ms: int, parent: str = "", status: int = 0) -> dict[str, Any]:
        begins = at_ns + after_ms * 1_000_000
        attributes = [
            {"key": "order.id", "value": {"stringValue": "survivor-1"}},
            {"key": "order.state", "value": {"stringValue": name}},
        ]
        return {
            "traceId": trace_id, "spanId": span_id, "parentSpanId": parent, "name": name, "kind": 2,
            "startTimeUnixNano": str(begins), "endTimeUnixNano": str(begins + 5_000_000),
            "attributes": attributes, "status": {"code": status},
        }  # fmt: skip

    spans = [span("placed", place, 0), span("charge", secrets.token_hex(8), 2, place, 2)]
    spans += [span(f"step {n}", secrets.token_hex(8), 5 * n, place) for n in range(1, 9)]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


def shared(running: Running) -> str:
    """The path of a frozen link for anyone, made as a browser does."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    with browser.open(f"{running.url}/share?{urllib.parse.urlencode({'of': FLOW})}") as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.read().decode())
    assert token
    said = {
        "of": FLOW,
        "audience": "anyone",
        "shows": "frozen",
        "detail": "values",
        "until": "",
        "name": "Ann",
    }
    body = urllib.parse.urlencode(said | {"csrfmiddlewaretoken": token[1]}).encode()
    with browser.open(f"{running.url}/share", body) as made:
        found = re.search(r'id="address" value="([^"]+)"', made.read().decode())
    assert found
    return urllib.parse.urlsplit(found[1]).path


def test_a_frozen_link_survives_retention_and_a_restart() -> None:
    with tempfile.TemporaryDirectory(prefix="threadline-test-") as folder:
        home, ports = Path(folder), product.free_ports(3)
        running = product.start(home, ports)
        try:
            product.wait_ready(running)
            assert product.send(running, order(time.time_ns() - AGO_NS)) == 200
            rows = every_row(running.url, FLOW)
            path = shared(running)
            with psycopg.connect(running.conninfo, autocommit=True) as connection:
                connection.execute("UPDATE day SET last_received_ns = 1")
            product.end(running)
            running.log.write_text("")
            running = product.start(home, ports, more=SHORT)
            product.wait_ready(running)
            wait_for_summary(running)
            assert every_row(running.url, path) == rows
            assert len(rows) > 10
            status, _, page = ask(running.url, path)
            assert (status, b"Frozen" in page) == (200, True)
        finally:
            product.end(running)
            product.forget(home)


def wait_for_summary(running: Running) -> None:
    """Until retention took the records of the live flow."""
    deadline = time.monotonic() + PATIENCE_S
    while as_json(running.url, FLOW)["flow"]["retained"] != "summary":
        assert time.monotonic() < deadline, "the days were not dropped"
        time.sleep(0.2)
