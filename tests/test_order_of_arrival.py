"""Any order of arrival, any split into requests and any repetition gives the same rows and the same pages."""

from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tables
from tests.at_once import at_once
from tests.builders import T1, T2, T3, batch
from tests.conftest import empty_tables
from tests.oddities import pool, shuffled_parts
from tracing.records import Log, Span
from tracing.storing import Store

ADDRESSES = [
    "/flow/entity/order/4711",
    "/flow/entity/order/4711?env=staging",
    "/flow/entity/order/4712",
    "/flow/entity/payment/p-1",
    "/flow/entity/job/nightly-7",
    "/flow/workflow/Import/w",
    *(f"/flow/request/trace/{trace.hex()}" for trace in (T1, T2, T3)),
]
# What depends on the course of time and not on the set of records alone: the contract names it.
OF_TIME = ("retained", "verdict", "waiting_for", "problems")
Pages = dict[str, dict[str, Any]]


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Span | Log]]:
    """The pool in any order, with repetitions, cut into requests."""
    records = pool()
    order = draw(st.permutations(range(len(records))))
    again = draw(st.lists(st.sampled_from(range(len(records))), max_size=8))
    whole = [records[n] for n in (*order, *again)]
    cuts = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


def arrive(conninfo: str, requests: list[list[Span | Log]]) -> None:
    store = Store(conninfo, "production", writers=1)
    for records in requests:
        store.put(batch(*records))
    store.close()


def page(address: str, expand: str) -> dict[str, Any]:
    """One flow as JSON, all its windows in one."""
    first: dict[str, Any] = {}
    cursor = None
    while not first or cursor:
        query = {"format": "json", "limit": "20", "expand": expand, "cursor": cursor}
        path, _, asked = address.partition("?")
        environment = {"env": asked.removeprefix("env=")} if asked else {}
        sent = environment | {name: value for name, value in query.items() if value}
        answer = Client().get(path, sent)
        assert answer.status_code == 200, (address, answer.content)
        found = answer.json()
        cursor = found.pop("next")
        if first:
            first["rows"] += found["rows"]
        else:
            first = found
    for name in OF_TIME:
        del first["flow"][name]
    del first["trust"]["resent"], first["trust"]["late"]
    return first


def pages() -> Pages:
    return {f"{address} {expand}": page(address, expand) for address in ADDRESSES for expand in ("", "all")}


@pytest.fixture
def expected(conninfo: str) -> tuple[dict[str, tables.Rows], Pages]:
    arrive(conninfo, [pool()])
    return tables.everything(conninfo), pages()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(requests=arrivals())
def test_order_split_and_repetition_do_not_matter(
    conninfo: str, expected: tuple[dict[str, tables.Rows], Pages], requests: list[list[Span | Log]]
) -> None:
    empty_tables()
    arrive(conninfo, requests)
    found = tables.everything(conninfo)
    for table, rows in expected[0].items():
        assert found[table] == rows, table
    shown = pages()
    for address, flow in expected[1].items():
        assert shown[address] == flow, address


def test_four_senders_at_once_give_the_same(
    store: Store, conninfo: str, expected: tuple[dict[str, tables.Rows], Pages]
) -> None:
    empty_tables()

    def send(seed: int) -> None:
        for records in shuffled_parts(seed):
            store.put(batch(*records))

    at_once(*(lambda seed=seed: send(seed) for seed in range(4)))
    assert tables.everything(conninfo) == expected[0]
    assert pages() == expected[1]


def test_the_pool_says_something(expected: tuple[dict[str, tables.Rows], Pages]) -> None:
    """Every table has rows, every page shows every record once when all is unfolded."""
    rows, shown = expected
    assert all(rows.values())
    for address in ADDRESSES:
        unfolded = shown[f"{address} all"]
        ids = [row["id"] for row in unfolded["rows"]]
        assert len(ids) == len(set(ids)) == unfolded["total_rows"]
        kinds = [row["row"] for row in unfolded["rows"] if not row["context"]]
        flow = unfolded["flow"]
        related = flow["related"] or 0
        assert kinds.count("span") + kinds.count("log") == flow["spans"] + flow["logs"] + related, address
