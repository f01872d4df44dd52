"""What should have begun and has not."""

import psycopg
import pytest

from tests.builders import BASE_NS
from tracing.mentions import flow_id
from tracing.watch.detectors import series
from tracing.watch.finding import NEEDS_A_PERSON, WARNING

S = 1_000_000_000
HOUR = 3_600 * S


def begun(worker: psycopg.Connection, at_ns: int, environment: str = "production") -> None:
    worker.execute(
        "INSERT INTO flow (flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters,"
        " first_ns, last_ns, services, activity, xid)"
        " VALUES (%s, 2, 'sync', %s, %s, 1, 1, 0, 0, 0, 0, 1, %s, %s, '{}', %s, '1')",
        (
            flow_id("workflow", "sync", str(at_ns), environment),
            str(at_ns),
            environment,
            at_ns,
            at_ns,
            at_ns // (60 * S),
        ),
    )
    worker.execute(
        "INSERT INTO backlog (kind, type, environment, step, open, ended, late, stuck, unknown, paused, counted_ns)"
        " VALUES (2, 'sync', %s, 'done', 0, 1, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING",
        (environment,),
    )


@pytest.fixture(autouse=True)
def heard(worker: psycopg.Connection) -> None:
    """Others send all the time."""
    worker.execute(
        "INSERT INTO arrival (service, environment, minute, records, delays) VALUES ('shop', 'production', %s, 1, '{}')",
        ((BASE_NS + 100 * HOUR) // (60 * S),),
    )


def rhythm(worker: psycopg.Connection) -> None:
    worker.execute(
        "INSERT INTO learned (type, environment, step, source, passed, waiting, is_end, facts, learned_ns)"
        """ VALUES ('sync', 'production', '', 'series', 9, 0, false, '{"period_ns": 3600000000000, "beats": 10}', 0)"""
    )


@pytest.mark.parametrize(
    ("hours", "kind", "severity"), [(1.9, None, 0), (2, "late", WARNING), (3, "stuck", NEEDS_A_PERSON)]
)
def test_a_learned_rhythm_that_stops(
    worker: psycopg.Connection, hours: float, kind: str | None, severity: int
) -> None:
    rhythm(worker)
    for n in range(3):
        begun(worker, BASE_NS - n * HOUR)
    found = series.find(worker, BASE_NS + round(hours * HOUR))
    assert [(one.kind, one.severity, one.since_ns) for one in found] == (
        [(kind, severity, BASE_NS + 2 * HOUR)] if kind else []
    )
    if found:
        assert found[0].title == "The next sync has not begun"
        assert "began every 1 h. Learned." in found[0].why


def test_a_rule_goes_before_what_was_learned(worker: psycopg.Connection) -> None:
    from tracing.models import ExpectationRule

    rhythm(worker)
    begun(worker, BASE_NS)
    begun(worker, BASE_NS, "staging")
    ExpectationRule.objects.create(subject="series", type="sync", within_s=24 * 3_600, grace_s=3_600)
    assert series.find(worker, BASE_NS + 24 * HOUR) == []
    late = series.find(worker, BASE_NS + 26 * HOUR)
    assert sorted(one.environment for one in late) == ["production", "staging"]
    assert {one.evidence["within_ns"] for one in late} == {24 * HOUR}


def test_what_never_began_or_we_could_not_see_is_nobodys_fault(worker: psycopg.Connection) -> None:
    rhythm(worker)
    assert series.find(worker, BASE_NS) == []
    begun(worker, BASE_NS)
    worker.execute("INSERT INTO blind VALUES (%s, %s)", (BASE_NS + HOUR, BASE_NS + HOUR + 60 * S))
    assert series.find(worker, BASE_NS + 3 * HOUR) == []
    assert [one.kind for one in series.find(worker, BASE_NS + 3 * HOUR + 120 * S)] == ["late"]
    worker.execute("DELETE FROM blind")
    worker.execute("UPDATE arrival SET minute = %s", (BASE_NS // (60 * S),))
    assert series.find(worker, BASE_NS + 3 * HOUR) == []
