"""What a rule would have raised on the stored past (`tracing.watch.backtest`)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.lengths import DAY_NS
from tracing.watch.backtest import Terms, of_flows, of_series
from tracing.watch.standing import History, Step

MINUTE = 60_000_000_000


def flow(key: str, *told: tuple[str, int], until: int = 1_000, system: str = "shop") -> History:
    steps = tuple(Step(name, system, minute * MINUTE) for name, minute in told)
    return History(key.encode(), key, steps, "state", None, until * MINUTE)


QUICK = flow("quick", ("created", 0), ("paid", 5), ("shipped", 20))
SLOW = flow("slow", ("created", 0), ("paid", 5), ("shipped", 200))
LOST = flow("lost", ("created", 0), ("paid", 5))
YOUNG = flow("young", ("created", 990), ("paid", 995))
ALL = (QUICK, SLOW, LOST, YOUNG)
HOUR = 60 * MINUTE


@pytest.mark.parametrize(
    ("terms", "alarms"),
    [
        (Terms(HOUR, step="paid"), {"slow": (65, 200), "lost": (65, None)}),
        (Terms(HOUR, grace_ns=3 * HOUR, step="paid"), {"lost": (245, None)}),
        (Terms(HOUR, step="created"), {}),
        (Terms(HOUR, step="nowhere"), {}),
        # An end is no wait, whatever the step asked for.
        (Terms(HOUR, ends=frozenset({"shipped"})), {"slow": (65, 200), "lost": (65, None)}),
        # From the start until the awaited comes.
        (Terms(HOUR, awaited_step="shipped", from_start=True), {"slow": (60, 200), "lost": (60, None)}),
        (Terms(HOUR, from_start=True), {"quick": (60, None), "slow": (60, None), "lost": (60, None)}),
        (Terms(HOUR, from_start=True, ends=frozenset({"shipped"})), {"slow": (60, 200), "lost": (60, None)}),
        # Counted from the start the step does not matter.
        (
            Terms(3 * HOUR, step="created", awaited_step="shipped", from_start=True),
            {"slow": (180, 200), "lost": (180, None)},
        ),
        # The awaited step itself waits for nothing.
        (Terms(HOUR, awaited_step="shipped"), {"slow": (65, 200), "lost": (65, None)}),
    ],
)
def test_what_is_too_long_is_an_alarm(terms: Terms, alarms: dict[str, tuple[int, int | None]]) -> None:
    told = {
        alarm.key: (
            alarm.at_ns // MINUTE,
            None if alarm.recovered_ns is None else alarm.recovered_ns // MINUTE,
        )
        for alarm in of_flows(ALL, terms).alarms
    }
    assert told == alarms


def test_a_flow_begins_with_its_first_record() -> None:
    early = replace(SLOW, first_ns=-30 * MINUTE)
    (alarm,) = of_flows([early], Terms(HOUR, awaited_step="shipped", from_start=True)).alarms
    assert alarm.at_ns == 30 * MINUTE


def test_what_it_says_of_itself() -> None:
    result = of_flows([*ALL, flow("empty", until=0)], Terms(HOUR, step="paid"))
    assert (len(result.alarms), result.recovered, result.never_recovered) == (2, 1, 1)
    assert (result.flows, result.waits, result.days) == (4, 4, 1)
    assert [alarm.key for alarm in result.examples] == ["lost", "slow"]
    assert result.as_json()["examples"][0] == {"flow": b"lost".hex(), "key": "lost", "at": str(65 * MINUTE)}


def test_a_rule_that_never_applied_waited_never() -> None:
    result = of_flows(ALL, Terms(HOUR, step="nowhere"))
    assert result.waits == 0 and not result.alarms
    nothing = of_flows([], Terms(HOUR))
    assert (nothing.days, nothing.flows, nothing.examples) == (0, 0, [])


def test_a_calendar_counts_open_time_only() -> None:
    def only_later(since_ns: int, length_ns: int) -> int:
        return max(since_ns, 190 * MINUTE) + length_ns

    result = of_flows(ALL, Terms(HOUR, step="paid"), only_later)
    assert {alarm.key: alarm.at_ns // MINUTE for alarm in result.alarms} == {"lost": 250}


def test_a_series_that_paused_and_one_that_never_began_again() -> None:
    nightly = [flow(f"run-{day}", ("run", day * 1440), until=day * 1440) for day in (0, 1, 2, 4, 5)]
    last = flow("run-6", ("run", 6 * 1440), until=8 * 1440)
    result = of_series([last, *nightly], Terms(DAY_NS, grace_ns=HOUR))
    assert [(alarm.key, alarm.recovered_ns is None) for alarm in result.alarms] == [
        ("run-2", False),
        ("run-6", True),
    ]
    assert (result.waits, result.flows, result.days) == (5, 6, 8)
    assert of_series([], Terms(DAY_NS)).alarms == ()


@given(st.lists(st.integers(0, 500), min_size=1, max_size=6), st.integers(1, 300), st.integers(1, 300))
def test_more_patience_never_raises_more(minutes: list[int], within: int, more: int) -> None:
    minutes.sort()
    one = flow("one", *[(f"s{n}", minute) for n, minute in enumerate(minutes)])
    strict = of_flows([one], Terms(within * MINUTE))
    patient = of_flows([one], Terms((within + more) * MINUTE))
    assert len(patient.alarms) <= len(strict.alarms) and patient.waits == strict.waits
