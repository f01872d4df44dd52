"""Which failures are the last word of a flow, and which requests keep failing: from rows, and through the real store."""

from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Service, batch, trace_id
from tests.watching import HOUR, MINUTE, NOW, ago, failure, flow, id_of, insert
from tracing.storing import Store
from tracing.watch.customs import USUAL, is_bad_word
from tracing.watch.detectors import bad_ends, failed
from tracing.watch.detectors.failed import Failure

DAY = NOW // (24 * HOUR)
WMS = Service("wms")


def chapter(worker: psycopg.Connection, key: str, last_ns: int) -> None:
    insert(
        worker, "chapter", flow_id=id_of(key), trace_id=id_of(f"trace {key}"), service="", day=DAY, spans=1, events=0,
        logs=0, errors=1, retries=0, resent=0, late=0, first_ns=ago(1200), last_ns=last_ns, xid="1",
    )  # fmt: skip


def test_flows_that_fail_the_same_way_are_one_finding(worker: psycopg.Connection) -> None:
    for at in range(4):
        flow(worker, str(at), step="POST /labels", step_ns=ago(900 + at))
        chapter(worker, str(at), ago(900 + at))
        failure(worker, str(at), ago(910 + at))
    flow(worker, "other", type="delivery")
    failure(worker, "other", ago(800))
    found = failed.find(worker, NOW)
    assert [one.title for one in found] == ["4 orders failed: carrier 503 (CarrierError) in wms"]
    first = found[0]
    assert "With 1 delivery." in first.why
    assert (first.severity, first.since_ns, first.last_ns) == (3, ago(913), ago(800))
    assert (first.step, first.system, first.fingerprint) == ("POST /labels", "wms", id_of("carrier 503"))
    assert {one.flow_id for one in first.flows} == {id_of(str(at)) for at in range(4)} | {id_of("other")}


@pytest.mark.parametrize(
    ("heard", "is_failed"),
    [
        ({"step_ns": ago(880)}, True),  # the failing trace's own root, which ended after its error
        ({"step_ns": ago(870)}, False),  # another trace later
        ({"state": "shipped", "state_since_ns": ago(870)}, False),
        ({"state": "shipped", "state_since_ns": ago(1000)}, True),
    ],
)
def test_a_later_step_or_state_in_another_trace_heals(
    worker: psycopg.Connection, heard: dict[str, Any], is_failed: bool
) -> None:
    flow(worker, "1", **heard)
    chapter(worker, "1", ago(880))
    failure(worker, "1", ago(900))
    assert bool(failed.find(worker, NOW)) == is_failed


@pytest.mark.parametrize(
    ("end", "state", "went", "is_failed"),
    [
        ("good", "done", 1000, False),
        ("closed", "paid", 1000, False),
        ("bad", "Timed_Out", 100, True),
        ("bad", "cancelled", 100, False),
        ("bad", "cancelled", 1000, True),
        ("learned", "paid", 1000, True),
        ("learned", "paid", 100, False),
    ],
)
def test_an_end_says_more_than_the_error(
    worker: psycopg.Connection, end: str, state: str, went: int, is_failed: bool
) -> None:
    flow(worker, "1", step_ns=ago(went))
    failure(worker, "1", ago(900))
    insert(
        worker, "expectation", flow_id=id_of("1"), kind=1, type="order", environment="production", verdict="ended",
        evidence={"end": end}, step=state, system="wms", verdict_since_ns=ago(went),
    )  # fmt: skip
    assert bool(failed.find(worker, NOW)) == is_failed


def test_the_first_minute_is_left_to_a_retry(worker: psycopg.Connection) -> None:
    flow(worker, "1")
    failure(worker, "1", ago(900), received_ns=ago(59))
    assert failed.find(worker, NOW) == []
    assert len(failed.find(worker, NOW + 2 * MINUTE)) == 1
    # Nothing new for a day.
    assert failed.find(worker, NOW + 24 * HOUR) == []


@pytest.mark.parametrize(("kind", "verdict", "found"), [(2, "ended", 1), (2, "moving", 0), (1, "ended", 0)])
def test_a_run_that_its_engine_ended_badly_is_not_left_to_a_retry(
    worker: psycopg.Connection, kind: int, verdict: str, found: int
) -> None:
    flow(worker, "1", kind=kind)
    failure(worker, "1", ago(9), kind=kind, received_ns=ago(8))
    insert(
        worker, "expectation", flow_id=id_of("1"), kind=kind, type="order", environment="production", verdict=verdict,
        evidence={"end": "bad"},
    )  # fmt: skip
    assert len(failed.find(worker, NOW)) == found


