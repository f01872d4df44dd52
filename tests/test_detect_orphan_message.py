"""Messages that nobody took: linked consumers, consumers in the same trace, and none."""

from pathlib import Path

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, trace_id
from tests.watching import MINUTE, SECOND, at, insert, problems
from tracing.records import Span
from tracing.storing import Store
from tracing.watch import sight
from tracing.watch.detectors import orphan_message
from tracing.watch.detectors.orphan_message import Sent
from tracing.watch.problems import keep

SHOP, WMS = Service("shop"), Service("wms")


def message(at_no: int) -> Span:
    """One every two seconds."""
    return SHOP.span("order.placed publish", at_no * 2_000, 5, trace=trace_id(f"sent {at_no}"), kind=4)


def taken(sent: Span, ms: float = 3_000) -> Span:
    start_ns = sent.end_ns + round(ms * 1e6)
    return WMS.span("order.placed process", 0, 5, trace=trace_id(f"took {sent.start_ns}"), kind=5, links=[sent],
                    start_ns=start_ns, end_ns=start_ns + 5_000_000)  # fmt: skip


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "same trace"])
def test_messages_that_lie_about(worker: psycopg.Connection, store: Store, linked: bool) -> None:
    messages = [message(at_no) for at_no in range(40)]
    consumers = [
        taken(one) if linked else WMS.span("process", 0, 1, trace=one.trace_id, parent=one, start_ns=one.end_ns + 3 * SECOND,
                                           end_ns=one.end_ns + 4 * SECOND)
        for one in messages[:37]
    ]  # fmt: skip
    # A child of the producer's own service takes nothing.
    own = SHOP.span("send", 0, 1, trace=messages[39].trace_id, parent=messages[39], start_ns=messages[39].start_ns,
                    end_ns=messages[39].end_ns)  # fmt: skip
    store.put(batch(*messages, *consumers, own))
    last_ns = messages[39].end_ns
    (found,) = orphan_message.find(worker, last_ns + 2 * MINUTE)
    assert found.title == "3 messages of order.placed publish never consumed"
    assert (found.system, found.step, len(found.flows)) == ("shop", "order.placed publish", 3)
    assert found.since_ns == messages[37].end_ns + MINUTE
    assert found.why.startswith("99 % of 37 messages were taken within 3 s.")
    assert len(orphan_message.find(worker, last_ns + 57 * SECOND)[0].flows) == 1
    assert orphan_message.find(worker, last_ns + 30 * SECOND) == []


@pytest.mark.parametrize(("promised", "found"), [(True, 0), (False, 1)])
def test_the_next_try_of_a_task_lies_about_until_it_is_due(
    worker: psycopg.Connection, store: Store, promised: bool, found: int
) -> None:
    messages = [message(at_no) for at_no in range(40)]
    store.put(batch(*messages, *(taken(one) for one in messages)))
    reason = {"celery.retry.reason": "Retry in 600s: Away()"} if promised else {"flow.deadline": "2030-01-01"}
    tried = SHOP.span(
        "run/mail", 0, 20, trace=messages[39].trace_id, parent=messages[39], kind=5, attributes=reason
    )
    again = SHOP.span("order.placed publish", 5, 5, trace=messages[39].trace_id, parent=tried, kind=4)
    store.put(batch(tried, again))
    assert len(orphan_message.find(worker, messages[39].end_ns + 2 * MINUTE)) == found


def test_a_message_taken_at_last_closes_it(worker: psycopg.Connection, store: Store, tmp_path: Path) -> None:
    messages = [message(at_no) for at_no in range(40)]
    store.put(batch(*messages, *(taken(one) for one in messages[:39])))
    with at(tmp_path, messages[39].end_ns + 2 * MINUTE):
        keep(worker)
    assert [row["state"] for row in problems(worker)] == ["open"]
    store.put(batch(taken(messages[39], 150_000)))
    with at(tmp_path, messages[39].end_ns + 4 * MINUTE):
        keep(worker)
    assert [row["state"] for row in problems(worker)] == ["resolved"]


def test_what_is_learned_stays_while_it_is_a_problem(
    worker: psycopg.Connection, store: Store, tmp_path: Path
) -> None:
    """The consumer is dead for good: hours later nothing that was consumed is in sight any more."""
    messages = [message(at_no) for at_no in range(40)]
    store.put(batch(*messages, *(taken(one) for one in messages[:38])))
    with at(tmp_path, messages[39].end_ns + 2 * MINUTE):
        keep(worker)
    hours = messages[39].end_ns + 8 * 60 * MINUTE
    store.put(
        batch(
            SHOP.span(
                "order.placed publish", 0, 1, trace=trace_id("late"), kind=4, start_ns=hours, end_ns=hours
            )
        )
    )
    (found,) = orphan_message.find(worker, hours + 2 * MINUTE)
    assert len(found.flows) == 3


def sent(at_no: int, consumed: bool) -> Sent:
    at_ns = BASE_NS + at_no * SECOND
    return Sent(
        "shop",
        "production",
        "publish",
        trace_id(str(at_no)),
        b"s",
        at_ns,
        at_ns + SECOND if consumed else None,
    )


@pytest.mark.parametrize(
    ("consumed", "is_known"),
    [
        ([True] * 29, False),
        ([True] * 30, True),
        ([True, False] * 40, False),
        ([True] * 27 + [False] * 50, True),
    ],
)
def test_only_where_messages_are_usually_taken(consumed: list[bool], is_known: bool) -> None:
    messages = [sent(at_no, took) for at_no, took in enumerate(consumed)]
    assert (orphan_message.usual_wait(messages) is not None) == is_known


def test_where_we_were_blind_nobody_can_say(worker: psycopg.Connection) -> None:
    lost = sent(0, False)
    now = lost.sent_ns + 10 * MINUTE
    assert orphan_message.is_orphan(lost, SECOND, [], now)
    assert not orphan_message.is_orphan(
        lost, SECOND, [(lost.sent_ns + 5 * SECOND, lost.sent_ns + 20 * SECOND)], now
    )
    assert orphan_message.is_orphan(lost, SECOND, [(now - MINUTE, now)], now)
    insert(worker, "awake", process=b"p", since_ns=BASE_NS - 60 * MINUTE, until_ns=lost.sent_ns)
    insert(worker, "awake", process=b"p", since_ns=lost.sent_ns + MINUTE, until_ns=now)
    assert sight.blind(worker, BASE_NS - 100 * MINUTE, now) == [(lost.sent_ns, lost.sent_ns + MINUTE)]
    assert sight.blind(worker, lost.sent_ns + 2 * MINUTE, now) == []
