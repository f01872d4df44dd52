"""How long thinning takes, what it holds, what it hides and what ingest loses by it.

    uv run python -m tests.bench.retention [--spans 3000000] [--days 10] [--kept 0.02]

Spans with 12 attributes over days that are past retention, eight to a trace and a trace to an order, a share of the orders
part of a problem; put straight into the partitions. Then each day is thinned by `tracing.retention`'s own functions while
a process sends to the product, in turns with as long a time without. Prints one JSON line; needs 5 GB of disk.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests import product
from tests.bench.ingest import send
from tests.bench.traffic import SPANS_A_BATCH, bodies
from tracing import partitions, thinning
from tracing.clock import now_ns
from tracing.indexing import INDEX_LOCK
from tracing.parts import TABLES
from tracing.records import DAY_NS

SPANS_A_TRACE = 8
SENDERS = 2
LEAST_S = 4.0
POLL_S = 0.001
STRONG = (
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)

# Ids as they come from hashes, in no order; `t` is a trace of the day, `n` a span of it.
_TRACE = "decode(md5('trace' || {day} || ' ' || t), 'hex')"
_FLOW = "decode(md5('flow' || {day} || ' ' || t), 'hex')"
_SPAN_ID = "substring(decode(md5('span' || {day} || ' ' || t || ' ' || n), 'hex') FOR 8)"
_START = "{day}::bigint * 86400000000000 + t::bigint * 1000000 + n"
_TIMES = "{day}::bigint * 86400000000000 + t::bigint * 1000000, {day}::bigint * 86400000000000 + t::bigint * 1000000 + 9000000"
FILL = {
    "span": f"""
INSERT INTO span_d{{day}} (day, trace_id, span_id, start_ns, digest, parent_span_id, end_ns, kind, status, flags,
    dropped_attributes, dropped_events, dropped_links, redacted, rule_version, received_ns, xid, resource_id, scope_id, name,
    service, status_message, trace_state, attributes, facts)
SELECT {{day}}, {_TRACE}, {_SPAN_ID}, {_START}, decode(md5('digest' || t || n), 'hex'),
    CASE WHEN n = 0 THEN ''::bytea ELSE substring(decode(md5('span' || {{day}} || ' ' || t || ' 0'), 'hex') FOR 8) END,
    {_START} + 5000000, 1, 0, 257, 0, 0, 0, 0, 1, {{day}}::bigint * 86400000000000, '1'::xid8, decode(md5('r'), 'hex'),
    decode(md5('s'), 'hex'), 'operation ' || n, 'shop', '', '', jsonb_build_object('order.id', '{{day}}-' || t,
    'http.request.method', 'POST', 'http.route', '/orders/{{{{id}}}}/' || n, 'http.response.status_code', 200,
    'url.path', '/orders/' || t || '/' || n, 'server.address', 'shop.internal', 'server.port', 8080,
    'network.protocol.version', '1.1', 'user_agent.original', 'bench/1.0', 'thread.id', t % 64,
    'code.function.name', 'shop.orders.step_' || n, 'peer.latency_ms', random() * 100), 0
FROM generate_series(1, {{traces}}) AS t, generate_series(0, {SPANS_A_TRACE - 1}) AS n
""",
    "request": f"""
INSERT INTO request_d{{day}} (day, trace_id, spans, events, logs, errors, retries, resent, late, first_ns, last_ns, root,
    root_span_id, root_name, root_service, root_status, services, environment, activity, xid)
SELECT {{day}}, {_TRACE}, {SPANS_A_TRACE}, 0, 0, 0, 0, 0, 0, {_TIMES}, '\\x00', '\\x0011223344556677', 'operation 0', 'shop', 0,
    ARRAY['shop'], 'production', {{day}} * 1440, '1'::xid8 FROM generate_series(1, {{traces}}) AS t
""",
    "member": f"""
INSERT INTO member_d{{day}} (day, flow_id, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid)
SELECT {{day}}, {_FLOW}, {_TRACE}, '', 1, decode(repeat('0011223344556677', {SPANS_A_TRACE}), 'hex'),
    decode(repeat('00112233', {SPANS_A_TRACE}), 'hex'), '', '1'::xid8 FROM generate_series(1, {{traces}}) AS t
""",
    "chapter": f"""
