"""A rule undone leaves what the other rules made, as if it had never been."""

import time

import psycopg
import pytest
from django.db import connection

from tests import tables
from tests.at_once import at_once
from tests.builders import batch, trace_id
from tests.conftest import empty_tables
from tests.oddities import SHOP, numbered, pool
from tests.ruling import order_numbers, parcels, work_off
from tracing import reapply, retention, rules, undoing
from tracing.models import Rule, RuleJob
from tracing.people import Note
from tracing.records import DAY_NS, Log, Span
from tracing.storing import Store


@pytest.mark.parametrize("arrival", ["applied", "ingested"])
def test_undone_leaves_no_trace(
    store: Store, conninfo: str, worker: psycopg.Connection, arrival: str
) -> None:
    store.put(batch(*pool(), *numbered()))
    never = tables.everything(conninfo)
    empty_tables()
    for rule in (parcels(), order_numbers()):
        if arrival == "ingested":
            rules.publish(rule)
    store.put(batch(*pool(), *numbered()))
    for rule in (parcels(), order_numbers()):
        if arrival == "applied":
            rules.apply(rule)
            work_off(worker)
    assert tables.everything(conninfo) != never
    for pk in (900, 5):
        rules.undo(Rule.objects.get(pk=pk))
        assert work_off(worker).state == "done"
    assert tables.everything(conninfo) == never
    assert not Rule.objects.get(pk=900).enabled


def test_undo_in_small_steps_that_crash(
    store: Store, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "FLOWS_A_CHUNK", 1)
    store.put(batch(*pool()))
    never = tables.everything(conninfo)
    rules.apply(parcels())
    work_off(worker)
    job = rules.undo(Rule.objects.get(pk=900))
    assert job.total == 3
    for _ in range(20):
        with psycopg.connect(conninfo, autocommit=True) as doomed, doomed.transaction(force_rollback=True):
            reapply.work(doomed, "production")
        if not reapply.work(worker, "production"):
            break
    assert tables.everything(conninfo) == never
    job.refresh_from_db()
    assert (job.state, job.processed) == ("done", 3)


