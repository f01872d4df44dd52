"""A maintenance that ends before its time (`tracing.watch.pausing`)."""

import pytest

from tracing.people import Maintenance
from tracing.watch.pausing import end_pause


@pytest.mark.parametrize(
    ("at_ns", "stands"),
    [(50, []), (100, []), (150, [(100, 150)]), (200, [(100, 200)]), (250, [(100, 200)])],
)
def test_when_it_is_ended(clean_store: None, at_ns: int, stands: list[tuple[int, int]]) -> None:
    end_pause(Maintenance.objects.create(type="order", from_ns=100, until_ns=200, reason="r"), at_ns)
    assert list(Maintenance.objects.values_list("from_ns", "until_ns")) == stands
