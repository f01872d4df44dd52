"""What operations usually take, and the steps of a flow that took far longer."""

import pytest
from django.test import Client

from tests.builders import T1, Service, batch, trace_id
from timeline.queries import usual
from timeline.queries.usual import Usual, Usuals, read_usual
from timeline.slow import is_slow
from tracing.storing import Store

MS = 1_000_000
shop = Service("shop")
PATH = f"/flow/request/trace/{T1.hex()}"


def put(store: Store, count: int, name: str = "reserve") -> None:
    store.put(batch(*(shop.span(name, n, 100 + n % 10, trace=trace_id(f"{name} {n}")) for n in range(count))))


@pytest.mark.parametrize(
    ("took_ms", "slow"), [(100, False), (209, False), (219, True), (5, False), (1_000, True)]
)
def test_is_slow(took_ms: int, slow: bool) -> None:
    assert is_slow(took_ms * MS, Usual(100 * MS, 109 * MS, 50)) is slow


def test_what_nobody_waits_for_is_not_slow() -> None:
    assert not is_slow(9 * MS, Usual(MS, MS, 50))


@pytest.mark.usefixtures("clean_store")
def test_nothing_stored_nothing_usual() -> None:
    assert read_usual() == {}


def test_an_operation_seen_often_has_its_usual_time(store: Store) -> None:
    put(store, 60)
    put(store, 19, "seldom")
    (told,) = read_usual().values()
    assert told == Usual(105 * MS, 109 * MS, 60)


def test_it_is_renewed_now_and_then(store: Store) -> None:
    put(store, 30)
    kept, fresh = Usuals(fresh_s=60), Usuals(fresh_s=0)
    assert [one.count for one in (*kept.get().values(), *fresh.get().values())] == [30, 30]
    put(store, 60)
    assert [one.count for one in (*kept.get().values(), *fresh.get().values())] == [30, 60]


def test_a_slow_step_says_what_is_usual(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.slow.USUALS", Usuals())
    put(store, 60)
    root = shop.span("checkout", 0, 3_000)
    store.put(
        batch(
            root,
            shop.span("reserve", 10, 1_900, parent=root),
            shop.span("reserve", 2_000, 110, id="r2", parent=root),
        )
    )
    text = client.get(PATH).content.decode()
    assert text.count(">usually 105 ms<") == 1 and text.count(">slow<") == 1
    assert "usually" not in client.get(PATH, {"format": "json"}).content.decode()


def test_a_large_day_is_sampled(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(store, 2_000)
    monkeypatch.setattr(usual, "SAMPLE", 200)
    (told,) = read_usual().values()
    assert 20 <= told.count <= 200
    assert 100 * MS <= told.median_ns <= 109 * MS
