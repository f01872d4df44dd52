"""Stored records read back: every one once, in an order that does not move, the newest days first for a preview."""

import psycopg
import pytest

from tests.builders import batch
from tests.oddities import SHOP, pool
from tracing import reading, retention, stored
from tracing.records import DAY_NS, Span
from tracing.storing import Store


def identity(record: object) -> tuple[object, ...]:
    if isinstance(record, Span):
        return ("span", record.trace_id, record.span_id, record.start_ns, record.digest)
    return ("log", getattr(record, "log_id", None))


@pytest.mark.parametrize("size", [1, 3, 2_000])
def test_newest_records_are_each_record_once(
    store: Store, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(reading, "CHUNK", size)
    store.put(batch(*pool()))
    found = list(reading.newest_records(worker))
    assert len(found) == len(pool())
    assert {identity(record) for record in found} == {identity(record) for record in pool()}
    days = [record.day for record in found if 16_436 <= record.day < 47_482]
    assert days == sorted(days, reverse=True)
    # What has no usable date comes last.
    assert {record.day for record in found[len(days) :]} == {0, (2**63 - 1) // DAY_NS}


def test_chunks_follow_the_key_and_skip_what_is_younger_than_the_rule(
    store: Store, worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    spans = [SHOP.span(f"s{n}", n, 1) for n in range(10)]
    store.put(batch(*spans))
    worker.execute("UPDATE span SET rule_version = 5 WHERE name = 's3'")
    name = f"span_d{spans[0].day}"
    found, after = [], None
    while rows := reading.chunk(worker, "span", name, after, 5):
        assert len(rows) <= 4
        found += [record for record, _ in reading.values("span", rows, stored.Resources(worker))]
        after = reading.key_of("span", rows[-1])
    keys = [record.span_id for record in found if isinstance(record, Span)]
    assert sorted(keys) == keys
    assert {record.name for record in found if isinstance(record, Span)} == {span.name for span in spans} - {
        "s3"
    }


def test_a_partition_that_retention_takes_while_a_preview_reads_is_passed_by(
    store: Store, worker: psycopg.Connection, conninfo: str
) -> None:
    today = SHOP.span("s", 0, 1)
    old = SHOP.span("old", 0, 1, start_ns=19_200 * DAY_NS)
    store.put(batch(today, old))
    found = reading.newest_records(worker)
    assert next(found).day == today.day
    with psycopg.connect(conninfo, autocommit=True) as other:
        other.execute("UPDATE day SET last_received_ns = 0 WHERE day = 19200")
        assert 19_200 in retention.drop_old(other, 400, 5_000)
    assert list(found) == []


def test_partitions_being_detached_are_left_out(worker: psycopg.Connection, store: Store) -> None:
    store.put(batch(SHOP.span("s", 0, 1)))
    names = reading.partition_names(worker, "log")
    assert "log_ancient" in names and "log_future" in names
    assert all(name.startswith("log_") for name in names)
