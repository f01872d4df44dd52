"""What records add to flows, chapters and requests, without a database: counts, times, states, errors."""

from typing import Any

import pytest

from tests.builders import BASE_NS, MS, T1, T2, Service, event
from tests.seeds import rulebook
from tracing.exceptions import errors_of
from tracing.flows import Fold
from tracing.records import DAY_NS, MAX_NS, Log, Span, day_of
from tracing.sums import ChapterKey, RequestKey, Sums, order_of

SHOP, WMS = Service("shop"), Service("wms", environment="staging")
ORDER = {"order.id": "1"}
DECLINED = {"exception.type": "Declined", "exception.message": "no"}
NOW = BASE_NS + 1_000 * MS


def fold(*records: Span | Log, received_ns: int = NOW) -> Fold:
    """All records folded in the given order, exceptions still apart."""
    book, made = rulebook(), Fold("production", received_ns)
    for record in records:
        if isinstance(record, Span):
            made.take_span(record, book.read_span(record))
        else:
            made.take_log(record, book.read_log(record))
    return made


def only(made: Fold) -> Sums:
    """The sums of the one chapter there is."""
    (sums,) = made.chapters.values()
    return sums


def failing(*told: Any, **more: Any) -> Span:
    return SHOP.span("pay", 0, 5, status=2, attributes=ORDER, events=told, **more)


def raised(ms: float = 1, **attributes: str) -> Any:
    one = event("exception", ms)
    one.attributes = attributes or DECLINED
    return one


PAY = failing(raised())


def logged(body: str, severity: int, attributes: dict[str, str], span: Span = PAY) -> Log:
    return SHOP.log(body, 2, span=span, severity=severity, attributes=ORDER | attributes)


ERRORS: list[tuple[str, list[Span | Log], int]] = [
    ("a span in order", [SHOP.span("s", 0, 1, attributes=ORDER, status=1)], 0),
    ("a span with an error", [failing()], 1),
    ("an error and its exception are two", [PAY], 2),
    ("an exception without an error", [SHOP.span("s", 0, 1, attributes=ORDER, events=[raised()])], 1),
    ("the same exception told again by a log", [PAY, logged("x", 17, DECLINED)], 2),
    ("and by a second log", [PAY, *(logged(text, 21, DECLINED) for text in "xy")], 2),
    ("another exception in a log", [PAY, logged("x", 17, {"exception.type": "Other"})], 3),
    ("an error log without an exception", [PAY, logged("x", 17, {})], 3),
    ("an exception in a warning is none", [PAY, logged("x", 16, DECLINED)], 2),
    ("told of another span", [PAY, logged("x", 17, DECLINED, SHOP.span("o", 0, 1))], 3),
    ("two equal exceptions in one span are two", [failing(raised(1), raised(2))], 3),
    ("two kinds", [failing(raised(), raised(2, **{"exception.type": "Other"}))], 3),
    ("a version tells it again", [PAY, failing(raised(), id=f"pay {BASE_NS} {T1.hex()}", end_ns=NOW)], 3),
    ("a version that fails anew", [PAY, failing(raised(9), id=f"pay {BASE_NS} {T1.hex()}", end_ns=NOW)], 4),
    ("one of two told again by logs", [failing(raised(1), raised(2)), *(logged(text, 17, DECLINED) for text in "xyz")], 3),
    ("logs of two services without a span",
     [one.log("x", 0, trace=T1, attributes=ORDER | DECLINED, severity=17) for one in (SHOP, Service("billing"))], 2),
    ("an event of another name", [SHOP.span("s", 0, 1, attributes=ORDER, events=[event("oops", 1)])], 0),
    ("a fatal log", [SHOP.log("x", 0, attributes=ORDER, severity=24)], 1),
    ("a severity beyond all numbers", [SHOP.log("x", 0, attributes=ORDER, severity=99)], 1),
    ("a warning", [SHOP.log("x", 0, attributes=ORDER, severity=16)], 0),
    ("an exception in a log without a trace", [SHOP.log(text, 0, attributes=ORDER | DECLINED, severity=17) for text in "xy"], 2),
]  # fmt: skip


