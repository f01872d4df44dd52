"""Accepted spans a second over OTLP/HTTP, beside raw COPY of the same rows in the same run.

    uv run python -m tests.bench.ingest [--runs 5] [--batches 200]

OTLP/HTTP protobuf gzip, batches of 512 spans with 12 attributes and an entity key, two connections, the generator on
the same cores, against the running product in a home of its own. Prints one JSON line: medians over interleaved runs.
"""

import argparse
import gzip
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psycopg

from tests import product
from tests.bench.memory import pss_by_process
from tests.bench.traffic import SPANS_A_BATCH, bodies
from tracing.otlp.decode import Decoding, decode_traces
from tracing.redaction import Redaction

CONNECTIONS = 2
COPY_ROWS = 100_000
# The columns of `span` as they are stored, without a key or an index.
BARE = """
CREATE TABLE bare (day int, trace_id bytea, span_id bytea, start_ns bigint, digest bytea, end_ns bigint, kind int,
    status int, flags bigint, dropped_attributes bigint, dropped_events bigint, dropped_links bigint, redacted int,
    rule_version int, received_ns bigint, xid xid8, resource_id bytea, scope_id bytea, parent_span_id bytea, name text,
    service text, status_message text, trace_state text, attributes jsonb, events jsonb, links jsonb,
    event_times bigint[], exact jsonb)
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--batches", type=int, default=200)
    asked = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="threadline-bench-") as home,
        product.started(Path(home)) as running,
    ):
        send_all(running, [list(bodies(20, 999, time.time_ns()))] * 1)  # warm
        rates, times, raw = [], [], []
        for run in range(asked.runs):
            rate, took = one_run(running, run, asked.batches)
            rates.append(rate)
            times += took
            raw.append(raw_copy(running, run))
            print(f"run {run}: {rate:,.0f} spans/s, raw COPY {raw[-1]:,.0f} rows/s", file=sys.stderr)
        result = {
            "bench": "ingest",
            "spans_per_s": round(statistics.median(rates)),
            "raw_copy_rows_per_s": round(statistics.median(raw)),
            "ratio": round(statistics.median(a / b for a, b in zip(rates, raw, strict=True)), 3),
            "answer_p50_ms": round(percentile(times, 0.5) * 1e3, 1),
            "answer_p99_ms": round(percentile(times, 0.99) * 1e3, 1),
            "runs": asked.runs,
            "memory_mb": pss_by_process(running),
        }
        print(json.dumps(result))


def one_run(running: product.Running, run: int, batches: int) -> tuple[float, list[float]]:
    """Accepted spans a second, and how long each answer took."""
    each = batches // CONNECTIONS
    ready = [list(bodies(each, run * 100 + number, time.time_ns())) for number in range(CONNECTIONS)]
    began = time.perf_counter()
    took = send_all(running, ready)
    return each * CONNECTIONS * SPANS_A_BATCH / (time.perf_counter() - began), took


def send_all(running: product.Running, ready: list[list[bytes]]) -> list[float]:
    took: list[float] = []
    threads = [threading.Thread(target=send, args=(running.otlp, part, took)) for part in ready]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def send(address: str, ready: list[bytes], took: list[float]) -> None:
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    for body in ready:
        began = time.perf_counter()
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        took.append(time.perf_counter() - began)
        if answer.status != 200 or text:
            raise SystemExit(f"refused: {answer.status} {text!r}")


def raw_copy(running: product.Running, run: int) -> float:
    """Rows a second of `write_row` on one connection into one bare table, the rows ready as tuples."""
    rows = list(span_tuples(run))
    with psycopg.connect(running.conninfo, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS bare")
        connection.execute(BARE)
        began = time.perf_counter()
        with connection.cursor().copy("COPY bare FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        took = time.perf_counter() - began
        connection.execute("DROP TABLE bare")
    return len(rows) / took


def span_tuples(run: int) -> Any:
    how = Decoding("protobuf", bytes(16), time.time_ns(), Redaction(), "http/protobuf")
    batches = -(-COPY_ROWS // SPANS_A_BATCH)
    for body in bodies(batches, 10_000 + run, time.time_ns(), zipped=True):
        for span in decode_traces(gzip.decompress(body), how).spans:
            # fmt: off
            yield (
                span.day, span.trace_id, span.span_id, span.start_ns, span.digest, span.end_ns, span.kind, span.status,
                span.flags, span.dropped_attributes, span.dropped_events, span.dropped_links, span.redacted, 1,
                how.received_ns, 1, span.resource.resource_id, span.scope.scope_id, span.parent_span_id, span.name,
                span.resource.service, span.status_message, span.trace_state, span.attributes_json.decode(), None, None,
                None, None,
            )
            # fmt: on


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()
