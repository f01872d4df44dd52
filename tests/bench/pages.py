"""Server time of the pages that matter, on a store that is full.

    uv run python -m tests.bench.pages [--runs 7] [--flows 1000000]

One million flows, requests of 1,000, 10,000 and 100,000 spans, an order with 300 chapters, and one order inside a
batch trace of 1,000. Prints one JSON line: medians in milliseconds over interleaved runs, first window of each page.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests import product
from tests.bench.memory import pss_by_process

LIMITS_MS = {
    "flows": 100,
    "flows_of_type": 100,
    "requests": 100,
    "request_1k": 60,
    "request_10k": 120,
    "request_100k": 600,
    "order_300_chapters": 150,
    "order_in_batch": 150,
}
MINUTE = "(extract(epoch FROM now()) / 60)::int"
# Flows as ingest would have left them, two weeks of activity; only the lists read them.
FILL_FLOWS = f"""
INSERT INTO flow (flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters,
    first_ns, last_ns, services, state, state_order, state_since_ns, activity, xid)
SELECT decode(md5('flow' || n), 'hex'), 1 + (n %% 7 = 0)::int, (ARRAY['order', 'payment', 'customer', 'sync'])[1 + n %% 4],
    'k' || n, 'production', 1, 12, 3, 4, (n %% 50 = 0)::int, 0, 3,
    ({MINUTE} - n %% 20160)::bigint * 60000000000, ({MINUTE} - n %% 20160)::bigint * 60000000000 + 5000000000,
    ARRAY['billing', 'shop'], (ARRAY['placed', 'paid', 'shipped'])[1 + n %% 3], '\\x00',
    ({MINUTE} - n %% 20160)::bigint * 60000000000, {MINUTE} - n %% 20160, '1'::xid8
FROM generate_series(1, %s) AS n
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=7)
    options.add_argument("--flows", type=int, default=1_000_000)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="threadline-bench-") as home,
        product.started(Path(home)) as running,
    ):
        pages = fill(running, asked.flows)
        times: dict[str, list[float]] = {name: [] for name in pages}
        sizes: dict[str, int] = {}
        for _ in range(asked.runs + 1):
            for name, path in pages.items():
                took, sizes[name] = fetch(running.url + path)
                times[name].append(took * 1e3)
        medians = {name: round(statistics.median(values[1:]), 1) for name, values in times.items()}
        result = {
            "bench": "pages",
            "ms": medians,
            "limit_ms": LIMITS_MS,
            "first_ms": {name: round(values[0], 1) for name, values in times.items()},
            "bytes": sizes,
            "memory_mb": pss_by_process(running),
        }
        print(json.dumps(result))


def fetch(address: str) -> tuple[float, int]:
    """Seconds until the whole answer is here, and its size."""
    began = time.perf_counter()
    with urllib.request.urlopen(address) as answer:
        size = len(answer.read())
    return time.perf_counter() - began, size


def fill(running: product.Running, flows: int) -> dict[str, str]:
    """Store everything; the pages to ask for, by name."""
    now_ns = time.time_ns() - 3_600_000_000_000
    source = random.Random(4711)
    pages = {"flows": "/flows", "flows_of_type": "/flows?type=order", "requests": "/flows?kind=request"}
    for name, count in (("request_1k", 1_000), ("request_10k", 10_000), ("request_100k", 100_000)):
        trace = source.randbytes(16)
        send(running, tree(source, trace, count, now_ns))
        pages[name] = f"/flow/request/trace/{trace.hex()}"
    send(running, story(source, now_ns, 300))
    pages["order_300_chapters"] = "/flow/entity/order/long-story"
    send(running, batch_trace(source, now_ns, 1_000))
    pages["order_in_batch"] = "/flow/entity/order/in-batch-500"
    with psycopg.connect(running.conninfo, autocommit=True) as connection:
        connection.execute(FILL_FLOWS, (flows,))
        connection.execute("VACUUM ANALYZE flow")
        connection.execute("ANALYZE")
    return pages


Row = tuple[bytes, bytes, bytes, str, int, int, dict[str, str]]


def tree(source: random.Random, trace: bytes, count: int, now_ns: int) -> Iterator[Row]:
    """A request: each span below one of the last few, as call trees are."""
    known: list[bytes] = [b""]
    for number in range(count):
        span_id = source.randbytes(8)
        parent = b"" if number == 0 else known[max(1, len(known) - source.randrange(1, 30))]
        start = now_ns + number * 100_000
        yield trace, span_id, parent, f"step {number % 40}", start, start + 50_000_000, {"n": str(number)}
        known.append(span_id)


def story(source: random.Random, now_ns: int, chapters: int) -> Iterator[Row]:
    """An order that lives in many traces of eight spans."""
    for chapter in range(chapters):
        trace, parent = source.randbytes(16), b""
        for number in range(8):
            span_id, start = source.randbytes(8), now_ns + chapter * 10_000_000_000 + number * 1_000_000
            told = {"order.id": "long-story", "order.state": f"state-{chapter % 5}"} if number == 0 else {}
            yield trace, span_id, parent, f"step {number}", start, start + 9_000_000, told
            parent = parent or span_id


def batch_trace(source: random.Random, now_ns: int, orders: int) -> Iterator[Row]:
    """One trace that handles many orders, each with ten spans of its own."""
    trace, root = source.randbytes(16), source.randbytes(8)
    yield trace, root, b"", "nightly batch", now_ns, now_ns + 600_000_000_000, {}
    for order in range(orders):
        head, start = source.randbytes(8), now_ns + order * 500_000_000
        yield trace, head, root, "handle order", start, start + 400_000_000, {"order.id": f"in-batch-{order}"}
        for number in range(9):
            inner = start + number * 1_000_000
            yield trace, source.randbytes(8), head, f"step {number}", inner, inner + 900_000, {}


def send(running: product.Running, rows: Iterator[Row]) -> None:
    message, spans = new_request()
    for row in rows:
        add(spans, row)
        if len(spans) >= 2_000:
            post(running, message)
            message, spans = new_request()
    post(running, message)


def new_request() -> tuple[ExportTraceServiceRequest, Any]:
    message = ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    name = resource.resource.attributes.add()
    name.key, name.value.string_value = "service.name", "shop"
    return message, resource.scope_spans.add().spans


def add(spans: Any, row: Row) -> None:
    span = spans.add()
    span.trace_id, span.span_id, span.parent_span_id, span.name = row[:4]
    span.start_time_unix_nano, span.end_time_unix_nano = row[4:6]
    for key, value in row[6].items():
        pair = span.attributes.add()
        pair.key, pair.value.string_value = key, value


def post(running: product.Running, message: ExportTraceServiceRequest) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    asked = urllib.request.Request(running.otlp + "/v1/traces", message.SerializeToString(), headers)
    with urllib.request.urlopen(asked) as answer:
        if answer.read():
            raise SystemExit("the product refused a part of the bench's own spans")


if __name__ == "__main__":
    main()