def test_only_the_last_failure_of_a_flow_is_its_word(worker: psycopg.Connection) -> None:
    flow(worker, "1")
    failure(worker, "1", ago(900))
    failure(worker, "1", ago(800), fingerprint=id_of("later"), message="timeout", record_id=id_of("r", 8))
    assert [one.fingerprint for one in failed.find(worker, NOW)] == [id_of("later")]


def test_through_the_store_a_try_that_failed_inside_a_good_request_is_none(
    worker: psycopg.Connection, store: Store
) -> None:
    """Order A's request failed as a whole; order B's failed once, was tried again inside, and ended well."""
    now = 0
    for key, status in (("A", 2), ("B", 0)):
        order, trace = {"order.id": key}, trace_id(key)
        root = WMS.span("POST /orders", 0, 500, trace=trace, kind=2, status=status, attributes=order)
        tried = WMS.span(
            "POST /labels", 10, 100, trace=trace, parent=root, kind=3, status=2, attributes=order
        )
        store.put(batch(root, tried))
        now = root.end_ns
        flow_id = worker.execute(
            "SELECT flow_id FROM flow WHERE key = %s AND type = 'order'", [key]
        ).fetchone()
        assert flow_id is not None
        worker.execute("DELETE FROM failure WHERE trace_id = %s", [trace])
        for scope_id, kind in ((flow_id[0], 1), (trace, 0)):
            failure(
                worker, key, tried.start_ns, scope_id=scope_id, kind=kind, trace_id=trace, day=root.day,
                received_ns=now,
            )  # fmt: skip
    (found,) = failed.find(worker, now + 2 * MINUTE)
    assert (found.type, len(found.flows)) == ("order", 1)
    # It is tried again in another trace, and goes well.
    store.put(
        batch(
            WMS.span("POST /orders", 900, 50, trace=trace_id("A again"), kind=2, attributes={"order.id": "A"})
        )
    )
    assert failed.find(worker, now + 2 * MINUTE) == []


def request(name: str, at_ns: int, **values: Any) -> Failure:
    told: dict[str, Any] = {
        "scope_id": id_of(name), "kind": 0, "fingerprint": b"f", "at_ns": at_ns, "last_ns": at_ns, "received_ns": at_ns,
        "trace_id": id_of(name), "environment": "production", "service": "shop", "operation": "GET /", "error_type": "",
        "message": "boom", "type": "trace", "flow_environment": "production", "went_ns": None, "chapter_ns": None,
        "root_status": 2, "end": None, "state": None,
    }  # fmt: skip
    return Failure(**(told | values))


def test_requests_need_to_fail_often() -> None:
    twice = [request(str(at), ago(100 * at)) for at in range(2)]
    assert failed.findings(twice, NOW) == []
    often = [*twice, request("2", ago(3000))]
    (found,) = failed.findings(often, NOW)
    assert (found.title, found.type, found.severity) == ("3 requests failed: boom in shop", "trace", 2)
    assert found.flows[0].kind == 0
    # An hour without one.
    assert failed.findings(often, NOW + HOUR + 1) == []
    # Those whose root ended well failed only inside.
    assert failed.findings([one._replace(root_status=1) for one in often], NOW) == []


def test_what_failed_with_a_flow_is_the_flows_matter() -> None:
    requests = [request(str(at), ago(100 + at)) for at in range(3)]
    recovered = [one._replace(kind=1, type="order", scope_id=b"o", went_ns=NOW) for one in requests]
    assert failed.findings([*requests, *recovered], NOW) == []
    # But what fails for a flow that is over long since is a request like any other.
    over = [one._replace(end="good", went_ns=ago(9_000)) for one in recovered]
    assert [one.type for one in failed.findings([*requests, *over], NOW)] == ["trace"]


@given(st.lists(st.integers(0, 10 * HOUR), min_size=1, max_size=30))
def test_often_means_so_many_within_some_hour(times: list[int]) -> None:
    now = max(times) + 1
    slow = any(sum(one <= other <= one + HOUR for other in times) >= failed.REQUESTS_AN_HOUR for one in times)
    assert failed.keeps_failing(times, now) == slow
    assert not failed.keeps_failing(times, max(times) + HOUR)


