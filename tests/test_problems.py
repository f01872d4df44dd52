"""Problems in their tables: opened, grown, made worse, quieted, resolved, by one watcher or two."""

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests import watching
from tests.watching import HOUR, MINUTE, NOW, SECOND, ago, at, expectation, flips, id_of, problems, rows, turn
from tracing.unfit import Unfit
from tracing.watch import detectors, ledger, sight
from tracing.watch.detectors import Answers, Detector
from tracing.watch.finding import Affected, Finding
from tracing.watch.problems import acknowledge, keep, mute, reconcile, unmute


def look(worker: psycopg.Connection, folder: Path, now: int) -> None:
    with at(folder, now):
        keep(worker)


def storm(**values: Any) -> Finding:
    told: dict[str, Any] = {
        "kind": "retry_storm", "type": "", "environment": "production", "step": "", "system": "wms",
        "title": "wms retries 60 times in 10 minutes", "why": "Usually 2.", "severity": 2, "since_ns": ago(600),
        "last_ns": ago(60),
    }  # fmt: skip
    return Finding(**(told | values))


def answers(
    *findings: Finding, kinds: tuple[str, ...] = ("retry_storm", "late", "stuck", "failed")
) -> Answers:
    return Answers(list(findings), set(kinds))


def heard(worker: psycopg.Connection, service: str, minute_ns: int) -> None:
    watching.insert(
        worker, "arrival", service=service, environment="production", minute=minute_ns // MINUTE, records=5, delays=[]
    )  # fmt: skip


def test_a_wait_opens_grows_gets_worse_and_resolves(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "1", "late", late_ns=ago(300))
    look(worker, tmp_path, NOW)
    (problem,) = problems(worker)
    assert (problem["kind"], problem["state"], problem["flows"]) == ("late", "open", 1)
    assert problem["title"] == "1 order waits for shipment.created from wms"
    assert (problem["opened_ns"], problem["first_ns"]) == (ago(300), ago(300))

    expectation(worker, "2", "late", late_ns=ago(100))
    look(worker, tmp_path, NOW + SECOND)
    assert (problems(worker)[0]["flows"], problems(worker)[0]["all_flows"]) == (2, 2)
    assert flips(worker) == [("forming", "open", ago(300))]

    turn(worker, "1", "stuck", NOW + 2 * SECOND, stuck_ns=NOW + 2 * SECOND)
    look(worker, tmp_path, NOW + 3 * SECOND)
    (problem,) = problems(worker)
    assert (problem["kind"], problem["severity"]) == ("stuck", 3)
    assert flips(worker)[1:] == [("open", "worse", NOW + 2 * SECOND)]

    turn(worker, "1", "moving", NOW + 10 * SECOND)
    look(worker, tmp_path, NOW + 20 * SECOND)
    assert problems(worker)[0]["flows"] == 1
    assert rows(worker, "SELECT flow_id, until_ns FROM problem_flow WHERE until_ns IS NOT NULL") == [
        (id_of("1"), NOW + 10 * SECOND)
    ]
    turn(worker, "2", "ended", NOW + 15 * SECOND)
    look(worker, tmp_path, NOW + 30 * SECOND)
    (problem,) = problems(worker)
    assert (problem["state"], problem["flows"], problem["all_flows"]) == ("resolved", 0, 2)
    assert problem["resolved_ns"] == NOW + 15 * SECOND
    assert flips(worker)[-1] == ("open", "resolved", NOW + 15 * SECOND)
    assert rows(worker, "SELECT count(*) FROM problem_flow WHERE until_ns IS NULL") == [(0,)]


def test_it_opened_when_its_oldest_flow_went_wrong_whenever_that_was_judged(
    worker: psycopg.Connection, tmp_path: Path
) -> None:
    expectation(worker, "1", "late", late_ns=ago(300))
    look(worker, tmp_path, NOW)
    worker.execute("UPDATE flip SET told = true")
    told = rows(worker, "SELECT flip_id FROM flip WHERE told")
    expectation(worker, "2", "late", late_ns=ago(7200))
    for seconds in (1, 2):
        look(worker, tmp_path, NOW + seconds * SECOND)
    (problem,) = problems(worker)
    assert (problem["opened_ns"], problem["first_ns"]) == (ago(7200), ago(7200))
    assert flips(worker) == [("forming", "open", ago(7200))]
    assert rows(worker, "SELECT flip_id FROM flip WHERE told") == told


