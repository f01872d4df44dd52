"""Rules that are proposed from what was learned (`timeline.foreseeing`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.foreseeing import all_foreseen, foreseen, plain
from timeline.queries.types import LearnedStep
from timeline.steps import StepLine
from tracing.durations import LONGEST_NS
from tracing.lengths import SECOND_NS
from tracing.people import ExpectationRule

HOUR_NS = 3_600 * SECOND_NS
WAYS = [
    {"step": "shipped", "system": "wms", "share": 0.9},
    {"step": "cancelled", "system": "shop", "share": 0.1},
]


def learned(threshold_ns: int | None = 11 * HOUR_NS, *, is_end: bool = False, **facts: object) -> LearnedStep:
    told = {"ways": WAYS, "p99": 7 * HOUR_NS} | facts
    return LearnedStep("reserved", "state", 1_667, 4, threshold_ns, "p99", is_end, 0, told)


@pytest.mark.parametrize(
    ("length_ns", "seconds"),
    [
        (-1, 0), (0, 0), (1, 1), (SECOND_NS, 1), (SECOND_NS + 1, 2), (46 * SECOND_NS, 60), (14 * 60 * SECOND_NS, 900),
        (7 * HOUR_NS, 8 * 3_600), (25 * HOUR_NS, 2 * 86_400), (24 * 31 * HOUR_NS, 60 * 86_400),
    ],
)  # fmt: skip
def test_plain_lengths(length_ns: int, seconds: int) -> None:
    assert plain(length_ns) == seconds


@given(st.integers(1, LONGEST_NS))
def test_a_plain_length_is_no_shorter_and_at_most_about_twice_as_long(length_ns: int) -> None:
    plain_ns = plain(length_ns) * SECOND_NS
    assert length_ns <= plain_ns <= max(2.1 * length_ns, SECOND_NS)


def test_a_rule_is_made_of_what_was_learned() -> None:
    rule = foreseen("order", learned(), "staging")
    assert rule is not None and rule.pk is None
    assert (rule.type, rule.environment, rule.step) == ("order", "staging", "reserved")
    assert (rule.awaited_step, rule.awaited_system) == ("shipped", "wms")
    assert (rule.within_s, rule.grace_s) == (8 * 3_600, 4 * 3_600)


def test_without_a_way_or_a_quantile_it_is_any_step_by_the_threshold() -> None:
    rule = foreseen("order", learned(ways=[], p99=None))
    assert rule is not None
    assert (rule.awaited_step, rule.awaited_system, rule.within_s, rule.grace_s) == ("", "", 12 * 3_600, 0)


@pytest.mark.parametrize("step", [learned(None), learned(is_end=True)])
def test_nothing_is_expected_of_ends_and_of_what_is_being_learned(step: LearnedStep) -> None:
    assert foreseen("order", step) is None


@pytest.mark.parametrize(
    ("line", "rules", "count"),
    [
        (StepLine(1, "reserved", learned(), None), [], 1),
        (StepLine(1, "reserved", learned(), None), [ExpectationRule(step="reserved")], 0),
        (StepLine(1, "reserved", learned(), None), [ExpectationRule(step="paid")], 1),
        (StepLine(1, "reserved", learned(), None), [ExpectationRule(subject="series")], 1),
        (StepLine(1, "reserved", learned(), None, "good"), [], 0),
        (StepLine(1, "reserved", learned(recurs=True), None), [], 0),
        (StepLine(1, "reserved", None, None), [], 0),
    ],
)
def test_where_a_rule_is_proposed(line: StepLine, rules: list[ExpectationRule], count: int) -> None:
    assert [one.passed for one in all_foreseen("order", [line], rules)] == [1_667] * count
