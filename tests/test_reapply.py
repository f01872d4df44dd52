"""A rule added before, during or after the same traffic gives the same flows; jobs that crash or meet retention."""

import threading
from typing import Any

import psycopg
import pytest

from tests import tables
from tests.builders import Service, batch
from tests.conftest import empty_tables
from tests.oddities import SHOP, numbered, pool, shuffled_parts
from tests.ruling import order_numbers, parcels, work_off
from tracing import partitions, reading, reapply, retention, rules
from tracing.models import Rule, RuleJob
from tracing.storing import Store


@pytest.fixture
def before(conninfo: str) -> dict[str, tables.Rows]:
    """The rows when the rule was there first."""
    rules.publish(parcels())
    store = Store(conninfo, "production")
    store.put(batch(*pool()))
    store.close()
    found = tables.everything(conninfo)
    empty_tables()
    return found


def test_applied_after_gives_the_same(
    before: dict[str, tables.Rows],
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 3)
    store.put(batch(*pool()))
    assert tables.everything(conninfo) != before
    rules.apply(parcels())
    job = work_off(worker)
    assert tables.everything(conninfo) == before
    assert (job.state, job.processed, job.total) == ("done", len(pool()), len(pool()))
    assert job.grouped == 26


@pytest.mark.parametrize("seed", [1, 2])
def test_applied_during_gives_the_same(
    before: dict[str, tables.Rows], store: Store, conninfo: str, worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch, seed: int,
) -> None:  # fmt: skip
    """Records keep coming, some again, while the rule is published and worked off beside them."""
    monkeypatch.setattr(reading, "CHUNK", 2)
    parts = list(shuffled_parts(seed))
    ended = threading.Event()

    def send(which: int) -> None:
        for part in parts[which::2] + parts[: len(parts) // 2]:
            store.put(batch(*part))

    def work() -> None:
        while not ended.is_set():
            reapply.work(worker, "production")

    threads = [threading.Thread(target=send, args=(n,)) for n in range(2)]
    working = threading.Thread(target=work)
    for thread in (*threads, working):
        thread.start()
    rules.apply(parcels())
    for thread in threads:
        thread.join()
    ended.set()
    working.join()
    assert work_off(worker).state == "done"
    assert tables.everything(conninfo) == before


def test_a_version_that_came_after_the_rule_does_not_hide_the_one_before(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    first = SHOP.span("try", 0, 5, id="task", attributes={"parcel.no": "1"})
    second = SHOP.span("try", 0, 9, id="task", attributes={"parcel.no": "1"})
    store.put(batch(first))
    rules.apply(parcels())
    store.put(batch(second))
    work_off(worker)
    assert tables.flow(conninfo, "1", "parcel")["spans"] == 2


def test_applied_twice_adds_nothing(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    store.put(batch(*pool()))
    rules.apply(parcels())
    work_off(worker)
    once = tables.everything(conninfo)
    rules.apply(Rule.objects.get(pk=900))
    job = work_off(worker)
    assert (job.state, job.grouped) == ("done", 0)
    assert tables.everything(conninfo) == once


def test_a_second_job_replaces_one_that_waits(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    store.put(batch(*pool()))
    first = rules.apply(parcels())
    rules.apply(Rule.objects.get(pk=900))
    assert work_off(worker).state == "done"
    first.refresh_from_db()
    assert (first.state, first.message) == ("failed", "Replaced by a newer job.")


def test_a_change_ends_the_job_of_the_rule_as_it_was(
    store: Store, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    store.put(batch(*pool()))
    job = rules.apply(parcels())
    for _ in range(3):
        assert reapply.work(worker, "production")
    changed = Rule.objects.get(pk=900)
    changed.keys = [["parcel.number"]]
    rules.publish(changed)
    assert not reapply.work(worker, "production")
    job.refresh_from_db()
    assert (job.state, job.message) == ("failed", "The rule was changed meanwhile: apply it again.")


def test_two_rules_to_one_flow_count_a_record_once(
    store: Store, conninfo: str, worker: psycopg.Connection
) -> None:
    rules.publish(order_numbers())
    store.put(batch(*numbered()))
    both = tables.everything(conninfo)
    flow = tables.flow(conninfo, "A")
    assert (flow["spans"], flow["logs"], flow["chapters"], flow["rule_id"]) == (6, 2, 4, 1)
    empty_tables()
    # A store of its own: this one has the rules of before in hand until a version tells it otherwise.
    store.put(batch(*numbered()))
    assert tables.flow(conninfo, "A")["spans"] == 4
    rules.apply(order_numbers())
    work_off(worker)
    assert tables.everything(conninfo) == both


def test_a_crash_in_the_middle_goes_on_exactly(
    before: dict[str, tables.Rows],
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    store.put(batch(*pool()))
    rules.apply(parcels())
    for _ in range(500):  # a chunk a partition, and other tests leave partitions behind
        with psycopg.connect(conninfo, autocommit=True) as doomed, doomed.transaction(force_rollback=True):
            reapply.work(doomed, "production")  # does its chunk, and the crash takes it back
        if not reapply.work(worker, "production"):
            break
    assert tables.everything(conninfo) == before
    assert RuleJob.objects.get().state == "done"


def test_two_watchers_do_not_work_on_one_job(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    store.put(batch(*pool()))
    rules.apply(parcels())
    with psycopg.connect(conninfo) as other, other.transaction():
        assert reapply.work(other, "production")
        assert not reapply.work(worker, "production")


def test_a_partition_that_retention_took_is_passed_by(
    store: Store, conninfo: str, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 1)
    day = 19_000
    carrying = [
        SHOP.span(f"s{n}", 0, 1, start_ns=day * 86_400 * 10**9 + n, attributes={"parcel.no": "1"})
        for n in range(3)
    ]
    store.put(batch(*carrying, SHOP.span("later", 0, 1, attributes={"parcel.no": "2"})))
    rules.apply(parcels())
    while not RuleJob.objects.filter(cursor__name=f"span_d{day}").exists():
        assert reapply.work(worker, "production")
    worker.execute("UPDATE day SET last_received_ns = 0 WHERE day = %s", (day,))
    assert day in retention.drop_old(worker, retention_days=400, flow_retention_days=4_000)
    assert work_off(worker).state == "done"
    assert tables.flow(conninfo, "2", "parcel")["spans"] == 1
    assert tables.flow(conninfo, "1", "parcel")["spans"] == 1


def test_a_partition_that_goes_in_the_middle_of_a_chunk(
    before: dict[str, tables.Rows],
    store: Store,
    conninfo: str,
    worker: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = iter(["SELECT 1 FROM span_d1"])
    chunk = reading.chunk

    def vanish(connection: psycopg.Connection, *asked: Any) -> list[tuple[Any, ...]]:
        for question in gone:
            connection.execute(question.encode())
        return chunk(connection, *asked)

    store.put(batch(*pool()))
    rules.apply(parcels())
    monkeypatch.setattr(reading, "chunk", vanish)
    assert work_off(worker).state == "done"
    assert tables.everything(conninfo) == before


def test_a_job_that_cannot_go_on_says_so(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    store.put(batch(*pool()))
    rules.apply(parcels())
    Rule.objects.filter(pk=900).update(keys=[7])
    job = work_off(worker)
    assert job.state == "failed"
    assert job.message
    assert not reapply.work(worker, "production")


def test_environments_stay_apart(store: Store, conninfo: str, worker: psycopg.Connection) -> None:
    for environment in ("staging", None):
        carrying = Service("shop", environment).span(f"in {environment}", 0, 1, attributes={"parcel.no": "1"})
        store.put(batch(carrying))
    rules.apply(parcels())
    work_off(worker)
    rows = tables.ask(conninfo, "SELECT environment, spans FROM flow WHERE type = 'parcel' ORDER BY 1")
    assert rows == [("production", 1), ("staging", 1)]


def test_partitions_are_walked_in_one_order(conninfo: str, worker: psycopg.Connection) -> None:
    partitions.ensure(worker, [20_000, 19_999], 400)
    names = reading.partition_names(worker, "span")
    assert names == sorted(names)
    assert {"span_ancient", "span_d19999", "span_d20000", "span_future"} <= set(names)