INSERT INTO chapter (flow_id, trace_id, service, day, spans, events, logs, errors, retries, resent, late, first_ns, last_ns, xid)
SELECT {_FLOW}, {_TRACE}, '', {{day}}, {SPANS_A_TRACE}, 0, 0, 0, 0, 0, 0, {_TIMES}, '1'::xid8
FROM generate_series(1, {{traces}}) AS t
""",
    "flow": f"""
INSERT INTO flow (flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters, first_ns,
    last_ns, services, activity, xid)
SELECT {_FLOW}, 1, 'order', '{{day}}-' || t, 'production', 1, {SPANS_A_TRACE}, 0, 0, 0, 0, 1, {_TIMES}, ARRAY['shop'],
    {{day}} * 1440, '1'::xid8 FROM generate_series(1, {{traces}}) AS t
""",
    "problem_flow": f"""
INSERT INTO problem_flow (problem_id, flow_id, kind, since_ns, until_ns)
SELECT 'bench problem'::bytea, {_FLOW}, 1, 1, 2 FROM generate_series(1, {{traces}}, {{every}}) AS t
""",
}
_PROBLEM = """
INSERT INTO problem (problem_id, identity, kind, type, environment, step, system, title, why, severity, state, flows,
    all_flows, first_ns, last_ns, opened_ns, evidence, checked_ns, resolved_ns)
VALUES ('bench problem', 'bench problem', 'late', 'order', '', '', '', '', '', 3, 'resolved', 0, 1, 1, 1, 1, '{}', 1, %s)
"""
_HELD = """
SELECT l.pid, l.relation::regclass::text, l.mode FROM pg_locks l
WHERE l.locktype = 'relation' AND l.granted AND l.relation = ANY(%s::regclass[]) AND l.mode = ANY(%s)
"""


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--spans", type=int, default=3_000_000)
    options.add_argument("--days", type=int, default=10)
    options.add_argument("--kept", type=float, default=0.02)
    options.add_argument("--send", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.send:
        send_for_good(asked.send)
        return
    # The product's own watcher leaves these days to us.
    more = {"THREADLINE_RETENTION_DAYS": "36500", "THREADLINE_FLOW_RETENTION_DAYS": "36500"}
    with (
        tempfile.TemporaryDirectory(prefix="threadline-bench-") as home,
        product.started(Path(home), more=more) as running,
    ):
        print(json.dumps(measure(running, asked.spans, asked.days, asked.kept)))


def measure(running: product.Running, spans: int, days: int, kept: float) -> dict[str, Any]:
    first = now_ns() // DAY_NS - 16 - days
    with psycopg.connect(running.conninfo, autocommit=True) as connection:
        # Nor are indexes for the search built beside it: how long these take is another question.
        connection.execute("SELECT pg_advisory_lock(%s)", (INDEX_LOCK,))
        began = time.monotonic()
        for day in range(first, first + days):
            fill(connection, day, spans // days // SPANS_A_TRACE, round(1 / kept))
        connection.execute(_PROBLEM, (now_ns(),))
        connection.execute("VACUUM ANALYZE")
        print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
        before = size_of(connection, first, days)
        took: list[float] = []
        beside, alone, hidden = [], [], []
        with watching(running.conninfo) as held, sending(running) as sent:
            time.sleep(2)
            for day in range(first, first + days):
                alone.append(rate(sent, lambda: time.sleep(max([LEAST_S, *took[-1:]]))))
                with seeing(running.conninfo, day) as unseen:
                    began = time.monotonic()
                    beside.append(rate(sent, lambda day=day: thin(connection, day)))
                    took.append(time.monotonic() - began)
                hidden.append(dict(unseen))
                print(
                    f"{day}: {took[-1]:.1f} s, {alone[-1]:,.0f} and {beside[-1]:,.0f} spans/s, {unseen}",
                    file=sys.stderr,
                )
        left = connection.execute(
            "SELECT count(*) FROM span WHERE day BETWEEN %s AND %s", (first, first + days)
        ).fetchone()
        after = size_of(connection, first, days)
    return {
        "bench": "retention",
        "spans": spans,
        "days": days,
        "left_spans": left and left[0],
        "day_s": [round(one, 2) for one in took],
        "all_s": round(sum(took), 1),
        "longest_lock_on_a_parent_ms": {mode: round(ms, 1) for mode, ms in held.longest.items()},
        "hidden_ms": {table: round(max(one.get(table, 0.0) for one in hidden), 1) for table in ("span", "request", "member")},
        "ingest_spans_per_s": {"alone": round(statistics.median(alone)), "beside": round(statistics.median(beside))},
        "ratio": round(statistics.median(beside) / statistics.median(alone), 3),
        "size_mb": {"before": round(before / 1e6), "after": round(after / 1e6)},
    }  # fmt: skip


def size_of(connection: psycopg.Connection, first: int, days: int) -> int:
    question = """
        SELECT sum(pg_total_relation_size(to_regclass(name || '_d' || day)))::bigint
        FROM unnest(%s::text[]) AS name, generate_series(%s::int, %s::int) AS day
    """
    row = connection.execute(question, (list(TABLES), first, first + days - 1)).fetchone()
    return int(row[0]) if row else 0


def fill(connection: psycopg.Connection, day: int, traces: int, every: int) -> None:
    partitions.ensure(connection, [day], 3_000)
    for statement in FILL.values():
        connection.execute(statement.format(day=day, traces=traces, every=every).encode())
    connection.execute("UPDATE day SET last_received_ns = %s WHERE day = %s", (day * DAY_NS, day))


def thin(connection: psycopg.Connection, day: int) -> None:
    """As `retention` does it, tried again while somebody reads."""
    while True:
        with thinning.alone(connection, wait=True):
            if thinning.thin(connection, day, now_ns() - 14 * DAY_NS):
                return


def rate(sent: list[int], work: Any) -> float:
    """Spans a second that were accepted while this was done."""
    began, count = time.monotonic(), sent[0]
    work()
    return (sent[0] - count) / (time.monotonic() - began)


@contextmanager
def sending(running: product.Running) -> Iterator[list[int]]:
    """The number of spans accepted so far, sent by a process of its own."""
    command = [sys.executable, "-m", "tests.bench.retention", "--send", running.otlp]
    sent = [0]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None

        def count(lines: Any) -> None:
            for line in lines:
                sent[0] += int(line)

        threading.Thread(target=count, args=(process.stdout,), daemon=True).start()
        try:
            yield sent
        finally:
            process.kill()


def send_for_good(address: str) -> None:
    def work(seed: int) -> None:
        for number in range(10**9):
            ready = list(bodies(1, seed * 1_000_000 + number, time.time_ns()))
            send(address, ready, [])
            # In one piece: two threads write.
            print(f"{SPANS_A_BATCH}\n", end="", flush=True)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Held:
    """How long locks stronger than ROW EXCLUSIVE stood on the parents, each looked at every millisecond or so."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = dict.fromkeys(STRONG, 0.0)
        self._since: dict[tuple[Any, ...], float] = {}

    def look(self, rows: list[tuple[Any, ...]]) -> None:
        now = time.monotonic()
        self._since = {row: self._since.get(row, now) for row in rows}
        for row, since in self._since.items():
            self.longest[row[2]] = max(self.longest[row[2]], (now - since + POLL_S) * 1e3)


