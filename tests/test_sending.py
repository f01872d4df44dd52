"""Problems told and sent for real: to a web server on loopback that counts, hangs, fails and comes back."""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests import receivers
from tests.outbox import MINUTE, PROBLEM, Time, Watch, channel, routed
from tests.receivers import Hook
from tracing import clock
from tracing.watch import attempts, sending
from tracing.watch.attempts import Threads
from tracing.watch.channels import Letter, Outcome

START_NS = 1_780_000_000_000_000_000


@pytest.fixture
def watch(worker: psycopg.Connection, tmp_path: Path) -> Iterator[Watch]:
    made = Watch(worker, Time(tmp_path / "clock", START_NS))
    yield made
    made.sending.threads.answered.set()
    clock.follow(None)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with receivers.hooked() as made:
        yield made


def opened(watch: Watch) -> None:
    watch.problem()
    watch.flip("forming", "open")
    watch.both()


def only_channel(watch: Watch, label: str = "ops") -> int:
    row = watch.connection.execute("SELECT id FROM tracing_channel WHERE label = %s", (label,)).fetchone()
    assert row is not None
    return int(row[0])


def test_a_message_arrives_with_sentence_numbers_link_and_id(watch: Watch, hook: Hook) -> None:
    to = routed("ops", hook.address)
    opened(watch)
    assert hook.got == []
    watch.both(30)
    (message,) = hook.got
    (row,) = watch.messages("message_id, state, attempts, sent_ns, doubtful, url, error")
    number = row[0]
    assert message["title"] == "22 orders wait for shipment.created from wms"
    assert message["message"].splitlines() == [
        "97 % of 412 orders passed this point within 14 min.",
        "22 flows now · since 2026-05-28 20:26 UTC · production",
        f"http://127.0.0.1:8000/problems/{PROBLEM.hex()}",
        f"(message {number})",
    ]
    assert (message["message_id"], message["repeated"], message["phase"]) == (number, "false", "opened")
    assert hook.headers[0]["X-Threadline-Message"] == number
    assert row[1:5] == ("sent", 1, clock.now_ns(), False) and row[6] == ""
    to.refresh_from_db()
    assert (to.sent_ns, to.failed_ns, to.error) == (clock.now_ns(), None, "")
    watch.both(10 * MINUTE)
    assert len(hook.got) == 1


def test_a_failing_receiver_is_tried_again_until_it_recovers(watch: Watch, hook: Hook) -> None:
    to = routed("ops", hook.address, wait_s=0)
    hook.status = 503
    opened(watch)
    for number, pause in enumerate((10, 60, 300), start=1):
        assert len(hook.got) == number
        watch.both(pause - 1)
        assert len(hook.got) == number
        watch.both(1)
    to.refresh_from_db()
    assert "503" in to.error and to.failed_ns == clock.now_ns()
    hook.status = 200
    watch.both(900)
    assert watch.messages("state, attempts, doubtful") == [("sent", 5, False)]
    assert len({message["message_id"] for message in hook.got}) == 1 and len(hook.got) == 5
    to.refresh_from_db()
    assert to.error == "" and to.sent_ns == clock.now_ns()


def test_it_fails_for_good_in_the_end(watch: Watch, hook: Hook) -> None:
    routed("ops", hook.address, wait_s=0, interval_s=0, repeat_s=0)
    hook.status = 500
    opened(watch)
    for pause in sending.BACKOFF_S:
        watch.both(pause)
    watch.both(86_400)
    assert watch.messages("state, attempts") == [("failed", 6)] and len(hook.got) == 6
    (error,) = watch.messages("error")[0]
    assert "500" in error and "s3cret" not in error


def test_a_channel_that_works_again_need_not_wait(watch: Watch, hook: Hook) -> None:
    """Another problem's message gets through, so the first one's retry comes forward."""
    routed("ops", hook.address, wait_s=0)
    hook.status = 500
    opened(watch)
    watch.both(10)
    hook.status = 200
    watch.problem(problem_id=b"problem-0002", title="billing: charge card fails")
    watch.flip("forming", "open", problem_id=b"problem-0002")
    watch.both(1)
    assert len(hook.got) == 3
    watch.both(10)
    assert hook.titles[-2:] == ["billing: charge card fails", "22 orders wait for shipment.created from wms"]
    assert watch.messages("state") == [("sent",), ("sent",)]


def test_what_is_told_of_one_problem_stays_in_order(watch: Watch, hook: Hook) -> None:
    routed("ops", hook.address, wait_s=0)
    hook.status = 500
    opened(watch)
    watch.flip("open", "resolved")
    watch.both(1)
    assert watch.messages() == [("opened", "waiting"), ("resolved", "waiting")] and len(hook.got) == 1
    hook.status = 200
    watch.both(10)
    assert [message["phase"] for message in hook.got] == ["opened", "opened", "resolved"]


