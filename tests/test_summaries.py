"""One flow summed up: a request over its days, its status, what retention took, and which environment is meant."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from tests.builders import BASE_NS, MS, Service, batch, trace_id
from timeline.summaries import FlowSummary, completed, find_flows, fold_request
from tracing.people import TypeSettings
from tracing.records import day_of
from tracing.storing import Store

SHOP = Service("shop")
DAY_MS = 86_400_000
TRACE = trace_id("fold")


def day_row(day: int, **told: Any) -> tuple[Any, ...]:
    """A row of `REQUEST_COLUMNS`."""
    known: dict[str, Any] = {
        "trace_id": TRACE, "environment": "production", "spans": 2, "events": 1, "logs": 0, "errors": 0, "retries": 0,
        "resent": 0, "late": 0, "first_ns": day * 100, "last_ns": day * 100 + 50, "services": ["shop"], "activity": day,
        "root": None, "root_span_id": None, "root_name": None, "root_service": None, "root_status": None, "day": day,
    }  # fmt: skip
    return tuple((known | told).values())


def root(order: bytes, name: str, status: int) -> dict[str, Any]:
    return {
        "root": order,
        "root_span_id": b"12345678",
        "root_name": name,
        "root_service": "shop",
        "root_status": status,
    }


def the_flow(kind: str, type: str, key: str, environment: str | None = None) -> FlowSummary:
    return find_flows(kind, type, key, environment)[0]


@contextmanager
def dropped(*gone: int) -> Iterator[None]:
    """Days after `BASE_NS`, from 0, are marked as dropped; of the five there are."""
    first = day_of(BASE_NS)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO day (day) SELECT %s + n FROM generate_series(0, 5) AS n ON CONFLICT DO NOTHING",
            [first],
        )
        cursor.execute("UPDATE day SET dropped_ns = 1 WHERE day = ANY(%s)", [[first + day for day in gone]])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE day SET dropped_ns = NULL")


def test_days_are_summed_and_the_first_root_names_it() -> None:
    rows = [
        day_row(2, services=["billing"], errors=3, **root(b"b", "second", 2)),
        day_row(1, logs=4, first_ns=None, last_ns=None, **root(b"a", "first", 1)),
    ]
    flow = fold_request(rows)
    assert flow is not None
    assert (flow.title, flow.spans, flow.logs, flow.errors, flow.chapters) == ("first", 4, 4, 3, 1)
    assert (flow.first_ns, flow.last_ns, flow.services, flow.activity) == (200, 250, ("billing", "shop"), 2)
    assert flow.days == (1, 2)
    assert flow == fold_request(reversed(rows))


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({}, "open"),
        ({"errors": 5}, "open"),
        (root(b"a", "x", 0), "ok"),
        (root(b"a", "x", 0) | {"errors": 1}, "ok"),
        (root(b"a", "x", 1) | {"errors": 1}, "ok"),
        (root(b"a", "x", 2), "error"),
    ],
)
def test_status_of_a_request(told: dict[str, Any], status: str) -> None:
    flow = fold_request([day_row(1, **told)])
    assert flow is not None and flow.status == status


def test_no_rows_are_no_flow() -> None:
    assert fold_request([]) is None


def test_the_default_environment_comes_first_then_the_latest(store: Store) -> None:
    places = ("qa", "staging", "production", "load")
    for hours, place in enumerate(places):
        store.put(batch(Service("shop", place).span("x", hours * 3_600_000, 1, attributes={"order.id": "1"})))
    found = find_flows("entity", "order", "1")
    assert [flow.environment for flow in found] == ["production", "load", "staging", "qa"]
    assert the_flow("entity", "order", "1", "qa").path == "/flow/entity/order/1?env=qa"


@pytest.mark.parametrize(
    ("kind", "type", "key"),
    [
        ("entity", "order", "ABC"),
        ("workflow", "order", "abc"),
        ("entity", "invoice", "abc"),
        ("thing", "order", "abc"),
        ("entity", "order", "abc\x00"),
        ("request", "trace", "abc"),
        ("request", "trace", "0" * 32),
        ("request", "order", "abc"),
    ],
)
def test_only_the_exact_name_is_the_flow(store: Store, kind: str, type: str, key: str) -> None:
    store.put(batch(SHOP.span("x", 0, 1, attributes={"order.id": "abc"})))
    assert the_flow("entity", "order", "abc").spans == 1
    assert find_flows(kind, type, key) == []


@pytest.mark.parametrize(
    ("gone", "retained"),
    [
        ((), "all"),
        ((0,), "partly"),
        ((2,), "partly"),
        ((0, 2), "summary"),
        ((0, 1, 2), "summary"),
        ((1,), "all"),
    ],
)
def test_what_retention_took_is_told(store: Store, gone: tuple[int, ...], retained: str) -> None:
    for day in (0, 2):
        store.put(
            batch(SHOP.span("x", day * DAY_MS, 1, trace=trace_id(str(day)), attributes={"order.id": "7"}))
        )
    with dropped(*gone):
        assert the_flow("entity", "order", "7").as_json("")["retained"] == retained


@pytest.mark.parametrize(
    ("gone", "days", "rooted", "retained"),
    [
        ((), (1, 2), False, "all"),
        ((0,), (1, 2), False, "partly"),  # what came before is missing: the root
        ((0,), (1, 2), True, "all"),
        ((3,), (1, 2), False, "partly"),
        ((2,), (1, 3), True, "partly"),
        ((5,), (1, 2), False, "all"),
        ((1,), (-day_of(BASE_NS), 2), True, "all"),  # a log without a time lies nowhere near
    ],
)
def test_what_retention_took_of_a_request_is_told_by_what_is_beside_it(
    clean_store: None, gone: tuple[int, ...], days: tuple[int, ...], rooted: bool, retained: str
) -> None:
    told = root(b"a", "x", 1) if rooted else {}
    flow = fold_request([day_row(day_of(BASE_NS) + day, **told) for day in days])
    assert flow is not None
    with dropped(*gone):
        assert [one.retained for one in completed([flow])] == [retained]


def test_the_chapters_of_a_request_remember_its_dropped_days(store: Store) -> None:
    trace = trace_id("long")
    first = SHOP.span("first", 0, 1, trace=trace, attributes={"order.id": "7"})
    store.put(batch(first, SHOP.span("later", 2 * DAY_MS, 1, trace=trace)))
    with connection.cursor() as cursor:
        # What dropping the day leaves of the trace; its later part came under a root of its own.
        cursor.execute("DELETE FROM request WHERE day = %s", [day_of(BASE_NS)])
    with dropped(0):
        assert the_flow("request", "trace", trace.hex()).retained == "partly"


@pytest.mark.parametrize(
    ("told", "since_ms", "shop_ms"),
    [
        ([("shop", "paid", 0), ("shop", "paid", 5), ("shop", "paid", 9)], 0, 0),
        ([("shop", "paid", 0), ("shop", "held", 3), ("shop", "paid", 5), ("shop", "paid", 9)], 5, 5),
        ([("shop", "paid", 4), ("billing", "paid", 2), ("shop", "paid", 8)], 2, 4),
        ([("shop", "placed", 1), ("billing", "paid", 2), ("billing", "paid", 8)], 2, 1),
    ],
)
def test_a_state_holds_since_it_was_first_said(
    store: Store, told: list[tuple[str, str, int]], since_ms: int, shop_ms: int
) -> None:
    store.put(
        batch(
            *(
                Service(name).span(f"say {ms}", ms, 0, attributes={"order.id": "7", "order.state": state})
                for name, state, ms in told
            )
        )
    )
    found = the_flow("entity", "order", "7")
    assert found.state_since_ns == BASE_NS + since_ms * MS
    assert {one.system: one.since_ns for one in found.systems}["shop"] == BASE_NS + shop_ms * MS


@pytest.mark.parametrize(
    ("owner", "state", "since_ms"),
    [("shop", "placed", 1), ("billing", "paid", 2), ("wms", "paid", 2), ("", "paid", 2)],
)
def test_the_state_is_the_owners_where_it_speaks(store: Store, owner: str, state: str, since_ms: int) -> None:
    TypeSettings.objects.create(type="order", owner=owner)
    TypeSettings.objects.create(type="parcel", owner="billing")
    told = [("shop", "placed", 1), ("billing", "paid", 2), ("shop", "placed", 4), ("billing", "paid", 8)]
    store.put(
        batch(
            *(
                Service(name).span(f"say {ms}", ms, 0, attributes={"order.id": "7", "order.state": state})
                for name, state, ms in told
            )
        )
    )
    found = the_flow("entity", "order", "7")
    assert (found.state, found.state_since_ns) == (state, BASE_NS + since_ms * MS)
    told_json = found.as_json("")
    assert (told_json["state"], told_json["state_since"]) == (state, str(BASE_NS + since_ms * MS))


FUTURE_NS = 2**63 - 1  # what a time in 2554 is cut to


@pytest.mark.parametrize(
    ("told", "state", "since_ns"),
    [
        # A clock that ran away does not have the last word, and dates no beginning.
        ([("paid", 0), ("lost", None)], "paid", BASE_NS),
        ([("paid", None), ("paid", 3), ("paid", 5)], "paid", BASE_NS + 3 * MS),
        ([("lost", None)], "lost", FUTURE_NS),
    ],
)
def test_a_wrong_clock_neither_ends_nor_begins_a_state(
    store: Store, told: list[tuple[str, int | None]], state: str, since_ns: int
) -> None:
    for place, (said, ms) in enumerate(told):
        start_ns = FUTURE_NS if ms is None else None
        known = {"order.id": "7", "order.state": said}
        store.put(batch(SHOP.span(f"say {place}", ms or 0, 0, attributes=known, start_ns=start_ns)))
    found = the_flow("entity", "order", "7")
    assert (found.state, found.state_since_ns) == (state, since_ns)
    assert [one.since_ns for one in found.systems] == [since_ns]


def test_of_two_statements_at_one_moment_the_one_that_stands_begins_there(store: Store) -> None:
    said = [
        SHOP.span(f"{state} {n}", 5, 0, attributes={"order.id": "7", "order.state": state})
        for n, state in enumerate(("paid", "held", "paid", "held"))
    ]
    latest = max(said, key=lambda span: span.digest)
    state = latest.attributes["order.state"]
    again = SHOP.span("again", 9, 0, attributes={"order.id": "7", "order.state": state})
    store.put(batch(*said, again))
    found = the_flow("entity", "order", "7")
    assert (found.state, found.state_since_ns) == (state, BASE_NS + 5 * MS)
