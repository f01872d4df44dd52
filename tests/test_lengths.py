"""The words for lengths of time are one for watcher and pages; `test_moments` has their cases."""

from hypothesis import given
from hypothesis import strategies as st

from timeline import moments
from tracing.lengths import took


@given(st.integers(-(2**63), 2**63))
def test_pages_and_sentences_say_a_length_alike_and_short(length: int) -> None:
    assert took(length) == moments.took(length)
    assert len(took(length)) <= 16
