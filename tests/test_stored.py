"""A stored record read back says what it said on arrival: the same mentions, states, counts and errors."""

from typing import Any

import psycopg
import pytest

from tests import tables
from tests.builders import Service, batch, event
from tests.oddities import pool
from tests.seeds import rulebook
from tracing import reading, stored
from tracing.flows import Fold
from tracing.records import Log, Span
from tracing.storing import Store


def everything_stored(worker: psycopg.Connection) -> list[tuple[Span | Log, int]]:
    resources = stored.Resources(worker)
    return [
        one
        for table in ("span", "log")
        for name in reading.partition_names(worker, table)
        for one in reading.values(table, reading.chunk(worker, table, name, None), resources)
    ]


def summed(records: list[tuple[Span | Log, int]]) -> tuple[Any, ...]:
    """All a fold keeps, of records in any order."""
    book, fold = rulebook(), Fold("production", 0)
    for record, received_ns in sorted(records, key=lambda one: one[0].digest):
        fold.received_ns = received_ns
        if isinstance(record, Span):
            fold.take_span(record, book.read_span(record))
        else:
            fold.take_log(record, book.read_log(record))
    fold.total_flows()
    return fold.requests, fold.chapters, fold.flows, fold.members, fold.assertions, fold.states, fold.told


def test_what_is_read_back_folds_to_the_same(store: Store, worker: psycopg.Connection, conninfo: str) -> None:
    store.put(batch(*pool()))
    received_ns = tables.one(conninfo, "SELECT DISTINCT received_ns FROM span")
    arrived = [(record, received_ns) for record in pool()]
    assert summed(everything_stored(worker)) == summed(arrived)


ODD: list[dict[str, Any]] = [
    {"$map": [["$odd", 1], ["order.id", "1"], ["order.state", "x"], ["flow.attempt", 3]]},
    {"order.id": 1e15, "order.state": 5},
    {"order.id": 0.1, "order.state": "é" * 50},
    {"order.id": {"$double": "1e+300"}, "customer.id": -1},
    {"order.id": 9007199254740993},
    {"order.id": "1", "deep": {"a": [{"b": [[], {}]}]}},
]


@pytest.mark.parametrize("attributes", ODD)
def test_odd_values_read_back_alike(
    store: Store, worker: psycopg.Connection, conninfo: str, attributes: dict[str, Any]
) -> None:
    shop = Service("shop")
    one = event("exception", 1)
    one.attributes = attributes
    records: list[Span | Log] = [
        shop.span("s", 0, 5, attributes=attributes, events=[one]),
        shop.log({"order": {"id": "in a body"}}, 0, attributes=attributes, severity=17),
        shop.log(attributes, 1),
    ]
    store.put(batch(*records))
    received_ns = tables.one(conninfo, "SELECT received_ns FROM span")
    assert summed(everything_stored(worker)) == summed([(record, received_ns) for record in records])


def test_member_ids() -> None:
    spans = [Service("s").span("v", 0, length, id="v") for length in (1, 2)]
    log = Service("s").log("l", 0)
    ids = b"".join(span.span_id for span in spans)
    marks = b"".join(span.digest[:4] for span in spans)
    found = stored.member_ids(ids, marks, log.log_id)
    assert found == [*(stored.member_id(span) for span in spans), stored.member_id(log)]
    assert len(set(found)) == 3
    assert stored.member_ids(b"", b"", b"") == []
    with pytest.raises(ValueError, match="shorter"):
        stored.member_ids(ids, marks[:4], b"")
