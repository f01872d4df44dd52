"""Folds added to rows: two that meet, the order of text, hot rows that stay in place."""

import time

import psycopg
import pytest

from tests import tables
from tests.builders import BASE_NS, MS, T1, T2, Service, batch
from tests.seeds import rulebook
from tracing import partitions, summing
from tracing.flows import Fold
from tracing.records import DAY_NS, Log, Span, day_of
from tracing.storing import Store

SHOP = Service("shop")
ORDER = {"order.id": "1"}
DAY_MS = DAY_NS / MS


@pytest.fixture(autouse=True)
def days(worker: psycopg.Connection) -> None:
    today = day_of(BASE_NS)
    partitions.ensure(worker, range(today, today + 4), 3_000)


def add(worker: psycopg.Connection, *records: Span | Log) -> None:
    book, fold = rulebook(), Fold("production", BASE_NS)
    for record in records:
        if isinstance(record, Span):
            fold.take_span(record, book.read_span(record))
        else:
            fold.take_log(record, book.read_log(record))
    with worker.transaction(), worker.cursor() as cursor:
        summing.add(cursor, fold, 1)


def test_an_empty_fold_writes_nothing(worker: psycopg.Connection, conninfo: str) -> None:
    add(worker)
    assert not any(tables.everything(conninfo).values())


def test_sums_add_up(worker: psycopg.Connection, conninfo: str) -> None:
    for n in range(3):
        attributes = ORDER | {"flow.attempt": n + 1}
        add(
            worker,
            SHOP.span(f"s{n}", n * 10, 5, status=2, attributes=attributes),
            SHOP.log("l", n, attributes=ORDER),
        )
    flow = tables.flow(conninfo, "1")
    names = ("spans", "logs", "errors", "retries", "chapters", "first_ns", "last_ns")
    assert [flow[name] for name in names] == [3, 3, 3, 2, 2, BASE_NS, BASE_NS + 25 * MS]


@pytest.mark.parametrize(
    ("batches", "chapters"),
    [
        ([[SHOP.span("a", 0, 1)]], 1),
        ([[SHOP.span("a", 0, 1), SHOP.span("b", DAY_MS, 1)]], 1),
        ([[SHOP.span("a", 0, 1)], [SHOP.span("b", DAY_MS, 1)], [SHOP.span("c", 0, 2)]], 1),
        ([[SHOP.span("a", 0, 1)], [SHOP.span("b", 0, 1, trace=T2), SHOP.span("c", DAY_MS, 1, trace=T2)]], 2),
        ([[SHOP.log("a", 0)], [SHOP.log("b", 1)], [SHOP.log("c", DAY_MS)]], 2),
        ([[SHOP.log("a", 0), Service("wms").log("b", 0), SHOP.log("c", 0, trace=T1)]], 3),
    ],
)
def test_chapters_are_traces_not_days(
    worker: psycopg.Connection, conninfo: str, batches: list[list[Span | Log]], chapters: int
) -> None:
    for records in batches:
        for record in records:
            record.attributes = ORDER
        add(worker, *records)
    assert tables.flow(conninfo, "1")["chapters"] == chapters


def test_text_is_ordered_alike_whichever_way_it_came(worker: psycopg.Connection, conninfo: str) -> None:
    """Python and PostgreSQL sort "b", "A", "ä" differently unless told."""
    names = ["b", "A", "ä", "B", "a", "Z", "_", "é", "𝒳", "zz"]
    for name in names:
        add(
            worker,
            Service(name, f"env {name}").span(name, 0, 1),
            Service(name).log(name, 0, attributes=ORDER),
        )
    one_by_one = tables.ask(conninfo, "SELECT services, environment FROM request")
    assert one_by_one == [(sorted(names), "env A")]
    assert tables.flow(conninfo, "1")["services"] == sorted(names)


def test_flow_rows_stay_on_their_page(store: Store, conninfo: str) -> None:
    """Hot rows: an update that touches an index, or finds no room, costs every index an entry."""
    question = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'flow'"
    store.put(batch(SHOP.span("first", 0, 1, attributes=ORDER)))
    ((updates, hot),) = tables.ask(conninfo, question)
    for n in range(30):
        store.put(batch(SHOP.span(f"s{n}", n, 1, attributes=ORDER)))
    store.close()  # its connections tell their counts as they end, which takes them a moment
    patience = time.monotonic() + 10
    ((updates_after, hot_after),) = tables.ask(conninfo, question)
    while updates_after - updates < 30 and time.monotonic() < patience:
        time.sleep(0.05)
        ((updates_after, hot_after),) = tables.ask(conninfo, question)
    assert updates_after - updates >= 30
    assert (hot_after - hot) / (updates_after - updates) > 0.9


def test_what_came_again_makes_no_row(worker: psycopg.Connection, conninfo: str) -> None:
    span = SHOP.span("s", 0, 1, attributes=ORDER)
    fold = Fold("production", BASE_NS)
    fold.take_again(span.trace_id, "shop", span.day, rulebook().read_span(span))
    with worker.transaction(), worker.cursor() as cursor:
        summing.add_again(cursor, fold)
    assert not any(tables.everything(conninfo).values())
    add(worker, span)
    with worker.transaction(), worker.cursor() as cursor:
        summing.add_again(cursor, fold)
    assert tables.ask(conninfo, "SELECT spans, resent FROM request") == [(1, 1)]
    assert tables.ask(conninfo, "SELECT spans, resent FROM chapter") == [(1, 1)]


def test_one_statement_through_two_rules_is_one_row(worker: psycopg.Connection, conninfo: str) -> None:
    span = SHOP.span("s", 0, 1, attributes=ORDER | {"order.state": "paid"})
    said = rulebook().read_span(span)
    both = said._replace(
        mentions=(*said.mentions, *(one._replace(rule_id=99) for one in said.mentions)),
        assertions=(*(one._replace(rule_id=99) for one in said.assertions), *said.assertions),
    )
    for reading in (both._replace(mentions=both.mentions[1:], assertions=both.assertions[:1]), both):
        fold = Fold("production", BASE_NS)
        fold.take_span(span, reading, request=False)
        with worker.transaction(), worker.cursor() as cursor:
            summing.add(cursor, fold, 1)
    assert tables.ask(conninfo, "SELECT state, rule_id FROM assertion") == [("paid", 1)]
    assert tables.flow(conninfo, "1")["rule_id"] == 1
