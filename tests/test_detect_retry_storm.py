"""Services that retry far more than they usually do."""

import psycopg
import pytest

from tests.watching import MINUTE, NOW, insert
from tracing.watch.detectors import retry_storm

M = NOW // MINUTE


def sent(
    worker: psycopg.Connection, minute: int, retries: int, service: str = "wms", operation: str = ""
) -> None:
    insert(
        worker, "volume", service=service, environment="production", operation=operation, minute=minute, records=100,
        errors=0, retries=retries, lengths=[],
    )  # fmt: skip


def test_a_storm_against_the_hours_before(worker: psycopg.Connection) -> None:
    for minute in range(M - 300, M - 9):
        sent(worker, minute, 1 if minute % 5 == 0 else 0)  # 2 in ten minutes
    for minute in range(M - 9, M + 1):
        sent(worker, minute, 0 if minute < M - 4 else 6)
        sent(worker, minute, 9, operation="POST /labels")  # counted among its service's already
    for minute in range(M - 300, M + 1):
        sent(worker, minute, 6, service="always")
        sent(worker, minute, 0, service="never")
    (found,) = retry_storm.find(worker, NOW)
    assert (found.system, found.kind, found.severity) == ("wms", "retry_storm", 2)
    assert found.title == "wms retries: 30 times in 10 minutes"
    assert found.why.startswith("Usually 2, by the median of 5 hours before.")
    assert (found.since_ns, found.last_ns) == ((M - 4) * MINUTE, (M + 1) * MINUTE - 1)


@pytest.mark.parametrize(("minutes_later", "is_found"), [(0, True), (15, True), (16, False)])
def test_only_what_is_recent(worker: psycopg.Connection, minutes_later: int, is_found: bool) -> None:
    sent(worker, M, 40)
    assert bool(retry_storm.find(worker, NOW + minutes_later * MINUTE)) == is_found


@pytest.mark.parametrize(
    ("retries", "hours", "storm"),
    [(20, [], True), (19, [], False), (20, [24] * 3, True), (20, [30] * 3, False), (100, [0, 0, 6000], True)],
)
def test_how_many_are_a_storm(retries: int, hours: list[int], storm: bool) -> None:
    assert retry_storm.is_storm(retries, retry_storm.usual_of(hours)) == storm
