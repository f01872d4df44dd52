"""The numbers a layout is made from: many spans are read over two sessions, and are the same."""

import numpy as np
import pytest
from django.db import DatabaseError

from tests.builders import T1, Service, batch, event
from timeline.layout.tables import Tables, settled
from timeline.queries import skeleton
from timeline.queries.skeleton import current_snapshot, read_spans
from tracing.records import day_of
from tracing.storing import Store

shop = Service("shop")


def put(store: Store) -> list[int]:
    root = shop.span("root", 0, 9_000)
    steps = [
        shop.span(f"s{n}", n, 5, id=f"s{n}", parent=root, events=[event("tick", n)] * (n % 3))
        for n in range(200)
    ]
    store.put(batch(root, *steps))
    return [day_of(root.start_ns)]


def read(days: list[int], expected: int) -> Tables:
    spans, events = read_spans([T1], days, current_snapshot(), expected=expected)
    return settled(Tables([T1], spans, events))


def test_two_halves_are_the_whole(store: Store) -> None:
    days = put(store)
    whole, halves = read(days, 0), read(days, skeleton.HALVED_FROM)
    assert len(halves.spans) == 201
    assert np.array_equal(whole.spans, halves.spans)
    assert np.array_equal(whole.events, halves.events)


def test_a_half_that_fails_fails_the_whole_and_the_next_one_works(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = put(store)
    sound = skeleton.HALVES
    monkeypatch.setattr(skeleton, "HALVES", (sound[0], "span_id >= 'no bytes'::inet"))
    with pytest.raises(DatabaseError):
        read(days, skeleton.HALVED_FROM)
    monkeypatch.setattr(skeleton, "HALVES", sound)
    assert len(read(days, skeleton.HALVED_FROM).spans) == 201
