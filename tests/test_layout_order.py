"""The reading order, against the plain walk it stands for; by levels and by the tour alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.layout import order
from timeline.layout.order import TOP, arrange

FORESTS = st.lists(st.tuples(st.integers(-1, 10**6), st.integers(0, 5)), max_size=60)


def walked(parents: list[int], times: list[int]) -> list[tuple[int, int, int]]:
    """(node, depth, size) in reading order, the way one would say it."""

    def visit(node: int, depth: int) -> list[tuple[int, int, int]]:
        children = sorted(
            (one for one in range(len(parents)) if parents[one] == node), key=lambda one: (times[one], one)
        )
        inside = [row for child in children for row in visit(child, depth + 1)]
        return [(node, depth, len(inside) + 1), *inside] if node != TOP else inside  # fmt: skip

    return visit(TOP, -1)


@pytest.mark.parametrize("deepest", [0, 64])
@given(forest=FORESTS)
def test_any_forest(deepest: int, forest: list[tuple[int, int]]) -> None:
    # A parent among the nodes before it: no circles.
    parents = [above % node if node and above >= 0 else TOP for node, (above, _) in enumerate(forest)]
    times = [time for _, time in forest]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(order, "DEEPEST_BY_LEVELS", deepest)
        found = arrange(np.array(parents, np.int32), np.array(times, np.int64))
    told = [(node, int(found.depths[node]), int(found.sizes[node])) for node in found.nodes.tolist()]
    assert told == walked(parents, times)
    assert [int(found.places[node]) for node in found.nodes] == list(range(len(parents)))


def test_a_chain_of_ten_thousand() -> None:
    found = arrange(np.arange(-1, 9_999, dtype=np.int32), np.zeros(10_000, np.int64))
    assert found.nodes.tolist() == list(range(10_000))
    assert int(found.depths[-1]) == 9_999
    assert int(found.sizes[0]) == 10_000
