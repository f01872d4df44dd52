"""Tallies summed up into minutes: nothing lost or counted twice, by one watcher or several; old minutes go."""

import threading
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from tests.watching import MINUTE, NOW, SECOND, at, insert, rows
from tracing.watch import buckets, volumes

M = NOW // MINUTE


def tally(worker: psycopg.Connection, **values: Any) -> None:
    row: dict[str, Any] = {
        "minute": M, "arrived": M, "service": "wms", "environment": "production", "operation": "", "records": 1,
        "errors": 0, "retries": 0, "lengths": b"", "delays": b"",
    }  # fmt: skip
    insert(worker, "tally", **(row | values))


def keep(worker: psycopg.Connection, folder: Path, now: int = NOW) -> bool:
    with at(folder, now):
        return volumes.keep(worker)


def test_tallies_become_minutes(worker: psycopg.Connection, tmp_path: Path) -> None:
    tally(worker, records=3, errors=1, retries=2, delays=bytes([0, 0, 1]))
    tally(worker, records=4, delays=bytes([2, 2, 2, 2]))
    tally(worker, records=5, operation="POST /labels", lengths=bytes([1] * 5), arrived=M + 1)
    tally(worker, records=6, minute=M - 1)
    tally(worker, records=2, arrived=M + 1)
    assert not keep(worker, tmp_path)
    tally(worker, records=7, operation="POST /labels", lengths=bytes([0, *[2] * 6]))
    keep(worker, tmp_path)
    assert rows(worker, "SELECT operation, minute - %s, records, errors, retries, lengths FROM volume ORDER BY 1, 2", M) == [
        ("", -1, 6, 0, 0, []), ("", 0, 9, 1, 2, []), ("POST /labels", 0, 12, 0, 0, [1, 5, 6]),
    ]  # fmt: skip
    assert rows(worker, "SELECT minute - %s, records, delays FROM arrival ORDER BY 1", M) == [
        (0, 13, [2, 1, 4]), (1, 2, []),
    ]  # fmt: skip
    assert rows(worker, "SELECT count(*) FROM tally") == [(0,)]


def test_what_happened_in_no_minute_that_is_kept_only_arrived(
    worker: psycopg.Connection, tmp_path: Path
) -> None:
    for minute in (M - volumes.KEPT_MINUTES - 1, M + 61, 2**31 - 1, 0):
        tally(worker, minute=minute)
    keep(worker, tmp_path)
    assert rows(worker, "SELECT count(*) FROM volume") == [(0,)]
    assert rows(worker, "SELECT records FROM arrival") == [(4,)]


def test_fifteen_days_are_kept(worker: psycopg.Connection, tmp_path: Path) -> None:
    for minute in (M, M - 10):
        tally(worker, minute=minute, arrived=minute)
    keep(worker, tmp_path)
    keep(worker, tmp_path, NOW + (volumes.KEPT_MINUTES - 5) * MINUTE)
    for table in ("volume", "arrival"):
        assert rows(worker, f"SELECT minute FROM {table}") == [(M,)]


def test_several_watchers_count_each_tally_once(
    conninfo: str, worker: psycopg.Connection, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(volumes, "CHUNK", 7)
    for at_no in range(300):
        tally(worker, service=f"s{at_no % 5}", minute=M - at_no % 3, delays=bytes(at_no % 4))
    failed: list[Exception] = []

    def watch() -> None:
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                while volumes.keep(connection):
                    pass
        except Exception as error:
            failed.append(error)

    with at(tmp_path, NOW):
        watchers = [threading.Thread(target=watch) for _ in range(3)]
        for one in watchers:
            one.start()
        for one in watchers:
            one.join(60)
        while volumes.keep(worker):
            pass
    assert failed == []
    assert rows(worker, "SELECT sum(records) FROM volume") == [(300,)]
    assert rows(worker, "SELECT sum(records) FROM arrival") == [(300,)]
    delays = sum(sum(row[0]) for row in rows(worker, "SELECT delays FROM arrival"))
    assert delays == sum(at_no % 4 for at_no in range(300))


@given(st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=12))
def test_places_of_any_number_add_up(many: list[list[int]]) -> None:
    taken: list[tuple[Any, ...]] = [("s", "e", "op", M, M, 1, 0, 0, bytes(lengths), b"") for lengths in many]
    volume, arrival = volumes.summed(taken, M)
    if not many:
        assert (volume, arrival) == ({}, {})
        return
    (row,) = volume.values()
    assert row["records"] == len(many)
    told = [place for lengths in many for place in lengths]
    assert row["lengths"] == [told.count(place) for place in range(max(told, default=-1) + 1)]
    assert arrival == {}, "a milestone is among the records of its service already"


def test_how_late_records_usually_come(worker: psycopg.Connection, tmp_path: Path) -> None:
    usual = bytes([buckets.bucket_of(2 * SECOND)] * 990 + [buckets.bucket_of(40 * SECOND)] * 10)
    outage = bytes([buckets.bucket_of(5 * 3_600 * SECOND)] * 900)
    tally(worker, delays=usual)
    # The last half hour of a replay is no delay either.
    tally(worker, delays=outage + bytes([buckets.bucket_of(900 * SECOND)] * 300), arrived=M - 5)
    tally(worker, service="few", delays=usual[:99])
    tally(worker, service="yesterday", delays=usual, arrived=M - 1_441)
    keep(worker, tmp_path)
    with at(tmp_path, NOW):
        found = volumes.delay_p99(worker)
    assert list(found) == [("wms", "production")]
    assert 1.5 * SECOND < found["wms", "production"] < 3 * SECOND
