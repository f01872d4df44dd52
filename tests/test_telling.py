"""Flips become messages: who is told what and when, on the real tables with a clock that the test moves."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.outbox import MINUTE, PROBLEM, Time, Watch, channel, follow, insert, routed
from tracing import clock
from tracing.people import Route
from tracing.watch import following, telling

START_NS = 1_780_000_000_000_000_000
HOUR = 60 * MINUTE
CAUSE = b"problem-9999"
FLOW = b"flow-00000000001"
# Nobody listens there: these tests are about what is written, `sent` says that it went out.
ADDRESS = "json://hooks.example.com/x"


@pytest.fixture
def watch(worker: psycopg.Connection, tmp_path: Path) -> Iterator[Watch]:
    yield Watch(worker, Time(tmp_path / "clock", START_NS))
    clock.follow(None)


def sent(watch: Watch) -> None:
    """As if all that is due had gone out."""
    watch.connection.execute(
        "UPDATE message SET state = 'sent', attempts = 1 WHERE state = 'waiting' AND not_before_ns <= %s",
        (clock.now_ns(),),
    )


def step(watch: Watch, after_s: float = 0) -> None:
    watch.tell(after_s)
    sent(watch)


def opened(watch: Watch, **more: object) -> None:
    watch.problem(**more)
    watch.flip("forming", "open")
    step(watch)


def untold(watch: Watch) -> int:
    row = watch.connection.execute("SELECT count(*) FROM flip WHERE NOT told").fetchone()
    assert row is not None
    return int(row[0])


def subjects(watch: Watch) -> list[str]:
    return [row[0] for row in watch.messages("subject")]


def test_a_problem_from_opening_to_its_end(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    assert watch.messages("phase, state, not_before_ns - at_ns") == [("opened", "waiting", 30 * 10**9)]
    assert untold(watch) == 0
    step(watch, 30)
    watch.change(flows=31, all_flows=31)
    step(watch, 299)
    assert len(watch.messages()) == 1
    step(watch, 1)
    watch.change(kind="stuck")
    step(watch, 1)
    step(watch, 4 * HOUR - 1)
    step(watch, 2)
    watch.flip("open", "resolved")
    watch.change(resolved_ns=clock.now_ns(), flows=0, title="0 orders wait")
    step(watch)
    assert watch.messages() == [
        (phase, "sent") for phase in ("opened", "more", "worse", "repeat", "resolved")
    ]
    orders = "22 orders wait for shipment.created from wms"
    assert subjects(watch) == [
        orders,
        f"9 more: {orders}",
        f"Now stuck: {orders}",
        f"Still open after 4 h 5 m: {orders}",
        f"Resolved after 4 h 5 m: {orders}",
    ]


def test_what_resolves_within_the_wait_says_nothing(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    watch.flip("open", "resolved")
    step(watch, 20)
    step(watch, HOUR)
    assert watch.messages("phase, state, error") == [
        ("opened", "dropped", "It was resolved before it went out.")
    ]


def test_one_that_comes_back_is_told_again(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    step(watch, 30)
    watch.flip("open", "resolved")
    step(watch, 60)
    watch.flip("resolved", "open")
    step(watch, 60)
    watch.flip("open", "resolved")
    step(watch, 10)
    assert watch.messages() == [("opened", "sent"), ("resolved", "sent"), ("opened", "dropped")]


def test_the_wait_tells_what_is_so_when_it_ends(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch, title="1 order waits", flows=1, all_flows=1)
    watch.change(title="22 orders wait", flows=22, all_flows=22, kind="stuck")
    step(watch, 20)
    assert subjects(watch) == ["22 orders wait"] and "22 flows now" in watch.messages("body")[0][0]
    step(watch, 10)
    step(watch, 300)
    assert watch.messages() == [("opened", "sent")]


@pytest.mark.parametrize("state", ["acknowledged", "muted"])
def test_what_a_person_knows_before_it_went_out_is_not_told(watch: Watch, state: str) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    watch.flip("open", state)
    step(watch, 10)
    assert watch.messages("state, error") == [("dropped", f"It was {state} before it went out.")]


def test_acknowledged_only_worse_and_the_end(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    step(watch, 30)
    watch.flip("open", "acknowledged")
    watch.change(all_flows=99)
    step(watch, 12 * HOUR)
    assert len(watch.messages()) == 1
    watch.change(kind="stuck")
    watch.tell(1)
    watch.tell(1)
    assert watch.messages() == [("opened", "sent"), ("worse", "waiting")]
    step(watch, 1)
    watch.flip("acknowledged", "resolved")
    step(watch, 1)
    assert [phase for phase, _ in watch.messages()] == ["opened", "worse", "resolved"]


def test_muted_nothing_until_it_is_over(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    step(watch, 30)
    watch.flip("open", "muted")
    watch.change(all_flows=99, kind="stuck")
    step(watch, 12 * HOUR)
    assert len(watch.messages()) == 1
    watch.flip("muted", "open")
    step(watch, 1)
    assert [phase for phase, _ in watch.messages()] == ["opened", "worse"]
    watch.flip("open", "muted")
    step(watch, 60)
    watch.flip("muted", "open")
    step(watch, 60)
    assert [phase for phase, _ in watch.messages()] == ["opened", "worse", "repeat"]
    watch.flip("open", "muted")
    watch.flip("muted", "resolved")
    step(watch, 1)
    assert len(watch.messages()) == 3


def test_one_that_was_muted_from_the_start_is_told_when_it_is_not(watch: Watch) -> None:
    routed("ops", ADDRESS)
    watch.problem()
    watch.flip("forming", "muted")
    step(watch, HOUR)
    watch.flip("muted", "open")
    step(watch, HOUR)
    assert [phase for phase, _ in watch.messages()] == ["opened"]


def test_an_effect_is_told_when_its_cause_is_gone_and_it_is_not(watch: Watch) -> None:
    routed("ops", ADDRESS)
    watch.problem(problem_id=CAUSE, kind="silent_service", type="", title="wms went quiet", all_flows=0)
    watch.flip("forming", "open", problem_id=CAUSE)
    opened(watch, cause_id=CAUSE)
    step(watch, HOUR)
    assert subjects(watch) == ["wms went quiet"] and untold(watch) == 0
    watch.flip("open", "resolved", problem_id=CAUSE)
    step(watch, 1)
    step(watch, 30)
    step(watch, 30)
    assert watch.messages() == [("opened", "sent"), ("resolved", "sent"), ("opened", "sent")]
    assert subjects(watch)[2].startswith("22 orders wait")


def test_a_cause_that_is_found_within_the_wait_takes_the_message_back(watch: Watch) -> None:
    routed("ops", ADDRESS)
    opened(watch)
    watch.problem(problem_id=CAUSE, severity=2)
    watch.flip("forming", "open", problem_id=CAUSE)
    watch.change(cause_id=CAUSE)
    step(watch, 10)
    assert watch.messages("state", problem_id=PROBLEM) == [("dropped",)]


def test_what_was_dropped_is_told_after_all(watch: Watch) -> None:
    """Worse, muted before that went out, and open again: the same message, not a second one."""
    routed("ops", ADDRESS)
    opened(watch)
    step(watch, 30)
    watch.change(kind="stuck")
    watch.tell(1)
    watch.flip("open", "muted")
    watch.tell(1)
    assert watch.messages() == [("opened", "sent"), ("worse", "dropped")]
    watch.flip("muted", "open")
    step(watch, 60)
    step(watch, 60)
    assert watch.messages("phase, state, error") == [("opened", "sent", ""), ("worse", "sent", "")]


def test_grey_is_never_told(watch: Watch) -> None:
    routed("ops", ADDRESS, severity=1)
    opened(watch, severity=1)
    step(watch, HOUR)
    assert watch.messages() == [] and untold(watch) == 0


def test_a_route_for_what_is_stuck_hears_of_it_then(watch: Watch) -> None:
    routed("pager", ADDRESS, kinds=["stuck"])
    opened(watch)
    step(watch, HOUR)
    assert watch.messages() == []
    watch.problem(problem_id=CAUSE, kind="stuck", severity=2)
    watch.change(kind="stuck")
    watch.flip("late", "open")
    step(watch, 1)
    assert [phase for phase, _ in watch.messages()] == ["opened"]


def test_routes_and_channels(watch: Watch) -> None:
    all_of_it = routed("all", ADDRESS, position=1, goes_on=True)
    orders = routed("orders", f"{ADDRESS}2", position=2, types=["order"], wait_s=0)
    routed("rest", f"{ADDRESS}3", position=3)
    Route.objects.create(channel=channel("off", f"{ADDRESS}4", enabled=False), position=0)
    opened(watch)
    assert sorted(watch.messages("channel_id")) == sorted([(all_of_it.pk,), (orders.pk,)])


def test_a_route_that_came_later_does_not_tell_what_stands(watch: Watch) -> None:
    opened(watch)
    routed("ops", ADDRESS)
    step(watch, 12 * HOUR)
    assert watch.messages() == []


def test_while_one_is_not_out_nothing_follows(watch: Watch) -> None:
    routed("ops", ADDRESS, wait_s=0)
    watch.problem()
    watch.flip("forming", "open")
    watch.tell()
    watch.connection.execute("UPDATE message SET attempts = 1, not_before_ns = 2 * at_ns")
    watch.change(all_flows=99, kind="stuck")
    watch.tell(12 * HOUR)
    assert watch.messages() == [("opened", "waiting")]
    watch.flip("open", "resolved")
    watch.tell()
    assert [phase for phase, _ in watch.messages()] == ["opened", "resolved"]


def test_nobody_hears_the_end_of_what_never_arrived(watch: Watch) -> None:
    routed("ops", ADDRESS, wait_s=0)
    opened(watch)
    watch.connection.execute("UPDATE message SET state = 'failed'")
    watch.flip("open", "resolved")
    step(watch)
    assert watch.messages() == [("opened", "failed")]


def test_telling_again_what_was_told_adds_nothing(watch: Watch) -> None:
    """The crash that a database restored from yesterday means: the flip is untold, its messages are there."""
    routed("ops", ADDRESS)
    opened(watch)
    watch.connection.execute("UPDATE flip SET told = false")
    step(watch)
    assert len(watch.messages()) == 1


def test_several_watchers_tell_each_flip_once(watch: Watch, conninfo: str) -> None:
    routed("ops", ADDRESS)
    for number in range(40):
        name = f"problem-{number:04}".encode()
        watch.problem(problem_id=name)
        watch.flip("forming", "open", problem_id=name)
    gone: list[Exception] = []

    def tell() -> None:
        try:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                for _ in range(10):
                    telling.work(connection)
        except Exception as error:
            gone.append(error)

    watchers = [threading.Thread(target=tell) for _ in range(3)]
    for one in watchers:
        one.start()
    for one in watchers:
        one.join()
    watch.tell()
    assert not gone and len(watch.messages()) == 40 and untold(watch) == 0


def test_a_fault_leaves_flips_untold(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    routed("ops", ADDRESS)
    watch.problem()
    watch.flip("forming", "open")

    def breaks(*values: object) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as broken:
        broken.setattr(following, "tell", breaks)
        with pytest.raises(RuntimeError):
            watch.tell()
    assert untold(watch) == 1 and watch.messages() == []
    watch.tell()
    assert untold(watch) == 0 and watch.messages() == [("opened", "waiting")]


def flow(watch: Watch, **more: object) -> None:
    facts = {
        "flow_id": FLOW, "kind": 1, "type": "order", "key": "47/11", "environment": "production", "rule_id": 1,
        "spans": 1, "events": 0, "logs": 0, "errors": 0, "retries": 0, "chapters": 1, "services": [],
        "activity": 0, "xid": "1",
    } | more  # fmt: skip
    insert(watch.connection, "flow", facts)
    insert(
        watch.connection,
        "expectation",
        {name: facts[name] for name in ("flow_id", "kind", "type", "environment")} | {"verdict": "moving"},
    )
    stand(watch, "paid", "shop", clock.now_ns())


def stand(watch: Watch, step_name: str, system: str, since_ns: int) -> None:
    watch.connection.execute(
        "UPDATE expectation SET step = %s, system = %s, since_ns = %s", (step_name, system, since_ns)
    )


def test_a_followed_flow_tells_moves_and_turns(watch: Watch) -> None:
    to = channel("ann", ADDRESS)
    flow(watch)
    watch.time.pass_s(60)
    follow(FLOW, to)
    step(watch, 1)
    assert watch.messages() == [("follow", "dropped")]
    stand(watch, "reserved", "wms", clock.now_ns() - 10**9)
    step(watch, 1)
    step(watch, 1)
    watch.flip("moving", "stuck", flow_id=FLOW, step="reserved", system="wms", sentence="Nothing for 3 h.")
    step(watch, HOUR)
    told = watch.messages("subject, body, url", state="sent")
    url = "http://127.0.0.1:8000/flow/entity/order/47%2F11"
    assert told == [
        ("order 47/11: moved on to reserved", f"At reserved in wms since 2026-05-28 20:27 UTC.\n{url}", url),
        ("order 47/11: stuck at reserved", f"Nothing for 3 h.\n{url}", url),
    ]
    stand(watch, "shipped", "wms", clock.now_ns())
    watch.flip("stuck", "ended", flow_id=FLOW, step="shipped", system="wms", sentence="It has ended.")
    step(watch, 1)
    step(watch, 1)
    assert len(watch.messages(state="sent")) == 3
    assert watch.messages("body", state="sent")[2][0].splitlines()[1] == "It has ended."


def test_late_records_are_no_move(watch: Watch) -> None:
    to = channel("ann", ADDRESS)
    flow(watch)
    follow(FLOW, to)
    step(watch)
    stand(watch, "created", "shop", START_NS - 10**12)
    step(watch, 1)
    assert watch.messages(state="sent") == []


def test_flows_that_nobody_follows_are_told_to_nobody(watch: Watch) -> None:
    routed("ops", ADDRESS)
    flow(watch)
    watch.flip("moving", "stuck", flow_id=FLOW)
    step(watch)
    assert watch.messages() == [] and untold(watch) == 0


def test_another_environment_is_named_in_the_link(watch: Watch) -> None:
    to = channel("ann", ADDRESS)
    flow(watch, environment="staging")
    follow(FLOW, to)
    watch.flip("moving", "late", flow_id=FLOW)
    step(watch)
    assert watch.messages("url")[0][0].endswith("/order/47%2F11?env=staging")
