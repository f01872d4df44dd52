"""What records say of the future."""

from typing import Any

import pytest

from tests.builders import BASE_NS, MS, Service, event
from tracing import facts, stating
from tracing.stating import Saying

SHOP = Service("shop")
END = BASE_NS + 10 * MS
S = 1_000_000_000
MINUTE = 60 * S


def said(**attributes: Any) -> list[Saying]:
    told = {name.replace("__", "."): value for name, value in attributes.items()}
    return stating.of_span(SHOP.span("charge card", 0, 10, attributes=told))


@pytest.mark.parametrize(
    ("attributes", "what", "by_ns"),
    [
        ({"flow__deadline": "2026-11-18T13:00:00Z"}, "deadline", 1_795_006_800 * S),
        ({"flow__deadline": "2026-11-18T14:00:00+01:00"}, "deadline", 1_795_006_800 * S),
        ({"flow__deadline": 1_795_006_800 * S}, "deadline", 1_795_006_800 * S),
        ({"flow__deadline": str(1_795_006_800 * S)}, "deadline", 1_795_006_800 * S),
        ({"flow__deadline": 1_795_006_800}, "deadline", 1_795_006_800 * S),
        ({"flow__deadline": "1795006800000"}, "deadline", 1_795_006_800 * S),
        ({"flow__expect__within": "15m"}, "step", END + 15 * MINUTE),
        ({"flow__expect__within": 90, "flow__expect__step": "shipped"}, "step", END + 90 * S),
        ({"flow__next_attempt_at": "2026-11-18T13:00:00Z"}, "retry", 1_795_006_800 * S),
        ({"celery.eta": "2026-11-18T13:00:00+00:00"}, "retry", 1_795_006_800 * S),
        ({"http.response.header.retry-after": ["120"]}, "retry", END + 120 * S),
        ({"http.response.header.retry-after": "Wed, 18 Nov 2026 13:00:00 GMT"}, "retry", 1_795_006_800 * S),
        ({"celery.retry.reason": "Retry in 180s: OSError('away')"}, "retry", END + 180 * S),
        ({"celery.retry.reason": "Retry in 0s: OSError('away')"}, "retry", END + 1),
        ({"celery.retry.reason": "Retry in 5e-05s: OSError('away')"}, "retry", END + 50_000),
        (
            {"celery.retry.reason": "Retry at 2026-11-18 14:00:00.500000+01:00: OSError('away')"},
            "retry",
            1_795_006_800 * S + 500 * MS,
        ),
        ({"celery.retry.reason": "Retry at 2026-11-18 13:00:00"}, "retry", 1_795_006_800 * S),
    ],
)
def test_a_span_says_by_when(attributes: dict[str, Any], what: str, by_ns: int) -> None:
    assert [(one.what, one.by_ns) for one in said(**attributes)] == [(what, by_ns)]


@pytest.mark.parametrize(
    "attributes",
    [
        {"flow__deadline": "soon"},
        {"flow__deadline": True},
        {"flow__deadline": "9" * 40},
        {"flow__deadline": "2500-01-01"},  # beyond what any clock means
        {"flow__expect__within": "-5"},
        {"flow__expect__step": "shipped"},  # by when?
        {"http.response.header.retry-after": []},
        {"http.response.header.retry-after": "whenever"},
        {"http.response.header.retry-after": "1 Jan 99999999999999999999 00:00:00 GMT"},
        {"http.response.header.retry-after": "Wed, 18 Nov 2026 13:00:00 +99999999999999"},
        {"flow__next_attempt_at": "2020-01-01T00:00:00Z"},  # past when it was said
        {"flow__next_attempt_at": "2026-11-18T13:00:00Z", "flow__attempt": 5, "flow__attempt__max": 5},
        {"celery.retry.reason": f"Retry in {'9' * 400}s"},
        {"celery.retry.reason": "Retry at noon"},
        {"celery.retry.reason": True},
    ],
)
def test_what_says_nothing(attributes: dict[str, Any]) -> None:
    assert said(**attributes) == []


def test_the_expected_step_and_the_tries_are_kept() -> None:
    (step,) = said(flow__expect__within="2h", flow__expect__step="shipment.created")
    assert (step.step, step.said_ns) == ("shipment.created", END)
    (again,) = said(flow__next_attempt_at="2026-11-18T13:00:00Z", flow__attempt=3, flow__attempt__max="5")
    assert (again.operation, again.attempt, again.most) == ("charge card", 3, 5)


def test_a_try_of_celery_says_when_the_next_one_is() -> None:
    """Its `eta` is when it was due itself; of the first try there is neither that nor a count of retries."""
    reason = "Retry in 8s: OSError('away')"
    first, third = (
        {"celery.retry.reason": reason},
        {"celery.eta": "2026-11-17T09:00:00+00:00", "celery.retries": 2},
    )
    (again,) = said(**first)
    assert (again.by_ns, again.operation, again.attempt) == (END + 8 * S, "charge card", 1)
    assert said(**third) == []  # it went well
    (again,) = said(**first, **third)
    assert (again.by_ns, again.attempt) == (END + 8 * S, 3)


def test_events_and_status_promise_too() -> None:
    told = event("exception", 7, exception__message="Retry in 30s: timed out")
    span = SHOP.span("send mail", 0, 10, status=2, message="Retry in 30s: timed out", events=[told])
    assert {(one.what, one.operation) for one in stating.of_span(span)} == {("retry", "send mail")}
    assert span.facts & facts.SAYS
    assert not SHOP.span("send mail", 0, 10, message="no", events=[event("sent", 2)]).facts & facts.SAYS


@pytest.mark.parametrize(
    ("line", "wait_ns"),
    [
        ("Retry in 1.5s", 1_500 * MS),
        ("declined, retrying in 5 minutes", 5 * MINUTE),
        ("retry in 250ms", 250 * MS),
        ("the retry in 2025 failed", None),
    ],
)
def test_a_line_promises(line: str, wait_ns: int | None) -> None:
    told = stating.of_log(SHOP.log(line, 5))
    assert [one.by_ns - one.said_ns for one in told] == ([] if wait_ns is None else [wait_ns])


def test_facts_and_statements_agree() -> None:
    for name in stating.NAMES:
        assert SHOP.span("s", 0, 1, attributes={name: "x"}).facts & facts.SAYS, name


def test_what_a_span_says_of_itself_keeps_no_promise_of_its_events() -> None:
    told = event("exception", 7, exception__message="Retry in 5s")
    (again,) = stating.of_span(
        SHOP.span("print", 0, 10, events=[told], attributes={"order.state": "printing"})
    )
    assert (again.said_ns, again.by_ns) == (END, BASE_NS + 7 * MS + 5 * S)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("flow.deadline", "next Tuesday", "ISO 8601"),
        ("flow.next_attempt_at", "2500-01-01", "ISO 8601"),
        ("flow.expect.within", "a while", "15m, 2h or seconds"),
        ("http.response.header.retry-after", ["soon"], "no other try is awaited"),
        ("flow.deadline", "2026-11-18T13:00:00Z", ""),
        ("flow.expect.within", 90, ""),
        ("http.response.header.retry_after", ["120"], ""),
        ("http.response.header.retry-after", "Wed, 18 Nov 2026 13:00:00 GMT", ""),
        ("order.deadline", "next Tuesday", ""),
    ],
)
def test_what_should_say_a_time_and_does_not_is_told(name: str, value: Any, words: str) -> None:
    told = stating.misread(name, value)
    assert words in told and bool(words) is bool(told)
    assert not told or not said(**{name: value})
