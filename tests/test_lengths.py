"""The words for lengths of time are one for watcher and pages; `test_moments` has their cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline import moments
from tracing.lengths import SECOND_NS, spoken, took


@given(st.integers(-(2**63), 2**63))
def test_pages_and_sentences_say_a_length_alike_and_short(length: int) -> None:
    assert took(length) == moments.took(length)
    assert len(took(length)) <= 16


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "0 s"), (0, "0 s"), (0.09, "90 ms"), (45, "45 s"), (840, "14 min"), (90, "1 m 30 s"), (3_600, "1 h"),
        (11_520, "3 h 12 m"), (187_300, "2 d 4 h"),
    ],
)  # fmt: skip
def test_minutes_alone_are_spelt_out(seconds: float, said: str) -> None:
    assert spoken(round(seconds * SECOND_NS)) == said