def test_a_look_that_finds_the_same_writes_nothing(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "1", "stuck", stuck_ns=ago(10))
    look(worker, tmp_path, NOW)
    places = (
        "SELECT ctid::text, xmin::text FROM problem UNION ALL SELECT ctid::text, xmin::text FROM problem_flow"
    )
    before = rows(worker, places)
    look(worker, tmp_path, NOW + MINUTE)
    assert rows(worker, places) == before
    assert len(flips(worker)) == 1


def test_nothing_resolves_while_nobody_can_say(worker: psycopg.Connection, tmp_path: Path) -> None:
    """The flow became unknown or is in maintenance; or we ourselves were not there."""
    expectation(worker, "1", "late")
    look(worker, tmp_path, NOW)
    for verdict in ("unknown", "paused"):
        turn(worker, "1", verdict, NOW + SECOND)
        look(worker, tmp_path, NOW + 2 * SECOND)
        assert problems(worker)[0]["state"] == "open"
    watching.insert(worker, "awake", process=b"p", since_ns=ago(3600), until_ns=ago(120))
    turn(worker, "1", "moving", NOW + 3 * SECOND)
    look(worker, tmp_path, NOW + 4 * SECOND)
    assert problems(worker)[0]["state"] == "open"
    worker.execute("UPDATE awake SET until_ns = %s", [NOW])
    look(worker, tmp_path, NOW + 5 * SECOND)
    assert problems(worker)[0]["state"] == "resolved"


def test_silence_of_the_source_is_no_recovery(worker: psycopg.Connection) -> None:
    reconcile(worker, answers(storm()), NOW)
    reconcile(worker, answers(), NOW + 10 * SECOND)
    assert problems(worker)[0]["state"] == "open"
    heard(worker, "wms", NOW)
    reconcile(worker, answers(kinds=("late",)), NOW + 20 * SECOND)
    assert problems(worker)[0]["state"] == "open", "its detector was not asked"
    reconcile(worker, answers(), NOW + 30 * SECOND)
    (problem,) = problems(worker)
    assert (problem["state"], problem["resolved_ns"]) == ("resolved", NOW + 30 * SECOND)


def test_what_could_not_be_read_whole_resolves_nothing(worker: psycopg.Connection) -> None:
    heard(worker, "wms", NOW)
    reconcile(worker, answers(storm()), NOW)
    cut = answers()
    cut.cut = {"retry_storm"}
    reconcile(worker, cut, NOW + SECOND)
    assert problems(worker)[0]["state"] == "open"


def test_flapping_keeps_one_row(worker: psycopg.Connection) -> None:
    heard(worker, "wms", NOW)
    for turn_no in range(3):
        begun = NOW + turn_no * 4 * SECOND
        reconcile(worker, answers(storm(since_ns=begun)), begun + SECOND)
        reconcile(worker, answers(), begun + 2 * SECOND)
    (problem,) = problems(worker)
    assert (problem["state"], problem["flaps"]) == ("resolved", 2)
    assert [after for _, after, _ in flips(worker)] == [
        "open", "resolved", "reopened", "resolved", "reopened", "resolved",
    ]  # fmt: skip


def test_a_problem_that_came_back_resolves_again_at_the_same_moment(
    worker: psycopg.Connection, tmp_path: Path
) -> None:
    """Its last record is what told that it was well, both times: the all-clear is told twice."""
    expectation(worker, "1", "late")
    for look_at in range(2):
        turn(worker, "1", "late", ago(300))
        look(worker, tmp_path, NOW + look_at * 20 * SECOND)
        turn(worker, "1", "moving", ago(10))
        look(worker, tmp_path, NOW + (look_at * 20 + 10) * SECOND)
    assert problems(worker)[0]["state"] == "resolved"
    turned = [after for _, after, _ in flips(worker)]
    assert turned == ["open", "resolved", "reopened", "resolved"]
    assert flips(worker)[1][2] == flips(worker)[3][2] == ago(10)


