"""Clocks that differ: found from what cannot have happened as it was told, and left alone where nothing speaks for it."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import node, whole
from timeline.layout.skew import find_shifts, shifted

NOW = 1_795_000_000_000_000_000
MS = 1_000_000
SHOP, BILLING, WMS = 1, 2, 3
CONSUMER, PRODUCER = 5, 4


def at(name: str, start: int, end: int, parent: str = "", service: int = SHOP, **more: Any) -> span:
    """A span with milliseconds after now."""
    return span(name, NOW + start * MS, NOW + end * MS, parent, service=service, **more)


CASES: dict[str, tuple[list[span], list[tuple[int, int]], dict[int, int]]] = {
    "nobody": ([], [], {}),
    "one service": ([at("a", 0, 9), at("b", 20, 30, "a")], [], {}),
    "a server within its client": ([at("a", 0, 100), at("b", 10, 90, "a", BILLING)], [], {}),
    "a server ahead": ([at("a", 0, 100), at("b", 2_410, 2_490, "a", BILLING)], [], {BILLING: -2_400}),
    "a server behind": ([at("a", 0, 100), at("b", -410, -330, "a", BILLING)], [], {BILLING: 420}),
    "a server that ends late": ([at("a", 0, 100), at("b", 60, 140, "a", BILLING)], [], {BILLING: -50}),
    "less than a millisecond": (
        [at("a", 0, 100), span("b", NOW - MS // 3, NOW + 99 * MS, "a", service=BILLING)],
        [],
        {},
    ),
    "what runs on after its caller is not too late": (
        [at("a", 0, 100), at("b", 50, 900, "a", BILLING)],
        [],
        {},
    ),
    "but it did not begin before it": ([at("a", 0, 100), at("b", -50, 900, "a", BILLING)], [], {BILLING: 50}),
    "a message taken up before it was sent": (
        [at("p", 0, 5, kind=PRODUCER), at("c", -30, -20, "p", WMS, kind=CONSUMER)],
        [],
        {WMS: 30},
    ),
    "a message taken up much later": (
        [at("p", 0, 5, kind=PRODUCER), at("c", 9_000, 9_001, "p", WMS, kind=CONSUMER)],
        [],
        {},
    ),
    "two hops": (
        [at("a", 0, 100), at("b", 1_010, 1_090, "a", BILLING), at("c", 1_520, 1_580, "b", WMS)],
        [],
        {BILLING: -1_000, WMS: -1_500},
    ),
    "the caller is behind": (
        [at("a", 0, 100, service=BILLING), at("b", 1_010, 1_090, "a", SHOP)],
        [],
        {SHOP: -1_000},
    ),
    "most pairs are sound": (
        [
            at("a", 0, 900),
            *(at(f"b{n}", 10 * n, 10 * n + 5, "a", BILLING) for n in range(1, 9)),
            at("x", 5_000, 5_005, "a", BILLING),
        ],
        [],
        {},
    ),
    "clocks of the year 2554 say nothing": (
        [at("a", 0, 100), span("b", 2**63 - 1, 2**63 - 1, "a", service=BILLING)],
        [],
        {},
    ),
    "two that nothing connects": ([at("a", 0, 100), at("b", 5_000, 5_001, service=BILLING)], [], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_shifts(name: str) -> None:
    spans, links, expected = CASES[name]
    found = find_shifts(whole(spans), links)
    assert {service: told.shift_ns // MS for service, told in found.items()} == expected


def test_a_link_bounds_as_a_parent_does() -> None:
    forest = whole([at("c", -30, -20, service=WMS, kind=CONSUMER), at("p", 0, 5)])
    found = find_shifts(forest, [(forest.row_of(node(forest, "p")), forest.row_of(node(forest, "c")))])
    # The consumer has the earliest span, so it is the sender's clock that is moved.
    assert {service: told.shift_ns // MS for service, told in found.items()} == {SHOP: -30}


def test_pairs_that_do_not_agree_are_told_apart() -> None:
    spans = [at("a", 0, 9_000), *(at(f"b{n}", -100 * n, -100 * n + 5, "a", BILLING) for n in range(1, 6))]
    (told,) = find_shifts(whole(spans)).values()
    assert not told.agree or told.shift_ns >= 500 * MS


def test_everything_of_a_service_is_moved() -> None:
    forest = whole(
        [at("a", 0, 100), at("b", 2_410, 2_490, "a", BILLING)], [], [log(1, NOW, "b", service=BILLING)]
    )
    moved = shifted(forest, find_shifts(forest))
    assert moved[node(forest, "a")] == 0
    assert moved[node(forest, "b")] == moved[node(forest, "#1")] == -2_400 * MS


@given(
    st.lists(
        st.tuples(
            st.integers(0, 900), st.integers(1, 90), st.sampled_from([SHOP, BILLING]), st.integers(0, 8)
        ),
        min_size=1,
        max_size=12,
    ),
    st.dictionaries(st.just(BILLING), st.integers(-5_000, 5_000)),
    st.randoms(use_true_random=False),
)
def test_between_two_clocks_no_server_begins_before_its_client(
    calls: list[tuple[int, int, int, int]], wrong: dict[int, int], chance: random.Random
) -> None:
    """After the correction no server begins before its client, where there is a difference that explains all of it."""
    true = [at("r", 0, 1_000)]
    for number, (start, took, service, above) in enumerate(calls):
        parent = true[above % len(true)]
        low, high = (parent.start - NOW) // MS, (parent.end - NOW) // MS
        begin = low + start % max(high - low, 1)
        true.append(at(f"s{number}", begin, min(begin + took, high), parent.name, service))
    seen = [
        one._replace(
            start=one.start + wrong.get(one.service, 0) * MS, end=one.end + wrong.get(one.service, 0) * MS
        )
        for one in true
    ]
    chance.shuffle(seen)
    forest = whole(seen)
    found = find_shifts(forest)
    assert all(told.agree for told in found.values())
    moved = shifted(forest, found)
    for each in seen:
        if each.parent:
            lower, upper = node(forest, each.name), node(forest, each.parent)
            early = forest.times[upper] + moved[upper] - forest.times[lower] - moved[lower]
            assert early <= MS
