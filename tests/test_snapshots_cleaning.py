"""A forgotten flow is gone from frozen copies: its own as a whole, from others the records they shared."""

import psycopg
import pytest

from tests.builders import T2, Service, batch
from tests.judged import order_id
from tests.test_flow_page import order_4711
from tests.wrongs import flow_of
from tracing.snapshots import cleaning, copying, keeping, staging
from tracing.storing import Store

QUOTA = 10**9
both = Service("wms").span(
    "pack both",
    1_900_000,
    5,
    trace=T2,
    attributes={"order.id": "4711", "parcel.id": "p-1", "shipment.id": "s-1"},
)
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
    told = cleaning.erase(worker, [order_id()], [(T2, both.span_id)], [])
    assert (told.copies, told.cleaned) == (1, 1)
    assert list(keeping.parts(worker, own)) == []
    assert "pack both" not in spans_of(worker, others)
    assert "hand over" in spans_of(worker, others)
    # Run again it has nothing left to do.
    assert cleaning.erase(worker, [order_id()], [(T2, both.span_id)], []) == (0, 0, 0)


def test_a_laid_out_copy_is_laid_out_anew(copies: tuple[int, int], worker: psycopg.Connection) -> None:
    _, others = copies
    name = keeping.stage_name(others)
    before = staging.staged(worker, name, lambda: keeping.parts(worker, others))
    cleaning.erase(worker, [order_id()], [(T2, both.span_id)], [])
    after = staging.staged(worker, name, lambda: keeping.parts(worker, others))
    assert after != before
    assert staging.evict(worker) == 1
