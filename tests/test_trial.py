"""Whether a rule can match at all, and what it would have raised on stored flows (`tracing.watch.trial`)."""

import psycopg
import pytest

from tests.builders import BASE_NS
from tests.typed import MINUTE, fill_types
from tracing.storing import Store
from tracing.watch.backtest import Result
from tracing.watch.customs import Customs
from tracing.watch.rulings import Ruling
from tracing.watch.trial import Known, Trial, doubts, try_rule

HOUR = 60 * MINUTE
KNOWN = Known(
    frozenset({"created", "paid", "shipped"}),
    frozenset({"shop", "wms"}),
    frozenset({("created", "paid"), ("paid", "shipped")}),
)
APPLIED, NEVER = Result((), 12, 3, 0, HOUR), Result((), 0, 3, 0, HOUR)


def ruling(
    step: str = "", awaited: str = "", system: str = "", *, within: int = HOUR, from_start: bool = False,
    series: bool = False, type: str = "order",
) -> Ruling:  # fmt: skip
    return Ruling(type, "", step, awaited, system, within, 0, from_start, series)


@pytest.mark.parametrize(
    ("rule", "sentences"),
    [
        (ruling("paid", "shipped", "wms"), []),
        (ruling("pade"), ["No flow was ever at `pade`; did you mean `paid`?"]),
        (ruling("paid", "zzz"), ["No flow was ever at `zzz`."]),
        (ruling("paid", system="wmss"), ["No step of this type was made by `wmss`; did you mean `wms`?"]),
        (ruling("created", "shipped"),
         ["`shipped` never came right after `created`; what came was `paid`. The wait ends with whatever comes."]),
        (ruling(awaited="shipped", from_start=True), []),
        (ruling("shipped"), ["`shipped` ends a flow: nothing is expected after it."]),
    ],
)  # fmt: skip
def test_why_a_rule_may_never_match(rule: Ruling, sentences: list[str]) -> None:
    assert doubts(rule, KNOWN, {"shipped"}, APPLIED) == sentences


def test_a_rule_that_never_applied_says_so() -> None:
    (sentence,) = doubts(ruling("paid"), KNOWN, (), NEVER)
    assert "nothing to wait for" in sentence


def test_of_a_type_never_seen_nothing_can_be_tried() -> None:
    (sentence,) = doubts(ruling("paid", type="parcel"), Known(), (), NEVER)
    assert sentence == "No flow of type `parcel` was seen yet, so there was nothing to try the rule on."


def tried(conninfo: str, rule: Ruling, *environments: str) -> Trial:
    now_ns = BASE_NS + 24 * HOUR
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return try_rule(connection, rule, environments or ("production",), Customs(), Known(), now_ns)


def test_stored_orders_are_gone_through(conninfo: str, store: Store) -> None:
    fill_types(store)
    # Of 120 orders 20 stay paid, and every tenth takes 126 minutes to be reserved.
    trial = tried(conninfo, ruling("paid", "reserved", "wms"))
    assert trial.doubts == [] and trial.result.flows == 120
    assert (trial.result.recovered, trial.result.never_recovered) == (12, 20)
    assert tried(conninfo, ruling("paid", within=3 * HOUR)).result.recovered == 0
    # Cancelled is an end by its word: nothing is awaited there.
    assert tried(conninfo, ruling("cancelled")).doubts == [
        "`cancelled` ends a flow: nothing is expected after it."
    ]
    assert {alarm.key for alarm in trial.result.alarms} >= {"4700", "4706"}
    assert set(trial.environments.values()) == {"production"}


def test_a_series_and_an_environment_without_flows(conninfo: str, store: Store) -> None:
    fill_types(store)
    nightly = tried(conninfo, ruling(series=True, within=9 * MINUTE))
    assert len(nightly.result.alarms) == 120 and nightly.result.never_recovered == 1
    assert tried(conninfo, ruling("paid"), "staging").result.flows == 0
