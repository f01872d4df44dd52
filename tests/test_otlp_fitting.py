"""What a column cannot hold, and what was sent that it is of: nothing is lost, and nothing else is taken for it."""

from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import Service
from tests.otlp_bodies import NOW_NS
from tracing.otlp.fitting import exact_text, fit_log, fit_span, log_as_sent, span_as_sent
from tracing.otlp.forms import log_form, span_form
from tracing.records import Log, Span

SHOP = Service("shop")
TIMES = st.sampled_from([0, 1, NOW_NS, 2**63 - 1, 2**63, 2**64 - 1])
# As JSON has them, with halves of pairs, or as protobuf does, with bytes that are none.
HALVES = st.text(st.characters(), max_size=4)
BYTES = st.binary(max_size=4).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
TEXTS = st.sampled_from(["", "name", "a\0"]) | HALVES | BYTES
IDS = st.sampled_from([b"", b"12345678", bytes(8), b"odd"])


@given(TIMES, TIMES, TEXTS, TEXTS, IDS)
def test_a_span_is_found_as_it_was_sent(start: int, end: int, name: str, state: str, parent: bytes) -> None:
    span = SHOP.span("work", 0, 1)
    span.start_ns, span.end_ns, span.name, span.trace_state, span.parent_span_id = (
        start,
        end,
        name,
        state,
        parent,
    )
    fitted = copy(span)
    fit_span(fitted)
    found = span_as_sent(fitted, span_form(fitted))
    if found is not None:
        assert spoken(found) == spoken(span)
    else:
        assert any(is_mixed(text) for text in (name, state))


@given(TIMES, TIMES, TEXTS, IDS, IDS)
def test_a_log_is_found_as_it_was_sent(time: int, observed: int, text: str, trace: bytes, own: bytes) -> None:
    log = SHOP.log("said", 0)
    log.time_ns, log.observed_ns, log.event_name, log.trace_id, log.span_id = time, observed, text, trace, own
    fitted = copy(log)
    fit_log(fitted)
    found = log_as_sent(fitted, log_form(fitted))
    if found is None:
        # Zeros are no id, and nobody notes them.
        assert is_mixed(text)
    elif any(trace) and any(own):
        assert spoken(found) == spoken(log)


def spoken(record: Span | Log) -> list[Any]:
    texts = (record.name, record.trace_state) if isinstance(record, Span) else (record.event_name,)
    times = (
        (record.start_ns, record.end_ns) if isinstance(record, Span) else (record.time_ns, record.observed_ns)
    )
    ids = (record.parent_span_id,) if isinstance(record, Span) else (record.trace_id, record.span_id)
    return [*texts, *times, *ids]


def is_mixed(text: str) -> bool:
    """Whether some of it can only be a half and some only a byte: such a text has no single way back."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


@pytest.mark.parametrize(
    "columns",
    [
        {"exact": {"name": exact_text("another")}},
        {"exact": {"start": "5"}},
        {"exact": {"start": "soon"}},
        {"exact": {"parent_span_id": "12"}, "parent_span_id": "0101010101010101"},
        {"start_ns": -1},
    ],
)
def test_what_nothing_sent_gives_was_not_sent(columns: dict[str, Any]) -> None:
    span = SHOP.span("work", 0, 1)
    assert span_as_sent(span, span_form(span)) is not None
    assert span_as_sent(span, span_form(span) | columns) is None