def test_waits_for_a_silent_service_are_its_effect(worker: psycopg.Connection, tmp_path: Path) -> None:
    silent = storm(kind="silent_service", title="wms went quiet", causes_system="wms")
    expectation(worker, "1", "late")
    expectation(worker, "2", "late", awaited_system="billing")
    look(worker, tmp_path, NOW)
    reconcile(worker, answers(silent, kinds=("silent_service",)), NOW)
    causes = {row["system"]: row["cause_id"] for row in problems(worker) if row["kind"] == "late"}
    (cause,) = (row["problem_id"] for row in problems(worker) if row["kind"] == "silent_service")
    assert causes == {"wms": cause, "billing": None}
    reconcile(worker, answers(kinds=("silent_service",)), NOW + SECOND)
    assert cause in {row["cause_id"] for row in problems(worker)}, "it was not heard yet"
    heard(worker, "wms", NOW)
    reconcile(worker, answers(kinds=("silent_service",)), NOW + 2 * SECOND)
    assert all(row["cause_id"] is None for row in problems(worker))


def test_what_tells_the_same_is_shown_under_it(worker: psycopg.Connection) -> None:
    order = storm(kind="late", type="order")
    customer = storm(kind="late", type="customer", follows=order.identity)
    reconcile(worker, answers(customer, order), NOW)
    found = {row["type"]: row for row in problems(worker)}
    assert found["customer"]["cause_id"] == found["order"]["problem_id"]
    assert found["order"]["cause_id"] is None
    customer.follows = b""
    reconcile(worker, answers(customer), NOW + SECOND)
    assert {row["cause_id"] for row in problems(worker)} == {None}


def test_acknowledged_until_it_resolves(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "1", "late")
    look(worker, tmp_path, NOW)
    problem_id = problems(worker)[0]["problem_id"]
    with at(tmp_path, NOW + SECOND):
        acknowledge(worker, problem_id, "Ann", "calling the carrier")
    (problem,) = problems(worker)
    assert problem["state"] == "acknowledged"
    assert problem["quieted"] == {
        "what": "ack", "name": "Ann", "reason": "calling the carrier", "at_ns": NOW + SECOND, "flows_then": 1,
        "errors_then": [], "signature_then": ["step shipment.created"],
    }  # fmt: skip
    look(worker, tmp_path, NOW + 2 * SECOND)
    assert problems(worker)[0]["state"] == "acknowledged"
    turn(worker, "1", "moving", NOW + 3 * SECOND)
    look(worker, tmp_path, NOW + 4 * SECOND)
    (problem,) = problems(worker)
    assert (problem["state"], problem["quieted"]) == ("resolved", None)
    told = rows(worker, "SELECT after, sentence FROM flip ORDER BY judged_ns")
    assert told[1] == ("acknowledged", "Acknowledged by Ann: calling the carrier")


def test_muted_until_more_flows(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "1", "late")
    look(worker, tmp_path, NOW)
    with at(tmp_path, NOW):
        mute(worker, problems(worker)[0]["problem_id"], "Ann", "known", {"more": 2})
    expectation(worker, "2", "late")
    look(worker, tmp_path, NOW + SECOND)
    assert problems(worker)[0]["state"] == "muted"
    expectation(worker, "3", "late")
    look(worker, tmp_path, NOW + 2 * SECOND)
    (problem,) = problems(worker)
    assert (problem["state"], problem["quieted"]) == ("open", None)
    assert flips(worker)[-1] == ("muted", "open", NOW + 2 * SECOND)


@pytest.mark.parametrize("until", [{"new": "error"}, {"new": "variant"}])
def test_muted_until_something_new(worker: psycopg.Connection, tmp_path: Path, until: dict[str, str]) -> None:
    expectation(worker, "1", "late")
    watching.failure(worker, "1", ago(1000))
    look(worker, tmp_path, NOW)
    wait = next(row for row in problems(worker) if row["kind"] == "late")
    with at(tmp_path, NOW):
        mute(worker, wait["problem_id"], "Ann", "known", until)
    look(worker, tmp_path, NOW + SECOND)
    assert rows(worker, "SELECT state FROM problem WHERE kind = 'late'") == [("muted",)]
    watching.failure(worker, "1", ago(10), fingerprint=id_of("another"))
    look(worker, tmp_path, NOW + 2 * SECOND)
    assert rows(worker, "SELECT state FROM problem WHERE kind = 'late'") == [("open",)]