@pytest.mark.parametrize(
    ("records", "errors"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS]
)
def test_errors(records: list[Span | Log], errors: int) -> None:
    """As the contract counts them; what was told before, only the database knows."""
    for order in (records, records[::-1]):
        made = fold(*order)
        (flow_id,) = made.flows
        counted = sum(sums.errors for sums in made.chapters.values())
        assert counted + exceptions_told(made, flow_id) == errors
        if made.requests:
            counted = sum(sums.errors for sums in made.requests.values())
            assert counted + exceptions_told(made, T1) == errors


def exceptions_told(made: Fold, scope_id: bytes) -> int:
    told = (one for key, one in made.told.items() if key.scope_id == scope_id)
    return sum(errors_of(len(one.event_ids), one.logs) for one in told)


def test_counts() -> None:
    place = SHOP.span("place", 0, 100, attributes=ORDER, events=[event("a", 1), event("b", 2)])
    again = SHOP.span("pay", 10, 5, parent=place, attributes=ORDER | {"http.request.resend_count": 1})
    other = SHOP.span("other", 20, 500, parent=place)
    log = WMS.log("packed", 130, span=place, attributes=ORDER)
    made = fold(place, again, other, log)
    request = made.requests[RequestKey(T1, day_of(BASE_NS))]
    assert (request.spans, request.events, request.logs, request.retries, request.errors) == (3, 2, 1, 1, 0)
    assert (request.first_ns, request.last_ns) == (BASE_NS, BASE_NS + 520 * MS)
    assert request.services == {"shop", "wms"}
    assert request.environment == "production"
    # The warehouse's order 1 lies in staging: another flow.
    made.total_flows()
    by_environment = {row.flow.environment: row for row in made.flows.values() if row.flow}
    own = by_environment["production"]
    assert (own.spans, own.events, own.logs, own.retries) == (2, 2, 0, 1)
    assert (own.first_ns, own.last_ns) == (BASE_NS, BASE_NS + 100 * MS)
    assert (by_environment["staging"].spans, by_environment["staging"].logs) == (0, 1)


def test_a_chapter_is_a_trace_and_a_day() -> None:
    day_ms = DAY_NS / MS
    made = fold(
        SHOP.span("a", 0, 1, attributes=ORDER),
        SHOP.span("b", day_ms, 1, attributes=ORDER),
        SHOP.span("c", 0, 1, trace=T2, attributes=ORDER),
        SHOP.log("d", 0, attributes=ORDER),
        WMS.log("e", 0, attributes=ORDER),
    )
    today = day_of(BASE_NS)
    assert {key[1:] for key in made.chapters} == {
        (T1, "", today),
        (T1, "", today + 1),
        (T2, "", today),
        (b"", "shop", today),
        (b"", "wms", today),
    }
    assert {key.day for key in made.members} == {today, today + 1}


def test_members_name_each_record_and_version() -> None:
    first = SHOP.span("v", 0, 1, id="v", attributes=ORDER)
    second = SHOP.span("v", 0, 2, id="v", attributes=ORDER)
    log = SHOP.log("l", 0, span=first, attributes=ORDER)
    ((key, ids),) = fold(first, second, log).members.items()
    assert (key.trace_id, key.rule_id) == (T1, 1)
    assert ids.span_ids == first.span_id * 2
    assert ids.span_marks == first.digest[:4] + second.digest[:4]
    assert ids.log_ids == log.log_id