def test_a_hanging_receiver_holds_up_nobody_else(watch: Watch, hook: Hook) -> None:
    watch.sending = sending.Sending(Threads(limit_s=3.0))
    with receivers.hooked() as slow:
        slow.go.clear()
        routed("slow", slow.address, wait_s=0, goes_on=True)
        routed("ops", hook.address, wait_s=0)
        watch.problem()
        watch.flip("forming", "open")
        watch.tell()
        for _ in range(4):  # of a busy machine, well within the limit
            watch.send(patience_s=0.5)
            if ("sent",) in watch.messages("state"):
                break
        assert len(hook.got) == 1
        assert sorted(watch.messages("state")) == [("sent",), ("trying",)]
        watch.send()
        states = watch.messages("state, error, doubtful", channel_id=only_channel(watch, "slow"))
        assert states == [("waiting", "No answer within 3 s.", True)]
        slow.go.set()
        watch.send(10)
        assert [message["repeated"] for message in slow.got] == ["false", "true"]
        assert slow.got[0]["message_id"] == slow.got[1]["message_id"]
        assert "(possibly repeated, message" in slow.got[1]["message"]


def test_a_channel_that_always_hangs_gets_no_endless_threads() -> None:
    import threading

    never = threading.Event()

    def hangs(address: str, by_mail: bool, letter: Letter) -> Outcome:
        never.wait(20)
        return Outcome()

    threads = Threads(hangs, limit_s=0.01)
    letter = Letter("id", "", "", "", "test")
    for _ in range(attempts.MOST_HUNG):
        assert threads.is_free(1)
        threads.start(attempts.Attempt(1, "", False, letter, 0, 1))
        time.sleep(0.03)
        ((attempt, outcome),) = threads.ended()
        assert outcome.doubtful
        threads.forget(attempt)
    assert not threads.is_free(1) and threads.is_free(2)
    never.set()


def test_what_a_crash_left_in_doubt_is_sent_again_and_says_so(watch: Watch, hook: Hook) -> None:
    """The row as a watcher leaves it that dies between the attempt and its commit."""
    routed("ops", hook.address, wait_s=0)
    watch.problem()
    watch.flip("forming", "open")
    watch.tell()
    crashed = sending.claim(watch.connection, only_channel(watch))
    assert crashed is not None and watch.messages() == [("opened", "trying")]
    watch.send(119)
    assert hook.got == []
    watch.send(2)
    (message,) = hook.got
    assert message["message_id"] == crashed.letter.message_id and message["repeated"] == "true"
    assert message["message"].endswith(f"(possibly repeated, message {crashed.letter.message_id})")
    assert watch.messages("state, attempts, doubtful") == [("sent", 2, True)]
    # The dead one comes back late: what it has to say is about a try that is over.
    sending.settle(watch.connection, crashed, Outcome("too late"))
    assert watch.messages("state") == [("sent",)]


def test_two_watchers_send_each_message_once(watch: Watch, hook: Hook, conninfo: str) -> None:
    routed("ops", hook.address, wait_s=0)
    for number in range(20):
        watch.problem(problem_id=f"problem-{number:04}".encode(), title=f"number {number}")
        watch.flip("forming", "open", problem_id=f"problem-{number:04}".encode())
    watch.tell()
    with psycopg.connect(conninfo, autocommit=True) as second:
        other = Watch(second, watch.time)
        for _ in range(200):
            watch.sending.work(watch.connection)
            other.sending.work(second)
            if not watch.messages(state="waiting") + watch.messages(state="trying"):
                break
    assert sorted(hook.titles) == sorted(f"number {number}" for number in range(20))


def test_a_channel_switched_off_or_deleted_drops_what_waits(watch: Watch, hook: Hook) -> None:
    to, gone = routed("ops", hook.address, goes_on=True), routed("gone", hook.address)
    opened(watch)
    to.enabled = False
    to.save()
    gone.delete()
    watch.both(30)
    assert watch.messages() == [("opened", "dropped")] * 2 and hook.got == []


def test_a_test_message_is_sent_now(watch: Watch, hook: Hook) -> None:
    to = channel("ops", hook.address)
    number = sending.send_test(watch.connection, to.pk)
    assert watch.messages("message_id, phase, state") == [(number, "test", "sent")]
    assert hook.titles == ["Threadline: a test"]
    hook.status = 404
    sending.send_test(watch.connection, to.pk)
    assert watch.messages("state, attempts", state="failed") == [("failed", 1)]
    assert sending.send_test(watch.connection, 999_999) is None


def test_what_is_under_way_is_settled_before_the_process_ends(watch: Watch, hook: Hook) -> None:
    routed("ops", hook.address, wait_s=0)
    watch.problem()
    watch.flip("forming", "open")
    hook.go.clear()
    watch.tell()
    watch.send(patience_s=0)
    assert watch.messages() == [("opened", "trying")]
    hook.go.set()
    watch.sending.close(watch.connection)
    assert watch.messages() == [("opened", "sent")]
