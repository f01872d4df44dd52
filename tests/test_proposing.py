"""What Threadline proposes of a type from what it has seen (`tracing.watch.proposing`)."""

import pytest

from tracing.watch.customs import is_bad_word
from tracing.watch.proposing import Question, Seen, closest, propose
from tracing.watch.standing import Way


def seen(
    name: str, position: float, *ways: tuple[str, float], passed: int = 400, end: bool = False, plateau: float = 0.0,
    source: str = "state",
) -> Seen:  # fmt: skip
    followed = tuple(Way(step, "shop", share) for step, share in ways)
    return Seen(name, "shop", source, passed, 10, end, plateau, position, followed)


ORDER = [
    seen("shipped", 3, passed=0, end=True, plateau=1.0),
    seen("paid", 1.2, ("reserved", 0.9), ("cancelled", 0.06), ("created", 0.004)),
    seen("created", 0, ("paid", 0.6), ("invoiced", 0.38)),
    seen("invoiced", 1, ("reserved", 1.0)),
    seen("reserved", 2, ("shipped", 0.97), ("cancelled", 0.03)),
    seen("cancelled", 2.1, passed=0, end=True, plateau=0.99),
]
SAID = {
    "shop": {"created": 500, "paid": 300, "invoiced": 200, "reserved": 480, "shipped": 470, "cancelled": 20},
    "wms": {"reserved": 480, "shipped": 470},
}


def test_an_order_is_proposed_whole() -> None:
    proposal = propose(ORDER, SAID, {})
    assert proposal.phases == [["created"], ["invoiced", "paid"], ["reserved"], ["shipped"]]
    assert (proposal.good_ends, proposal.bad_ends) == (["shipped"], ["cancelled"])
    assert proposal.owner == "shop"
    assert ["paid", "created"] not in proposal.transitions and [
        "reserved",
        "cancelled",
    ] in proposal.transitions
    assert proposal.incompatible == [["cancelled", "shipped"]]
    assert not proposal.questions and not proposal.reasons


def test_states_that_follow_each_other_are_not_one_rank() -> None:
    near = [seen("a", 0, ("b", 1.0)), seen("b", 0.3, ("c", 1.0)), seen("c", 0.6)]
    assert propose(near, {}, {}).phases == [["a"], ["b"], ["c"]]


def test_steps_without_states_have_ends_but_no_phases() -> None:
    steps = [seen("GET /x", 0, source="milestone"), seen("mail.sent", 1, source="milestone", end=True)]
    proposal = propose(steps, {}, {})
    assert proposal.phases == [] and proposal.good_ends == ["mail.sent"]
    assert "says a state" in proposal.reasons["phases"] and "says a state" in proposal.reasons["owner"]


@pytest.mark.parametrize(
    ("plateau", "passed", "answers", "asked"),
    [
        (0.3, 70, {}, True),
        (0.3, 70, {"ready": False}, False),
        (0.04, 70, {}, False),
        (0.51, 70, {}, False),
        (0.3, 18, {}, False),
    ],
)
def test_a_doubtful_end_is_asked_once(
    plateau: float, passed: int, answers: dict[str, bool], asked: bool
) -> None:
    proposal = propose([seen("ready", 0, plateau=plateau, passed=passed)], {}, answers)
    assert proposal.questions == ([Question("ready", plateau)] if asked else [])


def test_answers_decide_ends() -> None:
    assert propose(ORDER, {}, {"reserved": True, "shipped": False}).good_ends == ["reserved"]


def test_the_usual_words_end_a_flow_without_anybody_asking() -> None:
    proposal = propose([seen("Delivered", 0, plateau=0.3), seen("timed_out", 1)], {}, {})
    assert (proposal.good_ends, proposal.bad_ends, proposal.questions) == (["Delivered"], ["timed_out"], [])


def test_few_samples_close_no_list_of_moves() -> None:
    proposal = propose([seen("a", 0, ("b", 1.0), passed=12)], {}, {})
    assert proposal.transitions == [] and "`a` was left 12 times" in proposal.reasons["transitions"]


@pytest.mark.parametrize(
    ("said", "owner"),
    [
        ({"shop": {"a": 10}}, "shop"),
        ({"shop": {"a": 10}, "wms": {"b": 10}}, ""),
        ({"shop": {"a": 10}, "wms": {"a": 10}}, ""),
        ({"shop": {"a": 9}, "wms": {"a": 10}}, "wms"),
        ({}, ""),
    ],
)
def test_the_owner_is_the_one_that_says_all(said: dict[str, dict[str, int]], owner: str) -> None:
    proposal = propose([], said, {})
    assert proposal.owner == owner and bool(proposal.reasons.get("owner")) is not bool(owner)


@pytest.mark.parametrize(
    ("state", "bad"),
    [
        ("cancelled", True),
        ("PAYMENT_FAILED", True),
        ("order.rejected", True),
        ("TIMED_OUT", True),
        ("returned", True),
        ("PaymentFailed", True),
        ("order_timed_out", True),
        ("shipped", False),
        ("Delivered", False),
        ("undead", False),
        ("", False),
    ],
)
def test_words_that_say_it_ended_badly(state: str, bad: bool) -> None:
    assert is_bad_word(state) is bad


@pytest.mark.parametrize(
    ("word", "meant"), [("shiped", "Shipped"), ("PAID", "paid"), ("teapot", None), ("", None)]
)
def test_what_a_mistyped_state_meant(word: str, meant: str | None) -> None:
    assert closest(word, ["paid", "Shipped", "created"]) == meant
