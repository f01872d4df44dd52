"""What waits too long, as findings: grouped, worded, cut where there is too much."""

import psycopg
import pytest

from tests.watching import NOW, SECOND, ago, expectation, id_of
from tracing.watch.detectors import waits


def test_flows_that_wait_for_the_same_are_one_finding(worker: psycopg.Connection) -> None:
    for at in range(22):
        expectation(worker, str(at), "late", late_ns=ago(100 + at), since_ns=ago(1100 + at))
    expectation(worker, "billing", "late", awaited_system="billing")
    expectation(worker, "staging", "late", environment="staging")
    expectation(worker, "due", "due")
    expectation(worker, "well", "moving")
    found = waits.find(worker, NOW)
    assert [(one.environment, one.system, len(one.flows)) for one in found] == [
        ("production", "wms", 22), ("production", "billing", 1), ("staging", "wms", 1),
    ]  # fmt: skip
    first = found[0]
    assert (first.kind, first.severity, first.step) == ("late", 2, "paid")
    assert first.title == "22 orders wait for shipment.created from wms"
    assert first.why == (
        "97 % of 412 orders passed this point within 14 min. The oldest waits since 2026-11-18 10:48 UTC."
    )
    assert (first.since_ns, first.last_ns) == (ago(121), ago(100))
    assert first.flows[0] == (id_of("21"), 1, ago(121))


def test_one_stuck_flow_makes_it_stuck(worker: psycopg.Connection) -> None:
    expectation(worker, "1", "late")
    expectation(worker, "2", "stuck", stuck_ns=ago(20))
    expectation(worker, "3", "stuck", stuck_ns=ago(40))
    (found,) = waits.find(worker, NOW)
    assert (found.kind, found.severity, found.evidence["worse_ns"]) == ("stuck", 3, ago(40))
    assert "2 of them stuck." in found.why
    assert found.identity == next(iter(waits.find(worker, NOW + SECOND))).identity


def test_quiet_ones_are_grey(worker: psycopg.Connection) -> None:
    expectation(worker, "1", "stuck", quiet=True)
    assert [one.severity for one in waits.find(worker, NOW)] == [1]
    expectation(worker, "2", "late")
    assert [one.severity for one in waits.find(worker, NOW)] == [3]


def test_a_promised_retry_is_a_kind_of_its_own(worker: psycopg.Connection) -> None:
    retry = {"said": "retry", "operation": "POST /labels", "attempt": 3, "most": 5}
    expectation(
        worker,
        "1",
        "late",
        reason="retry",
        awaited_step="",
        awaited_system=None,
        system="wms",
        evidence=retry,
    )
    expectation(worker, "2", "late")
    found = {one.kind: one for one in waits.find(worker, NOW)}
    assert set(found) == {"late", "abandoned_retry"}
    abandoned = found["abandoned_retry"]
    assert (abandoned.step, abandoned.system, abandoned.severity) == ("POST /labels", "wms", 3)
    assert abandoned.title == "wms never tried POST /labels again for 1 order"
    assert abandoned.why.startswith("Attempt 3 of 5 was promised and did not come.")


@pytest.mark.parametrize(
    ("values", "title", "why"),
    [
        ({"awaited_step": None}, "1 order waits for anything from wms", "97 %"),
        ({"awaited_step": None, "awaited_system": None}, "1 order has not moved on from paid", "97 %"),
        (
            {"awaited_step": "", "awaited_system": "", "reason": "deadline", "evidence": {"said": "flow.deadline"}},
            "1 order is past its deadline at paid", "Stated by the flow: flow.deadline.",
        ),
        (
            {"type": "sync", "reason": "heartbeat", "awaited_system": "jobs", "evidence": {"period_ns": 3600 * SECOND}},
            "1 sync missed its beat from jobs", "It came every 1 h.",
        ),
        ({"evidence": {"rule": "shipped within 2 h."}}, "1 order waits for shipment.created from wms", "Expected by rule"),
        ({"evidence": None, "step": None}, "1 order waits for shipment.created from wms", "The oldest"),
    ],
)  # fmt: skip
def test_titles(worker: psycopg.Connection, values: dict[str, object], title: str, why: str) -> None:
    expectation(worker, "1", "late", **values)
    (found,) = waits.find(worker, NOW)
    assert found.title == title
    assert found.why.startswith(why)


def test_more_than_are_named_are_counted(worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(5):
        expectation(worker, str(at), "late", late_ns=ago(100 + at))
        expectation(worker, f"step {at}", "late", step=f"step {at}")
    monkeypatch.setattr(waits, "MOST_FLOWS", 2)
    monkeypatch.setattr(waits, "MOST_FINDINGS", 3)
    found = waits.find(worker, NOW)
    assert [(one.count, len(one.flows)) for one in found] == [(5, 2), (1, 1), (1, 1)]
    assert found[0].title.startswith("5 orders")
    assert found[-1].evidence["cut"] is True


def test_of_many_only_the_first_are_read(worker: psycopg.Connection) -> None:
    """In a large outage all are counted; the ones that are named come from the index, in order."""
    worker.execute(
        "INSERT INTO expectation (flow_id, kind, type, environment, verdict, step, awaited_system, late_ns, source, reason)"
        " SELECT decode(md5(n::text), 'hex'), 1, 'order', 'production', 'late', 'paid', 'wms', n, 'learned', 'step'"
        " FROM generate_series(1, 20000) n"
    )
    worker.execute("ANALYZE expectation")
    asked = {"flows": 100, "findings": 10}
    plan = [row[0] for row in worker.execute(b"EXPLAIN (ANALYZE) " + waits._WAITS.encode(), asked).fetchall()]
    assert any("Index Scan using expectation_wait" in line and "rows=100" in line for line in plan), plan
    (found,) = waits.find(worker, NOW)
    assert (found.count, len(found.flows), found.since_ns, found.flows[-1].since_ns) == (
        20_000,
        2_000,
        1,
        2_000,
    )


def test_one_promise_of_two_flows_is_shown_once(worker: psycopg.Connection) -> None:
    """The order and its receipt carry the same span that promised another try."""
    promised = {"source": "stated", "reason": "retry", "evidence": {"operation": "send"}}
    for at in range(3):
        expectation(worker, str(at), "late", late_ns=ago(300 + at), **promised)
        expectation(worker, f"mail {at}", "late", late_ns=ago(300 + at), type="mail", kind=2, **promised)
        # Another flow that happens to be due at the same moment, by a word of its own.
        expectation(worker, f"job {at}", "late", late_ns=ago(300 + at), type="job", **promised)
    expectation(worker, "mail", "late", late_ns=ago(1), type="sms", **promised)
    for name in ("order", "mail", "job", "sms"):
        worker.execute(
            "INSERT INTO stated (flow_id, said_ns, digest, what, by_ns, step, system, operation, trace_id, record_id, day,"
            " rule_id, received_ns, xid) SELECT flow_id, 1, '', 'retry', late_ns, '', '', 'send',"
            " int8send(late_ns) || %s::bytea, '', 1, 1, 1, '1' FROM expectation WHERE type = %s",
            (b"other" if name == "job" else b"one", name),
        )
    found = {one.type: one for one in waits.find(worker, NOW)}
    assert [one.follows for one in found.values()].count(b"") == 3
    assert found["sms"].follows == found["job"].follows == b""
    assert found["mail"].follows == found["order"].identity
    # What is learned of two types coincides by chance at most.
    worker.execute("UPDATE expectation SET source = 'learned'")
    assert all(one.follows == b"" for one in waits.find(worker, NOW))