@pytest.mark.parametrize(
    ("error_type", "message", "words"),
    [
        ("CarrierError", "carrier 503", "carrier 503 (CarrierError)"),
        ("CarrierError", "", "CarrierError"),
        ("", "carrier 503", "carrier 503"),
        ("500", "500", "500"),
        ("", "", "an error"),
        ("E", "line one\nline two " + "x" * 200, f"line one line two {'x' * 71}… (E)"),
    ],
)
def test_names_of_errors(error_type: str, message: str, words: str) -> None:
    assert failed.named(error_type, message) == words


def test_more_than_can_be_read_is_said(worker: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    for at in range(3):
        flow(worker, str(at))
        failure(worker, str(at), ago(900 + at), fingerprint=id_of(str(at)))
    monkeypatch.setattr(failed, "MOST_ROWS", 2)
    found = failed.find(worker, NOW)
    assert len(found) == 2
    assert found[0].evidence["cut"] is True


def test_the_first_to_fail_is_named_not_its_callers(worker: psycopg.Connection) -> None:
    flow(worker, "1")
    trace = id_of("trace 1")
    for name, seconds in (("carrier", 900), ("wms", 899.5), ("shop", 899)):
        failure(worker, "1", ago(seconds), service=name, fingerprint=id_of(name), record_id=id_of(name, 8))
    failure(worker, "1", ago(1_000), service="earlier", fingerprint=id_of("earlier"), record_id=id_of("e", 8))
    (found,) = failed.find(worker, NOW)
    assert (found.system, found.fingerprint, found.since_ns) == ("carrier", id_of("carrier"), ago(900))
    assert found.evidence["trace_id"] == trace.hex()
    # A step between the first and the last of them is none that came after.
    worker.execute("UPDATE flow SET step_ns = %s", [ago(899.2)])
    assert len(failed.find(worker, NOW)) == 1


def test_flows_that_say_they_failed_and_told_no_error(worker: psycopg.Connection) -> None:
    for key, state in (("1", "FAILURE"), ("2", "FAILURE"), ("3", "cancelled"), ("4", "lost")):
        flow(worker, key, type="task")
        insert(
            worker, "expectation", flow_id=id_of(key), kind=2, type="task", environment="production", verdict="ended",
            evidence={"end": "bad"}, step=state, system="worker", verdict_since_ns=ago(500),
        )  # fmt: skip
    failure(worker, "4", ago(900))
    found = failed.find(worker, NOW)
    assert [one.title for one in found] == [
        "1 task failed: carrier 503 (CarrierError) in wms",
        "2 tasks ended as FAILURE in worker",
    ]
    assert [one.severity for one in found] == [2, 2]
    assert failed.find(worker, NOW + 25 * HOUR) == []


@pytest.mark.parametrize(
    ("state", "how", "broken"),
    [
        ("Killed", "bad", True), ("LOST", "bad", True), ("TIMED_OUT", "bad", True), ("dead-lettered", "bad", True),
        ("undeliverable", "bad", False), ("cancelled", "bad", False), ("done", "good", False),
        ("paid", "", False),
    ],
)  # fmt: skip
def test_one_list_says_what_a_bad_end_is(state: str, how: str, broken: bool) -> None:
    """The judge, the proposal for a type and this detector take a word alike; what was called off is not broken."""
    assert USUAL.end_of(state) == how
    assert is_bad_word(state) == (how == "bad")
    assert bad_ends.is_failure(state) == broken


def failing(type: str, chapters: int, name: str, **values: Any) -> Failure:
    told: dict[str, Any] = {"kind": 1, "type": type, "scope_id": id_of(type + name), "trace_id": id_of(name)}
    return request(name, ago(900), **(told | {"chapters": chapters} | values))


def test_what_became_of_the_order_decides_for_its_customer() -> None:
    """The order was tried again and went well; the customer has not been heard since."""
    order = failing("order", 3, "a", went_ns=ago(100))
    customer = failing("customer", 40, "a")
    assert failed.findings([order, customer], NOW) == []
    (found,) = failed.findings([order._replace(went_ns=None), customer], NOW)
    assert len(found.flows) == 2
    # An order says nothing of a delivery, which has as many chapters.
    assert [one.type for one in failed.findings([order, failing("delivery", 4, "a")], NOW)] == ["delivery"]


def test_an_end_that_was_learned_is_bad_by_its_word() -> None:
    """An order that stays at payment_failed ended by the error; one that stays at shipped does not."""
    declined = failing("order", 1, "a", end="learned", state="payment_failed")
    (found,) = failed.findings([declined], NOW)
    assert "1 of them ended badly." in found.why
    assert found.severity == 2
    (found,) = failed.findings([declined._replace(state="shipped")], NOW)
    assert "ended badly" not in found.why
    assert found.severity == 3
