"""What a flow's chapter shows, on whole forests at once, is what `tracing.membership` says span by span."""

from hypothesis import given
from hypothesis import strategies as st

from tests.forests import OneEvent as event
from tests.forests import OneLog as log
from tests.forests import OneSpan as span
from tests.forests import label, node, rows, sid, tables
from timeline.layout.belonging import Mentioned, cut_down
from timeline.layout.forest import SPAN, Chapter, Forest
from timeline.layout.growing import grow
from timeline.layout.kin import find_kin
from timeline.layout.plan import plan
from timeline.layout.tables import settled
from tracing.membership import members

BATCH = [
    span("r", 0, 99),
    span("a", 10, 20, "r"),
    span("x", 11, 15, "a"),
    span("b", 30, 40, "r"),
    span("y", 31, 35, "b"),
]


def versions(*names: str) -> set[tuple[int, bytes]]:
    return {(0, sid(name) + bytes(4)) for name in names}


def cut(
    spans: list[span], names: str, logs: list[log] | None = None, of_flow: set[int] | None = None
) -> tuple[Forest, int]:
    told = tables(spans, [event(one.name, 0, one.start) for one in spans], logs or [])
    mentioned = Mentioned(versions(*names), {number.to_bytes(16, "big") for number in of_flow or ()})
    return cut_down(grow(told, [Chapter("c", told.traces[0])]), mentioned)  # fmt: skip


def test_one_order_of_a_batch() -> None:
    forest, related = cut(BATCH, "a", [log(1, 12, "x"), log(2, 33, "y")])
    assert rows(plan(forest)) == ["§c", "  r", "    a", "      a!0", "      x", "        x!0", "        #1"]
    assert label(forest, int(forest.context.argmax())) == "r"
    assert related == 2  # x, and the log below it
    assert (forest.chapters[0].start, forest.chapters[0].end, forest.chapters[0].count) == (10, 20, 6)


def test_a_log_that_carries_the_key_shows_the_path_to_it() -> None:
    forest, related = cut(BATCH, "", [log(1, 12, "x"), log(2, 33, "y")], {1})
    assert rows(plan(forest)) == ["§c", "  r", "    a", "      x", "        #1"]
    assert related == 0
    assert (forest.chapters[0].start, forest.chapters[0].end) == (12, 12)


def test_versions_that_carry_no_key_are_related() -> None:
    _, related = cut([span("a", 0, 5), span("a", 0, 9, version=1)], "a")
    assert related == 1


def test_chapters_stand_by_what_is_theirs() -> None:
    told = tables([*BATCH, span("z", 5, 6, trace=1)], traces=2)
    forest = grow(told, [Chapter("c1", told.traces[0]), Chapter("c2", told.traces[1])])
    ordered, _ = cut_down(forest, Mentioned({*versions("b"), (1, sid("z") + bytes(4))}, set()))
    assert rows(plan(ordered)) == ["§c2", "  z", "§c1", "  r", "    b", "      y"]


letters = st.sampled_from("abcdefgh")
spans_of_a_trace = st.lists(
    st.builds(
        lambda name, start, parent: span(name, start, start + 1, parent),
        letters, st.integers(0, 9), letters | st.just(""),
    ),
    max_size=8,
    unique_by=lambda one: one.name,
)  # fmt: skip


@given(spans_of_a_trace, st.sets(letters, max_size=3), st.sets(letters, max_size=2))
def test_any_trace_without_circles(spans: list[span], carriers: set[str], with_logs: set[str]) -> None:
    if find_kin(settled(tables(spans)).spans).cut.any():
        return
    logs = [log(number, 1, name) for number, name in enumerate(sorted(with_logs), 1)]
    forest, _ = cut(spans, "".join(carriers), logs, set(range(1, len(logs) + 1)))
    pairs = [(sid(one.name), sid(one.parent) if one.parent else b"") for one in spans]
    belonging, context = members(pairs, map(sid, carriers), map(sid, with_logs))
    shown = {one.name for one in spans if forest.shown[node(forest, one.name)]}
    dimmed = {label(forest, at) for at in range(len(forest)) if forest.context[at]}
    assert {sid(name) for name in shown} == belonging | context
    assert {sid(name) for name in dimmed} == context
    assert all(forest.kinds[at] == SPAN for at in range(len(forest)) if forest.context[at])
