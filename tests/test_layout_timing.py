"""When things are drawn: as told, with clocks corrected, and chapters around whatever was moved."""

from typing import Any

from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import node, whole
from timeline.layout.forest import Forest
from timeline.layout.timing import extent, timed

NOW = 1_795_000_000_000_000_000
MS = 1_000_000
SHOP, BILLING = 1, 2


def at(name: str, start: int, end: int, parent: str = "", service: int = SHOP, **more: Any) -> span:
    return span(name, NOW + start * MS, NOW + end * MS, parent, service=service, **more)


def drawn(forest: Forest, name: str) -> tuple[int, int]:
    """From when to when, in milliseconds after now."""
    one = node(forest, name)
    return (int(forest.drawn[one]) - NOW) // MS, (int(forest.drawn_ends[one]) - NOW) // MS


AHEAD = [at("a", 0, 100), at("b", 2_410, 2_490, "a", BILLING), at("c", 2_420, 2_430, "b", BILLING)]
LOGS = [log(1, NOW + 2_425 * MS, "c", service=BILLING)]


def test_a_clock_ahead_is_drawn_where_it_can_have_been() -> None:
    forest = timed(whole(AHEAD, (), LOGS))
    assert {number: shift.shift_ns // MS for number, shift in forest.shifts.items()} == {BILLING: -2_400}
    assert [drawn(forest, name) for name in "abc"] == [(0, 100), (10, 90), (20, 30)]
    assert drawn(forest, "#1")[0] == 25


def test_what_was_told_stays_beside_what_is_drawn() -> None:
    forest = timed(whole(AHEAD))
    assert int(forest.times[node(forest, "b")]) == NOW + 2_410 * MS
    assert forest.order.nodes.tolist() == whole(AHEAD).order.nodes.tolist()


def test_raw_corrects_nothing_and_still_names_the_difference() -> None:
    forest = timed(whole(AHEAD), raw=True)
    assert drawn(forest, "b") == (2_410, 2_490)
    assert list(forest.shifts) == [BILLING]


def test_a_chapter_is_drawn_around_what_was_moved() -> None:
    forest = timed(whole(AHEAD, has_row=True))
    chapter = node(forest, "§c")
    assert drawn(forest, "§c") == (0, 100)
    assert extent(forest, chapter, forest.chapters[0]) == (NOW, NOW + 100 * MS)


def test_without_a_difference_a_chapter_keeps_its_own_extent() -> None:
    forest = timed(whole([at("a", 0, 100)], has_row=True))
    chapter = forest.chapters[0]
    assert not forest.shifts
    assert extent(forest, node(forest, "§c"), chapter) == (chapter.start, max(chapter.start, chapter.end))


def test_a_link_speaks_of_clocks_too_and_of_waiting() -> None:
    """The consumer has the earliest span, so it is the sender's clock that is moved."""
    spans = [at("p", 0, 5, kind=4), at("c", -30, -20, service=BILLING, kind=5), at("d", 400, 410, kind=5)]
    grown = whole(spans)
    rows = {name: grown.row_of(node(grown, name)) for name in "pcd"}
    forest = timed(grown, [(rows["p"], rows["c"]), (rows["p"], rows["d"])])
    assert list(forest.shifts) == [SHOP]
    assert drawn(forest, "p") == (-30, -25)
    assert forest.waits[rows["c"]] == 0
    assert int(forest.waits[rows["d"]]) == NOW - 25 * MS
