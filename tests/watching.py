"""Rows such as ingest and the judge write, for tests of what reads them; and a clock that tests set.

`NOW` is our clock in these tests. Times in seconds count back from it: `ago(90)` is a minute and a half before.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import psycopg

from tracing import clock

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
NOW = 1_795_000_020_000_000_000 // MINUTE * MINUTE  # 2026-11-18 11:07 UTC


def ago(seconds: float) -> int:
    return NOW - round(seconds * SECOND)


def id_of(name: str, size: int = 16) -> bytes:
    return blake2b(name.encode(), digest_size=size).digest()


@contextmanager
def at(folder: Path, time_ns: int) -> Iterator[None]:
    """Within it, it is that time by our clock."""
    path = folder / "clock"
    clock.set_file(path, time_ns)
    clock.follow(path)
    try:
        yield
    finally:
        clock.follow(None)


def insert(worker: psycopg.Connection, table: str, **values: Any) -> None:
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    told = [json.dumps(one) if isinstance(one, dict) else one for one in values.values()]
    worker.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})".encode(), told)


def expectation(worker: psycopg.Connection, key: str, verdict: str, **values: Any) -> bytes:
    """The row of order `key` as the judge left it: 20 minutes at `paid`, late since 5, unless said otherwise."""
    row: dict[str, Any] = {
        "flow_id": id_of(key), "kind": 1, "type": "order", "environment": "production", "verdict": verdict,
        "verdict_since_ns": ago(300), "step": "paid", "system": "shop", "since_ns": ago(1200), "heard_ns": ago(1200),
        "awaited_step": "shipment.created", "awaited_system": "wms", "expected_ns": ago(600), "late_ns": ago(300),
        "stuck_ns": NOW + 300 * SECOND, "source": "learned", "reason": "step",
        "evidence": {"passed": 412, "within_ns": 840 * SECOND, "share": 0.97, "level": "p99"}, "judged_ns": ago(290),
    }  # fmt: skip
    insert(worker, "expectation", **(row | values))
    return id_of(key)


def turn(worker: psycopg.Connection, key: str, verdict: str, since_ns: int, **values: Any) -> None:
    """The judge says something else of order `key` now."""
    told = {"verdict": verdict, "verdict_since_ns": since_ns} | values
    names = ", ".join(f"{name} = %s" for name in told)
    worker.execute(
        f"UPDATE expectation SET {names} WHERE flow_id = %s".encode(), [*told.values(), id_of(key)]
    )


def failure(worker: psycopg.Connection, scope: str, at_ns: int, **values: Any) -> bytes:
    """The first error of a trace, as ingest notes it for its request or a flow."""
    row: dict[str, Any] = {
        "scope_id": id_of(scope), "kind": 1, "fingerprint": id_of("carrier 503"), "at_ns": at_ns,
        "trace_id": id_of(f"trace {scope}"), "record_id": id_of(scope, 8), "environment": "production",
        "service": "wms", "operation": "POST /labels", "error_type": "CarrierError", "message": "carrier 503",
        "day": at_ns // (24 * HOUR), "received_ns": at_ns + 2 * SECOND, "xid": "1",
    }  # fmt: skip
    insert(worker, "failure", **(row | values))
    return id_of(scope)


def flow(worker: psycopg.Connection, key: str, **values: Any) -> bytes:
    row: dict[str, Any] = {
        "flow_id": id_of(key), "kind": 1, "type": "order", "key": key, "environment": "production", "rule_id": 1,
        "spans": 1, "events": 0, "logs": 0, "errors": 1, "retries": 0, "chapters": 1, "first_ns": ago(1200),
        "last_ns": ago(600), "services": ["wms"], "activity": ago(600) // MINUTE, "xid": "1",
    }  # fmt: skip
    insert(worker, "flow", **(row | values))
    return id_of(key)


def rows(worker: psycopg.Connection, question: str, *values: Any) -> list[tuple[Any, ...]]:
    return worker.execute(question.encode(), values).fetchall()


def problems(worker: psycopg.Connection) -> list[dict[str, Any]]:
    """All of them, oldest first."""
    from psycopg.rows import dict_row

    with worker.cursor(row_factory=dict_row) as cursor:
        return cursor.execute("SELECT * FROM problem ORDER BY opened_ns, problem_id").fetchall()


def flips(worker: psycopg.Connection) -> list[tuple[str | None, str, int]]:
    return [
        (row[0], row[1], row[2])
        for row in rows(
            worker,
            "SELECT before, after, at_ns FROM flip WHERE problem_id IS NOT NULL ORDER BY judged_ns, at_ns",
        )
    ]
