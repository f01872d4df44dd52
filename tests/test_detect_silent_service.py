"""Services that have gone quiet: against their days, not when all are, not while we were away."""

from pathlib import Path

import psycopg
import pytest

from tests.watching import MINUTE, NOW, at, insert, problems
from tracing.watch.detectors import silent_service
from tracing.watch.problems import keep

LAST = NOW // MINUTE - 1
# The minutes that the detector reads: six hours of today and of four days before.
MINUTES = [LAST - day * 1_440 - back for day in range(5) for back in range(silent_service.MINUTES)]


def arrived(worker: psycopg.Connection, silent: dict[str, int], environment: str = "production") -> None:
    """Ten records a minute of each service, today up to so many minutes ago."""
    rows = [
        (name, environment, minute, 10)
        for name, back in silent.items()
        for minute in MINUTES
        if minute <= LAST - back
    ]
    with worker.cursor().copy(
        "COPY arrival (service, environment, minute, records, delays) FROM STDIN"
    ) as copy:
        for row in rows:
            copy.write_row((*row, "{}"))


def test_one_that_went_quiet(worker: psycopg.Connection) -> None:
    arrived(worker, {"shop": 0, "wms": 0, "billing": 14, "mail": 1})
    (found,) = silent_service.find(worker, NOW)
    assert (found.system, found.title, found.causes_system) == ("billing", "billing went quiet", "billing")
    assert found.since_ns == (LAST - 13) * MINUTE
    assert "usually 600 records an hour" in found.why
    # What ingest has counted since, and nobody has summed up yet.
    insert(
        worker, "tally", minute=LAST, arrived=LAST, service="billing", environment="production", operation="",
        records=12, errors=0, retries=0, lengths=b"", delays=b"",
    )  # fmt: skip
    assert silent_service.find(worker, NOW) == []


def test_when_all_fall_quiet_at_once_we_are_blind(worker: psycopg.Connection) -> None:
    arrived(worker, {"shop": 20, "wms": 20, "billing": 20, "mail": 300})
    found = silent_service.find(worker, NOW)
    assert [one.system for one in found] == ["mail"], "it was quiet long before"
    # The same in one of two environments.
    worker.execute("TRUNCATE arrival")
    arrived(worker, {"shop": 20, "wms": 20, "billing": 20}, "staging")
    arrived(worker, {"shop": 0, "wms": 0, "billing": 20})
    assert [one.environment for one in silent_service.find(worker, NOW)] == ["production"]


def test_while_we_were_away_nobody_was_silent(worker: psycopg.Connection) -> None:
    arrived(worker, {"shop": 0, "wms": 0, "billing": 20})
    insert(worker, "awake", process=b"p", since_ns=NOW - 9_000 * MINUTE, until_ns=NOW - 30 * MINUTE)
    insert(worker, "awake", process=b"p", since_ns=NOW - 4 * MINUTE, until_ns=NOW)
    assert silent_service.find(worker, NOW) == []


def test_one_that_was_silent_for_longer_than_is_read(worker: psycopg.Connection) -> None:
    arrived(worker, {"shop": 0, "wms": 0, "billing": 0})
    worker.execute("DELETE FROM arrival WHERE service = 'billing' AND minute > %s", [LAST - 600])
    insert(
        worker,
        "arrival",
        service="billing",
        environment="production",
        minute=LAST - 500,
        records=1,
        delays=[],
    )
    (found,) = silent_service.find(worker, NOW)
    assert found.since_ns == (LAST - 499) * MINUTE


def test_it_resolves_when_it_is_heard_again(worker: psycopg.Connection, tmp_path: Path) -> None:
    arrived(worker, {"shop": 0, "wms": 0, "billing": 14})
    for seconds in (0, 20):
        with at(tmp_path, NOW + seconds * 10**9):
            keep(worker)
    (problem,) = problems(worker)
    assert (problem["state"], problem["opened_ns"]) == ("open", (LAST - 13) * MINUTE)
    for minute in (1, 2, 3):
        for service in ("shop", "wms", "billing"):
            insert(
                worker,
                "arrival",
                service=service,
                environment="production",
                minute=LAST + minute,
                records=10,
                delays=[],
            )
    for seconds in (180, 200):
        with at(tmp_path, NOW + seconds * 10**9):
            keep(worker)
    assert [row["state"] for row in problems(worker)] == ["resolved"]


def test_where_the_way_to_us_was_broken_nobody_was_silent(worker: psycopg.Connection) -> None:
    arrived(worker, {"shop": 0, "wms": 0, "billing": 20})
    insert(worker, "blind", from_ns=NOW - 30 * MINUTE, until_ns=NOW - 4 * MINUTE)
    assert silent_service.find(worker, NOW) == []


@pytest.mark.parametrize("silent", [{}, {"shop": 0}, {"shop": 0, "wms": 0}])
def test_nothing_is_quiet(worker: psycopg.Connection, silent: dict[str, int]) -> None:
    arrived(worker, silent)
    assert silent_service.find(worker, NOW) == []
