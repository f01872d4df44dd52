"""With a flow everything goes that names it, by age and by an undone rule."""

import psycopg
import pytest

from tests.builders import batch
from tests.oddities import SHOP
from tests.ruling import order_numbers, work_off
from tests.watching import insert
from tracing import rules
from tracing.forgetting import _OF_A_FLOW, forget_flows
from tracing.models import Rule
from tracing.people import Channel, Closure, Follow, Note
from tracing.storing import Store

# Its own row is gone before, its members go with their days; the scope of a record is another thing, and a frozen copy
# outlives its flow until it is over or the flow is forgotten (`tracing.snapshots.cleaning`).
OTHERS = {"flow", "member", "span", "log", "scope", "tracing_snapshot"}


def names_flow(worker: psycopg.Connection) -> set[str]:
    rows = worker.execute(
        "SELECT DISTINCT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid"
        " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace"
        " AND a.attname IN ('flow_id', 'scope_id')"
    )
    return {row[0] for row in rows}


def told(worker: psycopg.Connection, flow_id: bytes) -> None:
    """Whatever the watcher and people may have said of it."""
    insert(worker, "flip", flip_id=flow_id, flow_id=flow_id, at_ns=1, judged_ns=1, after="late", sentence="")
    insert(worker, "problem_flow", problem_id=b"p" * 12, flow_id=flow_id, kind=1, since_ns=1)
    insert(
        worker, "message", message_id=flow_id.hex(), channel_id=1, flow_id=flow_id, phase="follow", subject="", body="",
        url="", at_ns=1, not_before_ns=1, state="sent",
    )  # fmt: skip
    channel, _ = Channel.objects.get_or_create(label="ops", address="json://localhost")
    Follow.objects.create(flow_id=flow_id, channel=channel, since_ns=1)
    Note.objects.create(flow_id=flow_id, at_ns=1, text="seen")
    Closure.objects.create(flow_id=flow_id, at_ns=1, reason="done")


TOLD = ("flip", "problem_flow", "message", "tracing_follow", "tracing_note", "tracing_closure", "expectation")


def left(worker: psycopg.Connection, flow_id: bytes) -> set[str]:
    return {
        table
        for table in TOLD
        if worker.execute(f"SELECT FROM {table} WHERE flow_id = %s".encode(), (flow_id,)).fetchall()
    }


def test_every_table_that_names_a_flow_is_cleared(worker: psycopg.Connection) -> None:
    cleared = {statement.split()[2] for statement in _OF_A_FLOW}
    assert names_flow(worker) - OTHERS == cleared


def test_an_undone_rule_leaves_nothing_of_the_flows_it_made_alone(
    worker: psycopg.Connection, store: Store
) -> None:
    rules.publish(order_numbers())
    alone = SHOP.span("a", 0, 1, attributes={"shop.order_no": "alone"})
    both = SHOP.span("b", 1, 1, attributes={"shop.order_no": "both", "order.id": "both"})
    store.put(batch(alone, both))
    ids: dict[str, bytes] = dict(
        worker.execute("SELECT key, flow_id FROM flow WHERE key IN ('alone', 'both')").fetchall()
    )
    for flow_id in ids.values():
        told(worker, flow_id)
    rules.undo(Rule.objects.get(pk=5))
    work_off(worker)
    assert left(worker, ids["alone"]) == set()
    assert left(worker, ids["both"]) == set(TOLD)


@pytest.mark.parametrize("count", [0, 1])
def test_only_the_named_ones(worker: psycopg.Connection, count: int) -> None:
    for name in (b"a" * 16, b"b" * 16):
        told(worker, name)
    forget_flows(worker, [b"a" * 16][:count])
    assert bool(left(worker, b"a" * 16)) == (count == 0)
    assert len(left(worker, b"b" * 16)) == len(TOLD) - 1
