"""A forgotten flow is gone from frozen copies: its own as a whole, from others the records they shared."""

import psycopg
import pytest

from tests.builders import T2, Service, batch
from tests.judged import order_id
from tests.test_flow_page import order_4711
from tests.wrongs import flow_of
from tracing import rulebook
from tracing.snapshots import cleaning, copying, keeping, staging
from tracing.snapshots.carrying import Records, sought
from tracing.storing import Store
from tracing.striking import Target

QUOTA = 10**9
both = Service("wms").span(
    "pack both",
    1_900_000,
    5,
    trace=T2,
    attributes={"order.id": "4711", "parcel.id": "p-1", "shipment.id": "s-1"},
)
SHARED = Records({(T2, both.span_id, both.digest[:4])})
alone = Service("wms").span("hand over", 1_950_000, 5, trace=T2, attributes={"shipment.id": "s-1"})


@pytest.fixture
def copies(store: Store, worker: psycopg.Connection) -> tuple[int, int]:
    """A copy of the order and one of the shipment that shares a span with it."""
    store.put(batch(*order_4711(), both, alone))
    shipment = flow_of("s-1", "shipment")
    ids = [
        keeping.freeze(
            worker,
            copying.Subject(flows=(flow_id,)),
            keeping.About("flow", "x", "/x", flow_id=flow_id, pinned=True),
            QUOTA,
        )
        for flow_id in (order_id(), shipment)
    ]
    return ids[0], ids[1]


def spans_of(worker: psycopg.Connection, snapshot_id: int) -> set[str]:
    stage_id = staging.staged(worker, f"look {snapshot_id}", lambda: keeping.parts(worker, snapshot_id))
    rows = worker.execute("SELECT name FROM stage.span_rows WHERE stage_id = %s", (stage_id,)).fetchall()
    staging.clear(worker, stage_id)
    return {row[0] for row in rows}


def test_forgotten_in_copies(copies: tuple[int, int], worker: psycopg.Connection) -> None:
    own, others = copies
    assert spans_of(worker, others) >= {"pack both", "hand over"}
    before = list(keeping.parts(worker, own))
    assert cleaning.erase_known(worker, order_id(), SHARED) == 1
    assert list(keeping.parts(worker, own)) == before
    assert "pack both" not in spans_of(worker, others)
    assert "hand over" in spans_of(worker, others)
    told = worker.execute("SELECT records FROM tracing_snapshot WHERE id = %s", (others,)).fetchone()
    assert told == (len(spans_of(worker, others)),)
    # Run again it has nothing left to do.
    assert cleaning.erase_known(worker, order_id(), SHARED) == 0


def test_a_laid_out_copy_is_laid_out_anew(copies: tuple[int, int], worker: psycopg.Connection) -> None:
    _, others = copies
    name = keeping.stage_name(others)
    before = staging.staged(worker, name, lambda: keeping.parts(worker, others))
    cleaning.erase_known(worker, order_id(), SHARED)
    after = staging.staged(worker, name, lambda: keeping.parts(worker, others))
    assert after != before
    assert staging.evict(worker) == 1


def test_another_version_of_a_span_stays(copies: tuple[int, int], worker: psycopg.Connection) -> None:
    _, others = copies
    cleaning.erase_known(worker, order_id(), Records({(T2, both.span_id, b"else")}))
    assert "pack both" in spans_of(worker, others)


def test_what_carries_the_key_is_found_by_the_copy_alone(
    copies: tuple[int, int], worker: psycopg.Connection
) -> None:
    own, others = copies
    rules, identity = rulebook.load(worker, "production"), order_id()
    worker.execute("TRUNCATE member, flow, chapter")
    assert {(one.type, one.environment) for one in cleaning.flows(worker, "4711", rules)} == {
        ("order", "production")
    }
    target = Target(identity, "order", "4711", "/flow/entity/order/4711")
    keeping.drop(worker, [own])
    assert cleaning.erase_carried(worker, target, rules, set(), others) == (0, 0)
    assert "pack both" in spans_of(worker, others)
    assert cleaning.erase_carried(worker, target, rules, set()) == (1, 0)
    assert spans_of(worker, others) >= {"hand over"} and "pack both" not in spans_of(worker, others)
    assert cleaning.erase_carried(worker, target, rules, set()) == (0, 0)
    assert cleaning.flows(worker, "4711", rules) == set()
    assert worker.execute("SELECT name FROM stage.staged WHERE name LIKE 'cleaning%'").fetchall() == []


def test_nobody_evicts_what_is_being_cleaned(
    copies: tuple[int, int], worker: psycopg.Connection, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, others = copies
    parts = cleaning._parts

    def slow(connection: psycopg.Connection, stage_id: int) -> list[copying.Part]:
        with psycopg.connect(conninfo, autocommit=True) as watcher:
            assert watcher.execute("SELECT name FROM stage.staged").fetchall() == []
        return parts(connection, stage_id)

    monkeypatch.setattr(cleaning, "_parts", slow)
    cleaning.erase_known(worker, order_id(), SHARED)
    assert "hand over" in spans_of(worker, others)


@pytest.mark.parametrize(
    ("key", "stands"),
    [
        ("4711", b"4711"),
        ("de/4711", b"4711"),
        ('say "hello"', b"hello"),
        ("M\u00fcller", "M\u00fcller".encode()),
        ("/", b""),
    ],
)
def test_a_key_is_sought_as_rows_write_it(key: str, stands: bytes) -> None:
    assert stands in sought(key) and sought(key) in key.encode()