def test_muted_until_a_rate(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "0", "late", late_ns=ago(300))
    look(worker, tmp_path, NOW)
    with at(tmp_path, NOW):
        mute(worker, problems(worker)[0]["problem_id"], "Ann", "known", {"rate": 2})
    expectation(worker, "1", "late", late_ns=NOW + SECOND)
    look(worker, tmp_path, NOW + 2 * SECOND)
    expectation(worker, "2", "late", late_ns=NOW + 2 * HOUR)
    look(worker, tmp_path, NOW + 2 * HOUR + SECOND)
    assert problems(worker)[0]["state"] == "muted", "one an hour"
    expectation(worker, "3", "late", late_ns=NOW + 2 * HOUR + SECOND)
    look(worker, tmp_path, NOW + 2 * HOUR + 2 * SECOND)
    assert problems(worker)[0]["state"] == "open"


def test_muting_can_be_taken_back(worker: psycopg.Connection, tmp_path: Path) -> None:
    expectation(worker, "1", "late")
    look(worker, tmp_path, NOW)
    problem_id = problems(worker)[0]["problem_id"]
    with at(tmp_path, NOW):
        mute(worker, problem_id, "Ann", "known", {"time_ns": NOW + HOUR})
        unmute(worker, problem_id, "Bob", "not known at all")
    assert (problems(worker)[0]["state"], problems(worker)[0]["quieted"]) == ("open", None)


@pytest.mark.parametrize(
    ("reason", "until", "field"),
    [
        ("  ", {"more": 1}, "reason"),
        ("x" * 301, {"more": 1}, "reason"),
        ("known", {}, "until"),
        ("known", {"time_ns": NOW}, "until"),
        ("known", {"more": 0}, "until"),
        ("known", {"rate": "5"}, "until"),
        ("known", {"new": "moon"}, "until"),
        ("known", {"more": 1, "rate": 1}, "until"),
        ("known", {"more": 1}, "problem"),
    ],
)
def test_what_cannot_be_said_of_a_problem(
    worker: psycopg.Connection, tmp_path: Path, reason: str, until: dict[str, Any], field: str
) -> None:
    with at(tmp_path, NOW), pytest.raises(Unfit) as said:
        mute(worker, b"no such one!", "Ann", reason, until)
    assert said.value.field == field
    assert said.value.sentence.endswith(".")


def test_pages_say_it_with_their_own_connection(worker: psycopg.Connection, tmp_path: Path) -> None:
    from django.db import connection

    expectation(worker, "1", "late")
    look(worker, tmp_path, NOW)
    acknowledge(connection, problems(worker)[0]["problem_id"], "", "looking")
    assert problems(worker)[0]["state"] == "acknowledged"


