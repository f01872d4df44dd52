"""What a person says of a type, held against itself and against what flows say (`tracing.watch.misfits`)."""

import pytest

from tracing.watch.misfits import MOST_STATES, Words, misfits, unknown

STATES = {"created", "paid", "shipped", "cancelled"}


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (Words(), []),
        (Words(phases=[["created"], ["paid", "invoiced"]], good_ends=["shipped"], bad_ends=["cancelled"],
               transitions=[["created", "paid"], ["paid", "shipped"]], incompatible=[["cancelled", "shipped"]]), []),
        (Words(phases=[["a"], ["b", "a"]]), [("phases", "`a` stands in line 1 and in line 2; a state has one rank.")]),
        (Words(phases=[["a", "a"]]), [("phases", "`a` stands in line 1 and in line 1; a state has one rank.")]),
        (Words(good_ends=["a"], bad_ends=["a"]), [("bad_ends", "`a` cannot end a flow well and badly.")]),
        (Words(transitions=[["a", "a"]]), [("transitions", "`a -> a` is no move.")]),
        (Words(good_ends=["a"], transitions=[["a", "b"]]),
         [("transitions", "`a` ends a flow, so `a -> b` cannot follow it.")]),
        (Words(incompatible=[["a", "a"]]),
         [("incompatible", "`a` always agrees with itself; a pair is two different states.")]),
        (Words(good_ends=["x" * 301]), [("good_ends", f"`{'x' * 40}…` is longer than 300 characters.")]),
    ],
)  # fmt: skip
def test_what_contradicts_itself(words: Words, found: list[tuple[str, str]]) -> None:
    assert misfits(words) == found


def test_too_many_states_are_no_order() -> None:
    many = [[str(number)] for number in range(MOST_STATES + 1)]
    ((name, sentence),) = misfits(Words(phases=many))
    assert name == "phases" and "201 states" in sentence


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (Words(phases=[["created"], ["shiped"]], good_ends=["shiped"]),
         ["No flow has said `shiped`; did you mean `shipped`?"]),
        (Words(bad_ends=["teapot"]), ["No flow has said `teapot`."]),
        (Words(owner="shopp"), ["No flow of this type was told its state by `shopp`; did you mean `shop`?"]),
        (Words(owner="zebra"), ["No flow of this type was told its state by `zebra`."]),
        (Words(owner="shop", good_ends=["shipped"]), []),
        (Words(phases=[["created"], ["paid"]], transitions=[["paid", "created"]]),
         ["`paid -> created` goes back by the phases, and is marked as going back although it is allowed."]),
    ],
)  # fmt: skip
def test_words_that_no_flow_has_said(words: Words, sentences: list[str]) -> None:
    assert unknown(words, STATES, {"shop", "wms"}) == sentences


def test_of_a_type_never_seen_no_word_is_called_unknown() -> None:
    assert unknown(Words(phases=[["a"]], owner="b"), set(), set()) == []
