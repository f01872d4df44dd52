"""Systems that say what cannot both be true."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tests.builders import BASE_NS, Service, batch, trace_id
from tests.watching import MINUTE, SECOND, at, flow, insert, problems
from tracing.people import TypeSettings
from tracing.storing import Store
from tracing.watch.detectors import conflict, walking
from tracing.watch.problems import keep

SHOP, WMS = Service("shop"), Service("wms")
LATER = BASE_NS + 5 * MINUTE


def said(store: Store, key: str, shop: str, wms: str, ms: float = 1_000) -> None:
    """The shop says one thing at the first second, the warehouse another a second later."""
    for name, service, state, at_ms in (("a", SHOP, shop, ms), ("b", WMS, wms, ms + 1_000)):
        about = {"order.id": key, "order.state": state}
        store.put(
            batch(
                service.span(
                    "change", at_ms, 0, trace=trace_id(key + name + str(ms)), kind=2, attributes=about
                )
            )
        )


def test_cancelled_and_shipped(worker: psycopg.Connection, store: Store) -> None:
    said(store, "1", "cancelled", "Shipped")
    said(store, "2", "cancelled", "Shipped")
    said(store, "3", "paid", "shipped")
    said(store, "4", "refunded", "shipped")
    (found,) = conflict.find(worker, LATER)
    assert found.title == "2 orders: shop says cancelled, wms says Shipped"
    assert (found.system, found.step, found.severity, len(found.flows)) == (
        "shop, wms",
        "cancelled, Shipped",
        3,
        2,
    )
    assert found.since_ns == BASE_NS + 2 * SECOND


def test_it_counts_after_a_minute_and_ends_with_the_next_statement(
    worker: psycopg.Connection, store: Store, tmp_path: Path
) -> None:
    said(store, "1", "cancelled", "shipped")
    assert conflict.find(worker, BASE_NS + 61 * SECOND) == []
    with at(tmp_path, LATER):
        keep(worker)
    said(store, "1", "shipped", "shipped", 200_000)
    with at(tmp_path, LATER + MINUTE):
        keep(worker)
    (problem,) = problems(worker)
    assert (problem["state"], problem["opened_ns"]) == ("resolved", BASE_NS + 2 * SECOND)
    assert problem["resolved_ns"] == BASE_NS + 201 * SECOND


def test_a_type_has_its_own_pairs(worker: psycopg.Connection, store: Store) -> None:
    TypeSettings.objects.create(type="order", incompatible=[["Refunded", "shipped"], ["odd"]])
    said(store, "1", "cancelled", "shipped")
    said(store, "2", "shipped", "refunded")
    (found,) = conflict.find(worker, LATER)
    assert found.step == "shipped, refunded"


def test_one_that_a_person_closed_is_none(worker: psycopg.Connection, store: Store) -> None:
    said(store, "1", "cancelled", "shipped")
    (found,) = conflict.find(worker, LATER)
    worker.execute("DELETE FROM expectation")
    closed = {"closed": {"reason": "fixed outside", "name": "Ann"}}
    insert(
        worker, "expectation", flow_id=found.flows[0].flow_id, kind=1, type="order", environment="production",
        verdict="ended", evidence=closed,
    )  # fmt: skip
    assert conflict.find(worker, LATER) == []


def test_behind_newer_flows_it_is_seen_by_a_later_look_and_kept(
    worker: psycopg.Connection, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More flows move within a look than it reads: the next ones go on where it stopped."""
    monkeypatch.setattr(walking, "RECENT", walking.RECENT._replace(flows=2))
    monkeypatch.setattr(walking, "DAY", walking.DAY._replace(flows=1))
    said(store, "1", "cancelled", "shipped")
    for key in range(4):
        flow(worker, str(key), activity=LATER // MINUTE)
    seen = []
    for look in range(4):
        with at(tmp_path, LATER + look * 20 * SECOND):
            keep(worker)
        seen.append([problem["state"] for problem in problems(worker)])
    assert seen == [[], [], ["open"], ["open"]]


@pytest.mark.parametrize(
    ("one", "other", "is_conflict"),
    [
        ("cancelled", "delivered", True),
        ("DONE", "Canceled", True),
        ("cancelled", "paid", False),
        ("done", "shipped", False),
    ],
)
def test_usual_pairs(one: str, other: str, is_conflict: bool) -> None:
    said = conflict.Said(b"1", 1, "order", "production", "a", one, 1, "b", other, 2)
    found = conflict.findings([said], {}, 2 + conflict.SETTLES_NS)
    assert bool(found) == is_conflict
    assert conflict.findings([said], {"order": frozenset()}, 2 + conflict.SETTLES_NS) == []
    if found:
        assert found[0].identity == replace(found[0], title="another").identity
