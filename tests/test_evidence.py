"""The sentences behind a verdict, for each way of knowing."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.watch.evidence import clock, percent, why

MINUTE = 60_000_000_000
HOUR = 60 * MINUTE
SINCE = 1_795_788_000_000_000_000  # 2026-11-27 14:00 UTC
NOW = SINCE + 3 * HOUR + 12 * MINUTE
LEARNED = {"passed": 412, "within_ns": 14 * MINUTE, "share": 0.97, "level": "p99", "type": "order"}
WAITS = "Waiting for `shipment.created` from `wms` for 3 h 12 m."

CASES: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "learned",
        "step",
        LEARNED,
        f"{WAITS} 97 % of 412 orders passed this point within 14 min. Learned. No blind period.",
    ),
    (
        "learned",
        "step",
        LEARNED | {"level": "p90"},
        f"{WAITS} 97 % of 412 orders passed this point within 14 min. Learned; too few samples to page anybody."
        " No blind period.",
    ),
    (
        "type",
        "step",
        LEARNED,
        f"{WAITS} 97 % of 412 orders passed any step within 14 min. Learned of the type as a whole;"
        " too few samples to page anybody. No blind period.",
    ),
    (
        "learned",
        "step",
        LEARNED | {"blind": [[SINCE, SINCE + HOUR]]},
        f"{WAITS} 97 % of 412 orders passed this point within 14 min. Learned."
        " We were blind from 14:00 to 15:00 UTC: what came then, we may not know.",
    ),
    (
        "stated",
        "deadline",
        {"said": "flow.deadline", "by_ns": SINCE + HOUR},
        "It said it should be done by 15:00 UTC (flow.deadline), 2 h 12 m ago.",
    ),
    (
        "stated",
        "step",
        {"said": "flow.expect", "by_ns": NOW + MINUTE},
        f"{WAITS} It said `shipment.created` would come by 17:13 UTC (flow.expect).",
    ),
    (
        "stated",
        "retry",
        {"operation": "charge card", "attempt": 3, "most": 5, "by_ns": SINCE + 55 * MINUTE},
        "It said it would try `charge card` again by 14:55 UTC (attempt 3 of 5); nothing came.",
    ),
    (
        "stated",
        "retry",
        {"operation": "charge card", "by_ns": NOW + MINUTE},
        "It said it would try `charge card` again by 17:13 UTC.",
    ),
    ("rule", "step", {"rule": "paid orders ship within 2 h"}, f"{WAITS} Rule: paid orders ship within 2 h."),
    (
        "heartbeat",
        "heartbeat",
        {"period_ns": 90 * MINUTE},
        "Came every 1 h 30 m; 2 beats are missing. No blind period.",
    ),
    ("", "", {"learning": {"seen": 12, "needed": 29}}, "No deadline yet: learning, 12 of 29."),
    (
        "",
        "",
        {"learning": {"seen": 435, "needed": 436}},
        "No deadline yet: learning: of 435 too few were watched for long enough.",
    ),
    (
        "learned",
        "step",
        {
            "paused_by": {
                "service": "wms",
                "reason": "new shelves",
                "name": "Ann",
                "until_ns": SINCE + 4 * HOUR,
            }
        },
        f"Maintenance of wms until 18:00 UTC: new shelves (Ann). {WAITS} Learned. No blind period.",
    ),
    (
        "learned",
        "step",
        {"closed": {"reason": "fixed outside", "name": "Ann"}},
        "Closed by Ann: fixed outside",
    ),
    (
        "",
        "",
        {"stays": 0.3},
        "No deadline: 30 % of all stay here for good, and nobody has said whether they may.",
    ),
    ("", "", {"stays": 1.0}, "No deadline: all stay here for good, and nobody has said whether they may."),
    ("", "ended", {"ended": "delivered"}, "Ended: delivered"),
    ("", "ended", {"ended": "lost", "end": "bad"}, "Ended badly: lost"),
    ("", "ended", {"end": "learned"}, "Ended: shipment.created, where most stay"),
    (
        "",
        "ended",
        {"ended": "payment_failed", "end": "learned"},
        "Ended badly: payment_failed, where most stay",
    ),
    ("", "", {}, ""),
]


@pytest.mark.parametrize(("source", "reason", "evidence", "said"), CASES)
def test_each_way_of_knowing_has_its_sentence(
    source: str, reason: str, evidence: dict[str, Any], said: str
) -> None:
    assert why("shipment.created", "wms", SINCE, NOW, source, reason, evidence) == said


def test_what_is_awaited_may_be_anything_from_anybody() -> None:
    assert why("", "", SINCE, NOW, "rule", "step", {}) == "Nothing came for 3 h 12 m. A rule says so."
    assert why("", "wms", NOW, NOW, "rule", "step", {}) == "Waiting for anything from `wms`. A rule says so."


def test_a_name_cannot_end_its_own_backticks() -> None:
    assert "`a'b c`" in why("a`b\nc", "", SINCE, NOW, "rule", "step", {})


def test_in_the_readers_zone_no_zone_is_named() -> None:
    told = why("", "", SINCE, NOW, "stated", "deadline", {"by_ns": NOW + HOUR}, ZoneInfo("Europe/Berlin"))
    assert told == "It said it should be done by 19:12 (flow.deadline)."


@pytest.mark.parametrize(
    ("time_ns", "said"),
    [
        (SINCE, "14:00 UTC"),
        (SINCE - 24 * HOUR, "26 Nov 14:00 UTC"),
        (SINCE + 60 * 24 * HOUR, "26 Jan 2027 14:00 UTC"),
        (2**62 * 1_000, f"{2**62 * 1_000} ns"),
    ],
)
def test_a_moment_says_its_day_where_it_is_another(time_ns: int, said: str) -> None:
    assert clock(time_ns, NOW, UTC) == said


@pytest.mark.parametrize(
    ("share", "said"), [(1.0, "All"), (0.97, "97 %"), (0.9985, "99.9 %"), (0.99999, "99.99 %")]
)
def test_what_is_not_all_is_not_rounded_to_it(share: float, said: str) -> None:
    assert percent(share) == said


NUMBERS = st.integers(-(2**62), 2**62)
EVIDENCE = st.fixed_dictionaries(
    {},
    optional={
        "passed": st.integers(0, 10**9),
        "within_ns": NUMBERS,
        "share": st.floats(0, 1),
        "by_ns": st.none() | NUMBERS,
        "period_ns": st.integers(0, 2**62),
        "attempt": st.none() | st.integers(),
        "blind": st.lists(st.tuples(NUMBERS, NUMBERS)),
        "paused_by": st.fixed_dictionaries({}, optional={"service": st.text(), "until_ns": NUMBERS}),
        "closed": st.fixed_dictionaries({}, optional={"name": st.text(), "reason": st.text()}),
    },
)


@given(
    st.text(),
    NUMBERS,
    NUMBERS,
    st.sampled_from(["", "stated", "rule", "heartbeat", "learned", "type"]),
    st.sampled_from(["", "step", "deadline", "retry", "heartbeat", "ended"]),
    EVIDENCE,
)
def test_any_evidence_has_a_sentence(
    step: str, since_ns: int, now_ns: int, source: str, reason: str, evidence: dict[str, Any]
) -> None:
    assert "None" not in why(step, "wms", since_ns, now_ns, source, reason, evidence).replace(step, "")
