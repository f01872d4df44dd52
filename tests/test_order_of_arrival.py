"""Any order of arrival, any split into requests and any repetition gives the same rows."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import tables
from tests.at_once import at_once
from tests.builders import batch
from tests.conftest import empty_tables
from tests.oddities import pool, shuffled_parts
from tracing.records import Log, Span
from tracing.storing import Store

FIXTURES_ARE_EMPTIED_BY_HAND = [HealthCheck.function_scoped_fixture]


@st.composite
def arrivals(draw: st.DrawFn) -> list[list[Span | Log]]:
    """The pool in any order, with repetitions, cut into requests."""
    records = pool()
    order = draw(st.permutations(range(len(records))))
    again = draw(st.lists(st.sampled_from(range(len(records))), max_size=8))
    whole = [records[n] for n in (*order, *again)]
    cuts = sorted(draw(st.sets(st.integers(1, len(whole) - 1), max_size=6)))
    return [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]


@pytest.fixture
def expected(store: Store, conninfo: str) -> dict[str, tables.Rows]:
    store.put(batch(*pool()))
    return tables.everything(conninfo)


@settings(max_examples=15, deadline=None, suppress_health_check=FIXTURES_ARE_EMPTIED_BY_HAND)
@given(requests=arrivals())
def test_order_split_and_repetition_do_not_matter(
    store: Store, conninfo: str, expected: dict[str, tables.Rows], requests: list[list[Span | Log]]
) -> None:
    empty_tables()
    for records in requests:
        store.put(batch(*records))
    found = tables.everything(conninfo)
    for table, rows in expected.items():
        assert found[table] == rows, table


def test_four_senders_at_once_give_the_same(
    store: Store, conninfo: str, expected: dict[str, tables.Rows]
) -> None:
    empty_tables()

    def send(seed: int) -> None:
        for records in shuffled_parts(seed):
            store.put(batch(*records))

    at_once(*(lambda seed=seed: send(seed) for seed in range(4)))
    assert tables.everything(conninfo) == expected
    # The pool says something: every kind of row is there.
    assert all(expected.values())
