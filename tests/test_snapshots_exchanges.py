"""A copy that is taken while a day is being thinned would lack records for good: nobody gets one, and who asks is told."""

import json
from typing import Any

import psycopg
import pytest
from django.test import Client

from tests import tables
from tests.builders import Service, batch, trace_id
from tests.test_shares import share
from tests.test_thinning import DAY, flow_id, thin, told, two_orders
from tracing import parts, thinning
from tracing.clock import now_ns
from tracing.snapshots import belonging, copying, exchanges
from tracing.snapshots.belonging import Belonging
from tracing.snapshots.copying import Subject
from tracing.snapshots.later import Later
from tracing.storing import Store

two_orders = two_orders  # a fixture
NEVER: exchanges.Exchanges = {}
ON: exchanges.Exchanges = {DAY: (1, True)}
OVER: exchanges.Exchanges = {DAY: (1, False)}
LATE = "/flow/entity/order/late"


@pytest.mark.parametrize(
    ("before", "after", "days", "raises"),
    [
        (NEVER, NEVER, [], False),
        (OVER, OVER, [DAY], False),
        (ON, ON, [DAY], True),
        (NEVER, ON, [DAY], True),
        (ON, OVER, [DAY], True),
        (NEVER, OVER, [DAY], True),
        (OVER, {DAY: (2, False)}, [DAY], True),
        # It may go on where nothing of it is found.
        (ON, ON, [DAY + 1], True),
        (ON, ON, [DAY - 1], True),
        (ON, ON, [DAY - 5, DAY + 5], True),
        (ON, ON, [DAY + 2, DAY + 3], False),
        # It may be what is out of sight.
        (ON, ON, [], True),
    ],
)
def test_a_day_of_it_that_was_thinned_meanwhile(
    before: exchanges.Exchanges, after: exchanges.Exchanges, days: list[int], raises: bool
) -> None:
    if raises:
        with pytest.raises(Later, match="being thinned"):
            exchanges.demand_none(before, after, days)
    else:
        exchanges.demand_none(before, after, days)


def subjects(conninfo: str) -> dict[str, Subject]:
    _, child, _, said, _ = told("late")
    return {
        "flow": Subject(flows=(flow_id(conninfo, "late"),)),
        "request": Subject(requests=(trace_id(f"late {DAY}"),)),
        "span": Subject(spans=((child.trace_id, getattr(child, "span_id", b"")),)),
        "log": Subject(logs=(bytes(getattr(said, "log_id", b"")),)),
    }


def out_of_sight(worker: psycopg.Connection) -> None:
    """Thinning cut short where what is kept was copied, and the whole is gone already."""

    def begun(connection: psycopg.Connection, day: int) -> None:
        for table in parts.TABLES:
            parts.detach(connection, table, day)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(thinning, "finish_exchange", begun)
        thin(worker)


@pytest.mark.parametrize("what", ["flow", "request", "span", "log"])
def test_what_is_out_of_sight_is_not_copied_without_it(
    two_orders: Any, worker: psycopg.Connection, conninfo: str, what: str
) -> None:
    subject = subjects(conninfo)[what]
    whole = copying.take(worker, subject, now_ns()).records
    assert whole
    out_of_sight(worker)
    with pytest.raises(Later):
        copying.take(worker, subject, now_ns())
    thinning.finish(worker)
    assert copying.take(worker, subject, now_ns()).records == whole


def test_what_has_nothing_on_that_day_is_copied(
    two_orders: Any, worker: psycopg.Connection, conninfo: str, store: Store
) -> None:
    store.put(batch(Service("shop").span("place", 0, 5, start_ns=now_ns(), attributes={"order.id": "today"})))
    out_of_sight(worker)
    assert copying.take(worker, Subject(flows=(flow_id(conninfo, "today"),)), now_ns()).records == 1
    [problem_id] = tables.ask(conninfo, "SELECT problem_id FROM problem")[0]
    assert copying.take(worker, Subject(problems=(problem_id,)), now_ns()).records == 0


def test_an_exchange_that_began_and_ended_meanwhile_is_noticed(
    two_orders: Any, worker: psycopg.Connection, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = belonging.read

    def slowly(*asked: Any) -> Belonging:
        found = read(*asked)
        with psycopg.connect(conninfo, autocommit=True) as other:
            other.execute("UPDATE day SET thinned_ns = 1 WHERE day = %s", (DAY,))
        return found

    monkeypatch.setattr(belonging, "read", slowly)
    with pytest.raises(Later):
        copying.take(worker, subjects(conninfo)["flow"], now_ns())


def test_pages_say_to_try_again(two_orders: Any, worker: psycopg.Connection, client: Client) -> None:
    live = share(client, LATE, shows="live")
    asked = {
        "of": LATE,
        "audience": "anyone",
        "shows": "frozen",
        "detail": "values",
        "until": "30",
        "name": "Ann",
    }
    worker.execute("DELETE FROM stage.staged")
    out_of_sight(worker)
    for answer in (client.post("/share", asked), client.post("/pin", asked), client.get(live)):
        assert (answer.status_code, answer["Retry-After"]) == (503, "3")
        assert "being thinned just now" in answer.content.decode()
    answer = client.post("/pin?format=json", asked)
    assert answer.status_code == 503 and "being thinned" in json.loads(answer.content)["error"]
    thinning.finish(worker)
    assert client.post("/pin", asked).status_code == 302
    assert "charge" in client.get(live).content.decode()
