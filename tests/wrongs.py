"""Rows as the watcher leaves them, written by SQL: problems, what flows wait for, flips, messages, counts.

For pages' tests: what judges and detects has tests of its own. Times are Unix nanoseconds; ids follow from names.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import orjson
from django.db import connection

from tests.builders import Service, batch, trace_id
from tracing.clock import now_ns
from tracing.people import Channel, Note
from tracing.records import Span
from tracing.storing import Store

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3_600 * SECOND_NS


def problem_id(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=12).digest()


def insert(table: str, **values: Any) -> None:
    """One row; mappings and lists of mappings become jsonb."""
    told = [orjson.dumps(value).decode() if isinstance(value, dict) else value for value in values.values()]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join(['%s'] * len(told))})", told
        )


def problem(name: str = "wait", **changed: Any) -> bytes:
    """A problem, by default open and needing a person; `cause` is another's name. Returns its id."""
    at_ns = now_ns()
    cause = changed.pop("cause", None)
    values = {
        "problem_id": problem_id(name),
        "identity": blake2b(f"{name} {changed.get('state')}".encode(), digest_size=16).digest(),
        "kind": "stuck",
        "type": "order",
        "environment": "production",
        "step": "paid",
        "system": "wms",
        "title": "22 orders wait for shipment.created from wms",
        "why": "97 % of 412 orders passed this point within 14 min. Learned. No blind period.",
        "severity": 3,
        "state": "open",
        "flows": 22,
        "all_flows": 24,
        "first_ns": at_ns - 3 * HOUR_NS,
        "last_ns": at_ns - MINUTE_NS,
        "opened_ns": at_ns - 3 * HOUR_NS,
        "cause_id": problem_id(cause) if cause else None,
        "evidence": {},
        "checked_ns": at_ns,
    }
    insert("problem", **(values | changed))
    return problem_id(name)


def affected(problem: bytes, flow: bytes, since_ns: int, until_ns: int | None = None, kind: int = 1) -> None:
    insert("problem_flow", problem_id=problem, flow_id=flow, kind=kind, since_ns=since_ns, until_ns=until_ns)


def expected(flow: bytes, verdict: str | None, **changed: Any) -> None:
    """What a flow that ingest stored waits for."""
    values = {"verdict": verdict, "judged_ns": now_ns(), "verdict_since_ns": now_ns() - HOUR_NS, **changed}
    told = [orjson.dumps(value).decode() if isinstance(value, dict) else value for value in values.values()]
    names = ", ".join(f"{name} = excluded.{name}" for name in values)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO expectation (flow_id, kind, type, environment, {', '.join(values)})"
            f" SELECT flow_id, kind, type, environment, {', '.join(['%s'] * len(told))} FROM flow WHERE flow_id = %s"
            f" ON CONFLICT (flow_id) DO UPDATE SET {names}",
            [*told, flow],
        )


def flip(after: str, at_ns: int, sentence: str = "", **whom: Any) -> None:
    """`problem_id` or `flow_id` says whose."""
    identity = blake2b(repr((after, at_ns, sorted(whom.items()))).encode(), digest_size=16).digest()
    values = {"flip_id": identity, "at_ns": at_ns, "judged_ns": at_ns, "after": after, "sentence": sentence}
    insert("flip", **(values | whom))


def message(problem: bytes, state: str, at_ns: int, channel: str = "ops", **changed: Any) -> None:
    made, _ = Channel.objects.get_or_create(label=channel, defaults={"address": "json://localhost"})
    values = {
        "message_id": blake2b(f"{problem.hex()} {at_ns} {state}".encode(), digest_size=16).hexdigest(),
        "channel_id": made.pk,
        "problem_id": problem,
        "phase": "opened",
        "subject": "22 orders wait",
        "body": "…",
        "url": "http://localhost/",
        "at_ns": at_ns,
        "not_before_ns": at_ns,
        "state": state,
        "sent_ns": at_ns if state == "sent" else None,
    }
    insert("message", **(values | changed))


def note(problem: bytes, text: str, at_ns: int, name: str = "Ada") -> None:
    Note.objects.create(problem_id=problem, at_ns=at_ns, text=text, name=name)


def judged(ago_s: float = 4, duty: str = "judge") -> None:
    at_ns = now_ns() - round(ago_s * SECOND_NS)
    insert("watch_round", duty=duty, began_ns=at_ns, ended_ns=at_ns, took_ms=3, rows=1)


def counted(step: str, open: int, **changed: Any) -> None:
    """A row of the backlog."""
    values = {
        "kind": 1, "type": "order", "environment": "production", "step": step, "open": open, "ended": 0, "late": 0,
        "stuck": 0, "unknown": 0, "paused": 0, "oldest_ns": now_ns() - HOUR_NS, "counted_ns": now_ns(),
    }  # fmt: skip
    insert("backlog", **(values | changed))


def learned(step: str, **changed: Any) -> None:
    values = {
        "type": "order", "environment": "production", "step": step, "source": "state", "passed": 412,
        "waiting": 22, "threshold_ns": 21 * MINUTE_NS, "level": "p99", "is_end": False, "facts": {},
        "learned_ns": now_ns(),
    }  # fmt: skip
    insert("learned", **(values | changed))


def history(step: str, opens: Sequence[int], type: str = "order", environment: str = "production") -> None:
    """Open flows in the last quarters of an hour, oldest first."""
    last = now_ns() // (15 * MINUTE_NS)
    for place, open in enumerate(opens):
        quarter = last - len(opens) + 1 + place
        insert("backlog_history", type=type, environment=environment, step=step, quarter=quarter, open=open)


def order(key: str, state: str, ago_s: float = 60, status: int = 0, service: str = "shop") -> Span:
    """A span that says an order's state."""
    start_ns = now_ns() - round(ago_s * SECOND_NS)
    told = {"order.id": key, "order.state": state}
    return Service(service).span(
        "step", 0, 1, trace=trace_id(f"order {key}"), status=status, attributes=told, start_ns=start_ns
    )


def flow_of(key: str, type: str = "order") -> bytes:
    with connection.cursor() as cursor:
        cursor.execute("SELECT flow_id FROM flow WHERE type = %s AND key = %s", [type, key])
        return bytes(cursor.fetchone()[0])


def waiting_orders(store: Store, count: int, name: str = "wait") -> bytes:
    """Paid orders that wait for a shipment, and the problem they make, as `watch` would leave them."""
    at_ns = now_ns()
    store.put(batch(*(order(f"o{number}", "paid", ago_s=9_000 + number) for number in range(count))))
    made = problem(name, flows=count, title=f"{count} orders wait for shipment.created from wms")
    for number in range(count):
        flow = flow_of(f"o{number}")
        expected(
            flow, "stuck", step="paid", system="shop", since_ns=at_ns - 9_000 * SECOND_NS, source="learned",
            awaited_step="shipment.created", awaited_system="wms", expected_ns=at_ns - 8_000 * SECOND_NS,
            late_ns=at_ns - 7_000 * SECOND_NS, stuck_ns=at_ns - 5_000 * SECOND_NS,
        )  # fmt: skip
        affected(made, flow, at_ns - (7_000 + number) * SECOND_NS)
    return made
