"""Milestones that take longer than they ever did."""

import psycopg
import pytest

from tests.watching import MINUTE, NOW, SECOND, insert
from tracing.watch import buckets, detectors
from tracing.watch.detectors import Detector, slow
from tracing.watch.detectors.slow import Step
from tracing.watch.finding import Finding, Unfinished

M = NOW // MINUTE
STEP = Step("wms", "production", "POST /labels")


def took(
    worker: psycopg.Connection, minute: int, seconds: float, times: int, operation: str = STEP.operation
) -> None:
    lengths = buckets.counts_of([round(seconds * SECOND)] * times)
    insert(
        worker, "volume", service="wms", environment="production", operation=operation, minute=minute, records=times,
        errors=0, retries=0, lengths=lengths,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_learned() -> None:
    slow._usual.clear()


def test_beyond_the_longest_of_the_days_before(worker: psycopg.Connection) -> None:
    for at in range(100):
        took(worker, M - 1_440 - at, 1.0, 10)
        took(worker, M - 1_440 - at, 1.0, 10, "GET /stock")
    for minute in range(M - 9, M + 1):
        took(worker, minute, 1.0 if minute < M - 4 else 60.0, 4 if minute < M - 4 else 20)
        took(worker, minute, 1.0, 20, "GET /stock")
    (found,) = slow.find(worker, NOW)
    assert found.title == "POST /labels is slow in wms"
    assert (found.step, found.system, found.severity) == ("POST /labels", "wms", 2)
    assert found.why.startswith("Half of 120 took longer than ")
    assert "99 % of 920 took less than 1.04 s, half of them 908 ms" in found.why
    assert (found.since_ns, found.last_ns) == ((M - 4) * MINUTE, (M + 1) * MINUTE - 1)
    # What it took while it was slow is not usual before the hour is over, and old minutes are not judged.
    assert slow.find(worker, NOW + 20 * MINUTE) == []


@pytest.mark.parametrize(("before", "now", "is_found"), [(300, 20, True), (299, 20, False), (300, 19, False)])
def test_too_few_say_nothing(worker: psycopg.Connection, before: int, now: int, is_found: bool) -> None:
    took(worker, M - 2_000, 1.0, before)
    took(worker, M, 60.0, now)
    assert bool(slow.find(worker, NOW)) == is_found


def test_the_usual_is_learned_once_an_hour(worker: psycopg.Connection) -> None:
    took(worker, M - 2_000, 1.0, 300)
    slow.learn(worker, [STEP], M // 60)
    usual = slow._usual[STEP]
    assert usual[1].samples == 300
    worker.execute("DELETE FROM volume")
    slow.learn(worker, [STEP], M // 60)
    assert slow._usual[STEP] == usual
    slow.learn(worker, [STEP], M // 60 + 1)
    assert slow._usual[STEP][1].samples == 0


def test_learning_of_many_goes_on_at_the_next_look(
    worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until all are known nothing is said; later what was usual does until it is learned anew."""
    steps = [Step("wms", "production", str(at)) for at in range(3)]
    monkeypatch.setattr(slow, "PATIENCE_S", -1.0)
    with pytest.raises(Unfinished):
        slow.learn(worker, steps, M // 60)

    def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
        slow.learn(connection, steps, M // 60)
        return []

    asked = (Detector("slow", ("slow",), find),)
    assert detectors.ask(worker, NOW, asked).kinds == set()
    monkeypatch.setattr(slow, "PATIENCE_S", 60.0)
    assert detectors.ask(worker, NOW, asked).kinds == {"slow"}
    monkeypatch.setattr(slow, "PATIENCE_S", -1.0)
    slow.learn(worker, steps, M // 60 + 1)
    assert {kept[0] for kept in slow._usual.values()} == {M // 60}