TIMES: list[tuple[str, int, int, tuple[int, int] | None]] = [
    ("in order", BASE_NS, BASE_NS + 5, (BASE_NS, BASE_NS + 5)),
    ("no length", BASE_NS, BASE_NS, (BASE_NS, BASE_NS)),
    ("ends before it starts", BASE_NS, BASE_NS - 5, (BASE_NS, BASE_NS)),
    ("no end", BASE_NS, 0, (BASE_NS, BASE_NS)),
    ("ends in the year 2262", BASE_NS, MAX_NS, (BASE_NS, BASE_NS)),
    ("no start", 0, BASE_NS, None),
    ("before 2015", 16_435 * DAY_NS, BASE_NS, None),
    ("the first day", 16_436 * DAY_NS, 16_436 * DAY_NS, (16_436 * DAY_NS, 16_436 * DAY_NS)),
    ("the last day", 47_482 * DAY_NS - 1, 47_482 * DAY_NS - 1, (47_482 * DAY_NS - 1, 47_482 * DAY_NS - 1)),
    ("in 2100", 47_482 * DAY_NS, 47_482 * DAY_NS, None),
    ("at the end of time", MAX_NS, MAX_NS, None),
]


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "found"), [case[1:] for case in TIMES], ids=[case[0] for case in TIMES]
)
def test_implausible_times_date_nothing(start_ns: int, end_ns: int, found: tuple[int, int] | None) -> None:
    made = fold(SHOP.span("s", 0, 0, start_ns=start_ns, end_ns=end_ns, attributes=ORDER))
    for sums in (only(made), *made.requests.values()):
        assert (sums.first_ns, sums.last_ns) == (found or (None, None))
        assert sums.spans == 1


@pytest.mark.parametrize(
    ("end_ns", "minute_ns"),
    [
        (NOW - 60_000 * MS, NOW - 60_000 * MS),
        (NOW + 60_000 * MS, NOW + 60_000 * MS),
        (NOW + DAY_NS, NOW + 5 * 60_000 * MS),
        (0, NOW),
    ],
    ids=["earlier", "a little ahead", "a day ahead leads no list", "without a time when it came"],
)
def test_activity(end_ns: int, minute_ns: int) -> None:
    made = fold(SHOP.log("x", 0, time_ns=end_ns, attributes=ORDER))
    assert only(made).activity == minute_ns // (60_000 * MS)


@pytest.mark.parametrize(("age_ms", "late"), [(0, 0), (300_000, 0), (300_001, 1), (-500_000, 0)])
def test_late(age_ms: int, late: int) -> None:
    end_ns = NOW - age_ms * MS
    assert only(fold(SHOP.span("s", 0, 0, start_ns=end_ns, attributes=ORDER))).late == late
    assert only(fold(SHOP.log("s", 0, time_ns=end_ns, attributes=ORDER))).late == late
    assert only(fold(SHOP.log("s", 0, time_ns=0, attributes=ORDER))).late == 0


def stating(state: str, ms: float, service: Service = SHOP) -> Log:
    return service.log(state, ms, attributes=ORDER | {"order.state": state})


def test_the_latest_state_stands_whatever_came_last() -> None:
    records = [stating("placed", 0), stating("paid", 20), stating("reserved", 10)]
    for order in (records, records[::-1]):
        made = fold(*order)
        (row,) = made.flows.values()
        assert row.state and (row.state.text, row.state.at_ns) == ("paid", BASE_NS + 20 * MS)
        assert len(made.assertions) == 3


def test_of_states_at_one_time_the_digest_decides() -> None:
    records = [stating(state, 5) for state in "abcd"]
    winner = max(records, key=lambda log: log.digest).body
    for order in (records, records[::-1]):
        (row,) = fold(*order).flows.values()
        assert row.state and row.state.text == winner


def test_each_system_has_its_own_state() -> None:
    billing = Service("billing")
    made = fold(stating("paid", 20), stating("open", 30, billing), stating("closed", 10, billing))
    (row,) = made.flows.values()
    assert {system: said.text for (_, system), said in made.states.items()} == {
        "shop": "paid",
        "billing": "open",
    }
    assert row.state and row.state.text == "open"


def test_a_state_at_an_absurd_time_never_stands_before_another() -> None:
    absurd = SHOP.log("x", 0, time_ns=MAX_NS, attributes=ORDER | {"order.state": "absurd"})
    (row,) = fold(absurd, stating("placed", 0)).flows.values()
    assert row.state and row.state.text == "placed"
    (alone,) = fold(absurd).flows.values()
    assert alone.state and alone.state.text == "absurd"


