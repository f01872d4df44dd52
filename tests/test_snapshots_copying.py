"""What of a copy stays without values: names, states, times and kinds of errors; nothing that a sender or a person wrote.

Every column that holds text is looked at once here. A new one is a name (`NAMES`), or it is left out (`copying.HIDDEN`).
"""

import json
from importlib import import_module
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import Client

from tests.builders import T1, batch, trace_id
from tests.judged import flip, insert, judge, message, order_id, problem
from tests.test_flow_page import order_4711
from tests.test_shares import FLOW, share
from tracing.clock import now_ns
from tracing.snapshots import copying, staging
from tracing.storing import Store
from tracing.watch.evidence import why

SECRET = "of customer 9"
# What senders and people call things: services, operations, states, types, the key that the link is about, who did
# something; where a schema or a page of ours is; and our own words.
NAMES = {
    "assertion": "system state",
    "chapter": "service",
    "current_state": "system state",
    "expectation": "type environment verdict step system awaited_step awaited_system source reason",
    "flip": "before after step system",
    "flow": "type key environment services state step state_system step_system",
    "log": "service severity_text event_name",
    "member": "service",
    "message": "message_id phase url state",
    "problem": "kind type environment step system state",
    "request": "root_name root_service services environment",
    "resource": "schema_url service environment",
    "scope": "name version schema_url",
    "span": "name service event_times",
    "stated": "what step system operation",
    "tracing_channel": "label",
    "tracing_closure": "name",
    "tracing_note": "name",
    "tracing_typesettings": "type phases good_ends bad_ends transitions incompatible once owner answers name",
}
_TEXTS = """
SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'stage' AND table_name = ANY(%s)
AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY')
"""


def test_every_column_that_holds_text_is_a_name_or_left_out(worker: psycopg.Connection) -> None:
    names = {(table, column) for table, columns in NAMES.items() for column in columns.split()}
    left_out = copying.ALWAYS.keys() | copying.HIDDEN.keys()
    assert not names & left_out
    assert set(worker.execute(_TEXTS, (list(copying.ROWS),)).fetchall()) == names | left_out


@pytest.fixture
def order(store: Store) -> bytes:
    """Order 4711; what it waits for is in maintenance, whose reason names a customer."""
    store.put(batch(*order_4711()))
    told = {"paused_by": {"service": "wms", "reason": SECRET, "name": "Ann", "until_ns": None}}
    judge(verdict="paused", evidence=told)
    flip(order_id(), 60_000, "moving", "paused", why("", "", 0, 1, "", "", told))
    return order_id()


@pytest.mark.parametrize("shows", ["frozen", "live"])
def test_why_something_is_in_maintenance_stays_behind(order: bytes, client: Client, shows: str) -> None:
    assert client.get(FLOW).content.decode().count(SECRET) > 1
    path = share(client, FLOW, shows=shows, detail="names")
    for query in ("", "?format=json&expand=all", "?format=txt", "?format=md"):
        told = client.get(path + query).content.decode()
        assert "Maintenance of wms" in told, query
        assert SECRET not in told, query


def test_why_somebody_closed_it_stays_behind(order: bytes, client: Client) -> None:
    told: dict[str, Any] = {"closed": {"name": "Ann", "reason": SECRET}, "end": "closed"}
    judge(verdict="ended", evidence=told)
    flip(order, 70_000, "moving", "ended", why("", "", 0, 1, "", "ended", told))
    path = share(client, FLOW, detail="names")
    assert "Closed by Ann: (hidden)" in client.get(path).content.decode()
    for query in ("", "?format=json&expand=all", "?format=txt"):
        assert SECRET not in client.get(path + query).content.decode(), query


def test_nothing_a_person_wrote_is_in_the_rows(order: bytes, worker: psycopg.Connection) -> None:
    """Also what no page reads yet."""
    wait = problem([order])
    said = {"what": "ack", "name": "Ann", "reason": SECRET, "at_ns": 1}
    insert("flip", flip_id=b"ack".ljust(16), problem_id=wait, at_ns=1, judged_ns=1, before="open", after="acknowledged",
           sentence=f"Acknowledged by Ann: {SECRET}", evidence=said)  # fmt: skip
    message(1, problem_id=wait, facts={"title": SECRET})
    copy = copying.take(worker, copying.Subject(flows=(order,), problems=(wait,)), now_ns(), values=False)
    stage_id = staging.staged(worker, "names", lambda: copy.parts)
    for table in copying.ROWS:
        rows = worker.execute(
            f"SELECT r::text FROM stage.{table}_rows r WHERE stage_id = %s".encode(), (stage_id,)
        )
        assert SECRET not in str(rows.fetchall()), table


LINKS = [
    {"trace_id": trace_id("other").hex(), "span_id": "01" * 8, "trace_state": f"vendor={SECRET}",
     "exact_trace_state": SECRET, "attributes": {"why": SECRET}, "dropped": 0, "flags": 1},
]  # fmt: skip


def test_a_links_trace_state_stays_behind(order: bytes, client: Client) -> None:
    charge = order_4711()[1].span_id
    with connection.cursor() as cursor:
        cursor.execute("UPDATE span SET links = %s WHERE span_id = %s", [json.dumps(LINKS), charge])
    record = f"/record/{T1.hex()}/{charge.hex()}"
    assert client.get(f"{record}?format=json").content.decode().count(SECRET) == 3
    told = client.get(share(client, record, detail="names") + "?format=json").content.decode()
    assert json.loads(told)["links"][0]["trace_state"] == "" and SECRET not in told


OLD = "CREATE OR REPLACE FUNCTION stage.hidden_each(told jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT told'"


def test_an_installed_database_hides_them_too(worker: psycopg.Connection) -> None:
    migration = import_module("tracing.migrations.0016_links_hidden").Migration
    with worker.transaction(force_rollback=True):
        worker.execute(OLD)
        for operation in migration.operations:
            worker.execute(operation.sql.encode())
        row = worker.execute("SELECT stage.hidden_each(%s)::text", (json.dumps(LINKS),)).fetchone()
    assert row is not None and SECRET not in row[0]