def test_a_detector_that_fails_leaves_its_problems_and_the_others(
    worker: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
        connection.execute("SELECT 1 / 0")
        return []

    asked = (
        Detector("breaks", ("late", "stuck"), breaks),
        Detector("works", ("retry_storm",), lambda connection, now_ns: [storm()]),
    )
    for now in (NOW, NOW + SECOND):
        found = detectors.ask(worker, now, asked)
        assert (len(found.findings), found.kinds) == (1, {"retry_storm"})
    assert [record.getMessage().split(";")[0] for record in caplog.records] == ["The detector breaks failed"]
    mended = (Detector("breaks", ("late",), lambda connection, now_ns: []),)
    assert detectors.ask(worker, NOW + 2 * SECOND, mended).kinds == {"late"}


def test_a_costly_detector_is_asked_seldom(worker: psycopg.Connection) -> None:
    seldom = (Detector("seldom", ("slow",), lambda connection, now_ns: [], every_s=30.0),)
    asked = [bool(detectors.ask(worker, NOW + at * SECOND, seldom).kinds) for at in (0, 10, 29, 30, 31, 5)]
    assert asked == [True, False, False, True, False, True]


@pytest.mark.parametrize(("took_s", "rests"), [(0.1, False), (0.6, True)])
def test_a_long_look_is_followed_by_a_rest(worker: psycopg.Connection, took_s: float, rests: bool) -> None:
    def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
        connection.execute("SELECT pg_sleep(%s)", [took_s])
        return []

    asked = (Detector("long", ("slow",), find),)
    assert detectors.ask(worker, NOW, asked).kinds == {"slow"}
    assert bool(detectors.ask(worker, NOW + SECOND, asked).kinds) != rests
    assert detectors.ask(worker, NOW + 60 * SECOND, asked).kinds == {"slow"}


def test_several_watchers_make_one_problem(conninfo: str, worker: psycopg.Connection, tmp_path: Path) -> None:
    for key in range(20):
        expectation(worker, str(key), "late", late_ns=ago(100 + key))
    failed: list[Exception] = []

    def watch() -> None:
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                for _ in range(10):
                    keep(connection)
        except Exception as error:
            failed.append(error)

    with at(tmp_path, NOW):
        watchers = [threading.Thread(target=watch) for _ in range(3)]
        for one in watchers:
            one.start()
        for one in watchers:
            one.join(30)
    assert failed == []
    assert [(row["flows"], row["all_flows"], row["state"]) for row in problems(worker)] == [(20, 20, "open")]
    assert len(flips(worker)) == 1


def test_being_there_just_now_is_not_blind(worker: psycopg.Connection) -> None:
    assert not sight.is_blind(worker, NOW)
    watching.insert(worker, "awake", process=b"p", since_ns=ago(3600), until_ns=ago(61))
    assert sight.is_blind(worker, NOW)
    watching.insert(worker, "awake", process=b"q", since_ns=ago(3600), until_ns=ago(5))
    assert not sight.is_blind(worker, NOW)
    watching.insert(worker, "blind", from_ns=ago(100), until_ns=None)
    assert sight.is_blind(worker, NOW)
    assert sight.blind(worker, ago(200), NOW) == [(ago(100), NOW)]
    worker.execute("UPDATE blind SET until_ns = %s", [ago(50)])
    assert not sight.is_blind(worker, NOW)
    assert sight.blind(worker, ago(80), NOW) == [(ago(80), ago(50))]


def test_more_flows_than_are_named_count(worker: psycopg.Connection) -> None:
    named = [Affected(id_of("1"), 1, ago(60))]
    reconcile(worker, answers(storm(flows=named, count=5_000)), NOW)
    (problem,) = problems(worker)
    assert (problem["flows"], problem["all_flows"]) == (5_000, 5_000)


def test_when_a_flow_was_well_again(worker: psycopg.Connection) -> None:
    """Its judge's turn says it best; then its last record; and nobody can say of one that we were blind for."""
    for key, verdict in (("judged", "moving"), ("blind", "unknown"), ("late", "late")):
        expectation(worker, key, verdict, verdict_since_ns=ago(50))
    for key in ("judged", "heard", "late"):
        watching.flow(worker, key, last_ns=ago(20))
    names = ("judged", "heard", "blind", "late", "request")
    wrong = [Affected(id_of(key), 1, ago(100)) for key in names]
    reconcile(worker, answers(storm(flows=wrong)), NOW)
    problem_id = problems(worker)[0]["problem_id"]
    ends = ledger.endings(worker, [problem_id], NOW)[problem_id]
    assert {key: ends[id_of(key)] for key in names} == {
        "judged": ago(50), "heard": ago(20), "blind": None, "late": ago(20), "request": NOW,
    }  # fmt: skip


def test_what_was_resolved_long_ago_is_forgotten(worker: psycopg.Connection) -> None:
    heard(worker, "wms", NOW)
    reconcile(worker, answers(storm(flows=[Affected(id_of("1"), 1, ago(60))])), NOW)
    reconcile(worker, answers(), NOW + SECOND)
    reconcile(worker, answers(storm(system="shop"), kinds=("late",)), NOW)
    (old,) = (row["problem_id"] for row in problems(worker) if row["state"] == "resolved")
    watching.insert(worker, "tracing_note", problem_id=old, at_ns=NOW, text="known", name="Ann")
    assert ledger.drop_old(worker, NOW) == 0
    assert ledger.drop_old(worker, NOW + HOUR) == 1
    assert [row["system"] for row in problems(worker)] == ["shop"]
    for table in ("problem_flow", "tracing_note"):
        assert rows(worker, f"SELECT count(*) FROM {table}") == [(0,)]
    assert len(flips(worker)) == 1


def test_what_an_error_is_named_after_may_change(worker: psycopg.Connection) -> None:
    payment, order = (
        storm(kind="failed", type=type, step=type, fingerprint=b"f") for type in ("payment", "order")
    )
    reconcile(worker, answers(payment), NOW)
    reconcile(worker, answers(order), NOW + SECOND)
    assert [(row["type"], row["step"], row["state"]) for row in problems(worker)] == [
        ("order", "order", "open")
    ]
    assert len(flips(worker)) == 1
