"""Which findings follow which, from what they rest on."""

import pytest

from tracing.watch.detectors.folding import fold
from tracing.watch.finding import Finding


def finding(type: str, step: str = "", environment: str = "production") -> Finding:
    return Finding("late", type, environment, step, "wms", "", "", 2, 1, 1)


@pytest.mark.parametrize(
    ("rests_on", "follows"),
    [
        ({1, 2, 3}, "a"),
        ({1, 2, 3, 4, 11}, "a"),
        ({1, 2, 11, 12, 13}, "b"),  # of both, most of the second
        ({1, 2, 3, 21}, ""),  # a quarter is its own
        ({21}, ""),
        (set(), ""),
    ],
)
def test_who_follows_whom(rests_on: set[object], follows: str) -> None:
    leads = {"a": finding("order", "a"), "b": finding("order", "b")}
    one = finding("customer")
    fold([(leads["a"], {1, 2, 3, 4, 5}), (leads["b"], {11, 12, 13}), (one, rests_on)])
    assert one.follows == (leads[follows].identity if follows else b"")
    assert {lead.follows for lead in leads.values()} == {b""}


def test_only_of_another_type_and_the_same_environment_and_no_follower() -> None:
    order, again, staging = (
        finding("order", "a"),
        finding("order", "b"),
        finding("payment", environment="staging"),
    )
    customer, account = finding("customer"), finding("account")
    marks: set[object] = {1, 2}
    fold([(one, marks) for one in (order, again, staging, customer, account)])
    assert [one.follows for one in (order, again, staging)] == [b"", b"", b""]
    assert [one.follows for one in (customer, account)] == [order.identity] * 2