@contextmanager
def watching(conninfo: str) -> Iterator[Held]:
    held = Held()
    with polling(
        conninfo,
        lambda connection: held.look(connection.execute(_HELD, (list(TABLES), list(STRONG))).fetchall()),
    ):
        yield held


@contextmanager
def seeing(conninfo: str, day: int) -> Iterator[dict[str, float]]:
    """For how many milliseconds a kept trace was not found, by table."""
    trace = _TRACE.format(day=day).replace("|| t)", "|| 1)")
    hidden: dict[str, float] = defaultdict(float)
    since: dict[str, float] = {}
    questions = {
        table: f"SELECT 1 FROM {table} WHERE trace_id = {trace} AND day = {day} LIMIT 1"
        for table in ("span", "request")
    }
    flow = _FLOW.format(day=day).replace("|| t)", "|| 1)")
    questions["member"] = f"SELECT 1 FROM member WHERE flow_id = {flow} AND day = {day} LIMIT 1"

    def look(connection: psycopg.Connection) -> None:
        for table, question in questions.items():
            found = connection.execute(question.encode()).fetchone()
            now = time.monotonic()
            if found:
                since.pop(table, None)
            else:
                hidden[table] = max(hidden[table], (now - since.setdefault(table, now) + POLL_S) * 1e3)

    with polling(conninfo, look):
        yield hidden


@contextmanager
def polling(conninfo: str, look: Any) -> Iterator[None]:
    stop = threading.Event()

    def work() -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            while not stop.wait(POLL_S):
                look(connection)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