def test_undone_while_records_come(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    """What comes after the rule was switched off is not grouped; what another rule groups meanwhile stays."""
    rules.publish(order_numbers())
    store.put(batch(*numbered()))
    rules.undo(Rule.objects.get(pk=5))
    late = SHOP.span("late", 9, 1, attributes={"order.id": "A", "shop.order_no": "B"})
    store.put(batch(late))
    work_off(worker)
    undone = tables.everything(conninfo)
    empty_tables()
    store.put(batch(*numbered(), late))
    assert tables.everything(conninfo) == undone


def test_switched_on_again_while_it_is_undone(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """Undo takes what was grouped before it was asked for; what the rule groups afterwards is new."""
    rules.publish(order_numbers())
    store.put(batch(*numbered()))
    rules.undo(Rule.objects.get(pk=5))
    rules.switch(Rule.objects.get(pk=5), True)
    late = SHOP.span("late", 9, 1, attributes={"shop.order_no": "A"})
    store.put(batch(late))
    assert work_off(worker).state == "done"
    members = tables.ask(conninfo, "SELECT span_ids FROM member WHERE rule_id = 5")
    assert members == [(late.span_id,)]
    assert tables.flow(conninfo, "A")["spans"] == 5


def traffic(count: int) -> list[Span | Log]:
    """Records of six orders, some under one name, some under the other, some under both."""
    names = [{"order.id"}, {"shop.order_no"}, {"order.id", "shop.order_no"}]
    found: list[Span | Log] = []
    for n in range(count):
        attributes = dict.fromkeys(sorted(names[n % 3]), f"o{n % 6}") | {"order.state": f"s{n}"}
        trace = trace_id(f"t{n % 10}")
        found.append(SHOP.span(f"s{n}", n, 1, trace=trace, attributes=attributes, status=n % 3))
        found.append(SHOP.log(f"l{n}", n, attributes=attributes, severity=n % 24))
    return found


def test_undone_beside_running_ingest(
    store: Store, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "FLOWS_A_CHUNK", 1)
    records = traffic(120)
    store.put(batch(*records))
    never = tables.everything(conninfo)
    empty_tables()
    rules.publish(order_numbers())
    store.put(batch(*records[:60]))

    def send(which: int) -> None:
        for start in range(60, 240, 12):
            store.put(batch(*records[start : start + 12][::which]))

    def work() -> None:
        rules.undo(Rule.objects.get(pk=5))
        work_off(worker)
        connection.close()  # this thread's own

    at_once(lambda: send(1), lambda: send(-1), work)
    assert work_off(worker).state == "done"
    assert tables.everything(conninfo) == never


def test_an_exception_told_again_while_its_first_teller_is_undone(
    store: Store, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch found it told and counted nothing; the undo takes that telling back before the batch commits."""
    told = {"exception.type": "E"}
    rules.publish(order_numbers())
    own = SHOP.span("own", 0, 1, attributes={"order.id": "A"})
    first = SHOP.log("first", 1, span=own, severity=17, attributes=told | {"shop.order_no": "A"})
    again = SHOP.log("again", 2, span=own, severity=17, attributes=told | {"order.id": "A"})
    store.put(batch(own, first))
    rules.undo(Rule.objects.get(pk=5))
    monkeypatch.setattr(
        undoing,
        "_LOCK",
        "WITH locked AS MATERIALIZED (SELECT flow_id FROM flow WHERE flow_id = ANY(%s) FOR UPDATE)"
        " SELECT flow_id, pg_sleep(0.8) FROM locked",
    )

    def send() -> None:
        time.sleep(0.3)
        store.put(batch(again))

    def work() -> None:
        while reapply.work(worker, "production"):
            pass

    at_once(work, send)
    flow = tables.flow(conninfo, "A")
    assert (flow["spans"], flow["logs"], flow["errors"]) == (1, 1, 1)


def test_another_rule_that_changed_since_keeps_what_it_grouped(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """Members decide, not the rules as they read today."""
    store.put(batch(*numbered()))
    rules.apply(order_numbers())
    work_off(worker)
    orders = Rule.objects.get(name="order")
    orders.keys = [["renamed.id"]]
    rules.publish(orders)
    rules.undo(Rule.objects.get(pk=5))
    work_off(worker)
    flow = tables.flow(conninfo, "A")
    assert (flow["spans"], flow["logs"], flow["rule_id"]) == (4, 1, orders.pk)


def test_applied_undone_applied(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    store.put(batch(*pool()))
    rules.apply(parcels())
    work_off(worker)
    first = tables.everything(conninfo)
    rules.undo(Rule.objects.get(pk=900))
    work_off(worker)
    rules.apply(Rule.objects.get(pk=900))
    work_off(worker)
    assert tables.everything(conninfo) == first
    assert set(RuleJob.objects.values_list("state", flat=True)) == {"done"}


def test_chapters_of_dropped_days_keep_their_sums(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    rules.publish(order_numbers())
    day = 19_100
    old = SHOP.span("old", 0, 1, start_ns=day * DAY_NS, attributes={"order.id": "A", "shop.order_no": "A"})
    logs = [SHOP.log(str(n), 0, time_ns=(day + n) * DAY_NS, attributes={"order.id": "A"}) for n in (0, 1)]
    store.put(batch(old, *logs, *numbered()))
    before = tables.flow(conninfo, "A")
    worker.execute("UPDATE day SET last_received_ns = 0 WHERE day <= %s", (day + 1,))
    assert {day, day + 1} <= set(retention.drop_old(worker, 400, 5_000))
    rules.undo(Rule.objects.get(pk=5))
    work_off(worker)
    after = tables.flow(conninfo, "A")
    # Two versions and a log carried the undone key alone; the old day's records can no longer be asked.
    assert (after["spans"], after["logs"]) == (before["spans"] - 2, before["logs"] - 1)
    assert after["chapters"] == 7
    assert after["first_ns"] == day * DAY_NS
    assert after["services"] == ["shop"]


def test_chapters_of_a_thinned_day_keep_their_sums(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    """Healthy flows leave their thinned days as they leave dropped ones: only their sums are left."""
    rules.publish(order_numbers())
    day = 19_100
    old = SHOP.span("old", 0, 1, start_ns=day * DAY_NS, attributes={"order.id": "A", "shop.order_no": "A"})
    log = SHOP.log("old too", 0, time_ns=day * DAY_NS, attributes={"order.id": "A"})
    noted = SHOP.span(
        "kept", 0, 1, trace=trace_id("kept"), start_ns=day * DAY_NS, attributes={"order.id": "B"}
    )
    store.put(batch(old, log, noted, *numbered()))
    row = worker.execute("SELECT flow_id FROM flow WHERE key = 'B'").fetchone()
    assert row
    Note.objects.create(flow_id=row[0], at_ns=1, text="kept")
    before = tables.flow(conninfo, "A")
    worker.execute("UPDATE day SET last_received_ns = 0 WHERE day = %s", (day,))
    retention.drop_old(worker, 400, 5_000, 10_000)
    kept = worker.execute("SELECT name FROM span WHERE day = %s", (day,)).fetchall()
    assert kept == [("kept",)]
    rules.undo(Rule.objects.get(pk=5))
    work_off(worker)
    after = tables.flow(conninfo, "A")
    assert (after["spans"], after["logs"]) == (before["spans"] - 2, before["logs"] - 1)
    assert after["first_ns"] == day * DAY_NS
