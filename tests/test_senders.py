"""Who sends: what one request says about it, and the table it ends up in."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.builders import Service, batch
from tracing import senders
from tracing.records import Batch, Refusal
from tracing.senders import Seen, Senders, is_sampled, seen_in
from tracing.storing import Outcome

SDK = {
    "telemetry.sdk.language": "python",
    "telemetry.sdk.name": "opentelemetry",
    "telemetry.sdk.version": "1.9",
}
SHOP = Service("shop", "staging", **SDK)
BILLING = Service("billing")
IDENTITY = ("shop", "staging", "python opentelemetry 1.9", "grpc")


@pytest.mark.parametrize(
    ("trace_state", "sampled"),
    [
        ("ot=th:8", True),
        ("vendor=x, ot=p:1;th:c", True),
        ("ot=th:0", False),
        ("ot=rv:123", False),
        ("th=8", False),
        ("", False),
        ("ot", False),
    ],
)
def test_sampling_shows_in_the_trace_state(trace_state: str, sampled: bool) -> None:
    assert is_sampled(trace_state) is sampled


@pytest.mark.parametrize(
    ("flags", "sampled"),
    [
        (0x000, False),
        (0x001, False),
        (0x003, False),
        (0x002, True),
        (0x302, True),
        # Whether the parent is remote says nothing, and Python's SDK says only that.
        (0x100, False),
        (0x300, False),
    ],
)
def test_sampling_shows_in_the_flags(flags: int, sampled: bool) -> None:
    assert is_sampled("", flags) is sampled
    span = SHOP.span("a", 0, 10)
    span.flags = flags
    assert seen_in(sent(span), Outcome(1), "production")[IDENTITY].sampled == int(sampled)


def sent(*records: Any, received_ns: int | None = None) -> Batch:
    made = batch(*records, received_ns=received_ns)
    made.transport = "grpc"
    return made


def test_a_request_tells_of_each_of_its_senders() -> None:
    span = SHOP.span("a", 0, 10)
    sampled = SHOP.span("b", 0, 5)
    sampled.trace_state = "ot=th:8"
    request = sent(span, sampled, BILLING.log("x", 3), received_ns=span.end_ns + 70)
    stranger = Service("stranger", "testing").span("c", 0, 1).resource
    request.refusals = [Refusal(2, "no id", span.resource), Refusal(1, "odd", stranger), Refusal(1, "what")]
    again = Counter({span.resource.resource_id: 1, request.logs[0].resource.resource_id: 1})
    outcome = Outcome(again=again, refusals=[Refusal(1, "no day", span.resource)])
    found = seen_in(request, outcome, "production")
    shop = found[IDENTITY]
    assert (shop.spans, shop.logs, shop.sampled, shop.resent, shop.offset_ns) == (1, 0, 1, 1, 70)
    assert shop.refusals == {"no id": 2, "no day": 1}
    billing = found["billing", "production", "", "grpc"]
    assert (billing.logs, billing.resent) == (1, 1)
    assert found["stranger", "testing", "", "grpc"].refusals == {"odd": 1}
    assert found["", "", "", "grpc"].refusals == {"what": 1}


def test_an_absurd_time_says_nothing_of_the_clock() -> None:
    now, absurd = SHOP.span("a", 0, 10), SHOP.log("x", 0, time_ns=2**63 - 1)
    found = seen_in(sent(now, absurd, received_ns=now.end_ns + 70), Outcome(2), "production")
    assert found[IDENTITY].offset_ns == 70


def test_seen_twice_adds_up() -> None:
    seen = Seen(5, 6, spans=1, offset_ns=7)
    seen.add(Seen(1, 9, spans=2, logs=3, offset_ns=-2))
    assert (seen.first_ns, seen.last_ns, seen.spans, seen.logs, seen.offset_ns) == (1, 9, 3, 3, -2)


@pytest.fixture
def noting(conninfo: str) -> Iterator[Senders]:
    made = Senders(lambda: conninfo, "production")
    yield made
    made.close()


def rows(conninfo: str) -> dict[tuple[str, ...], tuple[Any, ...]]:
    with psycopg.connect(conninfo) as connection:
        found = connection.execute(
            "SELECT service, environment, sdk, transport, accepted_spans, accepted_logs, resent, refused,"
            " refusals, clock_offset_ns, sampled_spans FROM tracing_sender"
        ).fetchall()
    return {row[:4]: row[4:] for row in found}


def test_requests_add_up_in_the_table(noting: Senders, conninfo: str) -> None:
    span = SHOP.span("a", 0, 10)
    for later, refused in ((100, 1), (20, 2), (180, 0)):
        request = sent(span, received_ns=span.end_ns + later)
        request.refusals = [Refusal(refused, "no id", span.resource)] if refused else []
        noting.note(request, Outcome(1, 0, Counter({span.resource.resource_id: 1})))
        noting.flush()
    noting.note_refused("http", "nothing is received at this address")
    noting.flush()
    found = rows(conninfo)
    # The smallest offset at once, larger ones slowly: 20 + (180 - 20) / 16.
    assert found[IDENTITY] == (3, 0, 3, 3, {"no id": 3}, 30, 0)
    assert found["", "", "", "http"][4] == {"nothing is received at this address": 1}


def test_the_most_frequent_sentences_are_kept(noting: Senders, conninfo: str) -> None:
    for _ in range(2):
        for number in range(30):
            for _ in range(number):
                noting.note_refused("grpc", f"reason {number}")
        noting.flush()
    refused, sentences = rows(conninfo)["", "", "", "grpc"][3:5]
    assert refused == 2 * sum(range(30))
    assert sentences == {f"reason {number}": 2 * number for number in range(10, 30)}


def test_what_waits_is_written_within_seconds(noting: Senders, conninfo: str) -> None:
    noting.note(sent(SHOP.log("x", 0)), Outcome(0, 1))
    deadline = time.monotonic() + 10
    while IDENTITY not in rows(conninfo):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_an_outage_loses_nothing(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = ["host=127.0.0.1 port=1 dbname=nowhere"]
    noting = Senders(lambda: address[0], "production")
    noting.note(sent(SHOP.log("x", 0)), Outcome(0, 1))
    noting.flush()
    noting.note(sent(SHOP.log("y", 0)), Outcome(0, 1))
    address[0] = conninfo
    noting.close()
    assert rows(conninfo)[IDENTITY][:2] == (0, 2)


def test_a_sender_of_ever_new_names_does_not_fill_the_memory(noting: Senders) -> None:
    for number in range(senders._MOST_WAITING + 50):
        noting.note(sent(Service(f"pod-{number}").log("x", 0)), Outcome(0, 1))
    assert len(noting._waiting) <= senders._MOST_WAITING
