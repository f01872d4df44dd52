"""Ids in what other tools write; the journeys through `/find` are in `test_find`."""

from hypothesis import given
from hypothesis import strategies as st

from timeline.pasted import pasted

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def test_ids_of_any_case_and_length_become_opentelemetrys() -> None:
    assert pasted(f"https://zipkin/zipkin/traces/{SPAN.upper()}").traces == (SPAN.rjust(32, "0"),)
    assert pasted(f"b3: {SPAN}-{SPAN}-d-{SPAN}").spans == (SPAN,)


def test_a_traceparent_and_a_dashed_id_are_no_b3() -> None:
    for text in (f"00-{TRACE}-{SPAN}-01", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"):
        assert pasted(text).traces == ()


def test_only_64_bits_are_a_decimal_id() -> None:
    assert pasted(str(2**64 - 1)).decimals == (str(2**64 - 1),)
    for text in (str(2**64), "4711", "dd.trace_id=0", "order 1234567890123456"):
        assert pasted(text).decimals == (), text


def test_panes_nested_without_end_are_read_to_some_depth() -> None:
    deep = "[" * 500 + "]" * 500
    assert pasted(f"https://g/explore?panes={deep}").traces == ()


@given(st.text(max_size=300))
def test_any_text_is_fine(text: str) -> None:
    found = pasted(text)
    assert all(len(one) == 32 for one in found.traces) and all(len(one) == 16 for one in found.spans)