STEPS: list[tuple[str, Span | Log, str | None]] = [
    (
        "a server span",
        SHOP.span("POST /orders", 0, 1, kind=2, parent=b"12345678", attributes=ORDER),
        "POST /orders",
    ),
    (
        "a consumer",
        SHOP.span("orders process", 0, 1, kind=5, parent=b"12345678", attributes=ORDER),
        "orders process",
    ),
    ("a root", SHOP.span("job", 0, 1, attributes=ORDER), "job"),
    ("an internal child", SHOP.span("work", 0, 1, parent=b"12345678", attributes=ORDER), None),
    ("a client", SHOP.span("call", 0, 1, kind=3, parent=b"12345678", attributes=ORDER), None),
    ("an event log", SHOP.log("x", 0, event_name="order.packed", attributes=ORDER), "order.packed"),
    ("a log", SHOP.log("x", 0, attributes=ORDER), None),
]


@pytest.mark.parametrize(("record", "step"), [case[1:] for case in STEPS], ids=[case[0] for case in STEPS])
def test_milestones(record: Span | Log, step: str | None) -> None:
    (row,) = fold(record).flows.values()
    assert (row.step.text if row.step else None) == step


def test_the_root_is_the_earliest_of_the_latest_version() -> None:
    early = SHOP.span("early", 0, 5, id="r")
    version = SHOP.span("early, grown", 0, 9, id="r", status=2)
    late = WMS.span("late", 1, 90)
    child = SHOP.span("child", -5, 5, parent=early)
    for order in ((early, version, late, child), (child, late, version, early)):
        (row,) = fold(*order).requests.values()
        assert row.root is not None
        assert (row.root.name, row.root.service, row.root.status, row.root.span_id) == (
            "early, grown",
            "shop",
            2,
            early.span_id,
        )
    (row,) = fold(child).requests.values()
    assert row.root is None


def test_a_known_flow_gains_a_member_and_no_count() -> None:
    span = failing(raised())
    reading = rulebook().read_span(span)
    made = Fold("production", NOW)
    made.take_span(span, reading, request=False, known={reading.mentions[0].flow.flow_id})
    made.total_flows()
    assert len(made.members) == 1
    assert not made.chapters and not made.requests and not made.told
    (row,) = made.flows.values()
    assert (row.spans, row.first_ns, row.rule_id) == (0, None, 1)


def test_what_came_again_counts_where_rows_are() -> None:
    made = Fold("production", NOW)
    span = SHOP.span("s", 0, 1, attributes=ORDER)
    log = SHOP.log("l", 0, attributes=ORDER)
    made.take_again(span.trace_id, "shop", span.day, rulebook().read_span(span))
    made.take_again(b"", "shop", log.day, rulebook().read_log(log))
    assert made.again_requests == {RequestKey(T1, span.day): 1}
    assert {(key.trace_id, key.service) for key in made.again_chapters} == {(T1, ""), (b"", "shop")}
    assert not made.chapters and not made.flows


def test_orders_sort_by_time_then_digest_then_state() -> None:
    low, high = bytes(16), b"\xff" * 16
    orders = [
        order_of(MAX_NS, low),
        order_of(0, high),
        order_of(BASE_NS, low),
        order_of(BASE_NS, low, "a"),
        order_of(BASE_NS, high),
        order_of(BASE_NS + 1, low),
    ]
    assert sorted(orders) == orders


def test_a_chapter_of_two_rules_counts_once() -> None:
    span = SHOP.span("s", 0, 1, attributes=ORDER)
    reading = rulebook().read_span(span)
    (mention,) = reading.mentions
    twice = reading._replace(mentions=(mention, mention._replace(rule_id=99)))
    made = Fold("production", NOW)
    made.take_span(span, twice)
    assert only(made).spans == 1
    assert {key.rule_id for key in made.members} == {1, 99}
    assert list(made.chapters) == [ChapterKey(mention.flow.flow_id, T1, "", span.day)]
