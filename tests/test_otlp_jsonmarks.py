"""Values counted in JSON before anything is built, and depth without an end."""

import time
import tracemalloc
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.otlp_bodies import how
from tracing.otlp import jsonmarks, metrics, weigh
from tracing.otlp.decode import Malformed, TooMany, decode_logs, decode_traces
from tracing.otlp.json import parse

MIB = 1024 * 1024


def read(body: bytes) -> None:
    for decode in (decode_traces, decode_logs):
        with pytest.raises(TooMany):
            decode(body, how("json"))
    with pytest.raises(TooMany):
        metrics.refuse_points(body, how("json"))


@pytest.mark.parametrize("value", [b"{},", b"[],", b"0,", b'"[",', b'{"a":1},', b"[{}],"])
def test_values_without_end_are_refused_before_they_are_built(
    value: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonmarks, "MOST_VALUES", 100_000)
    monkeypatch.setattr(orjson, "loads", None)
    read(b'{"resourceSpans":[' + value * 600_000 + b"1]}")


def test_the_largest_bomb_costs_a_moment() -> None:
    body = b"[" + b"{}," * (20 * MIB) + b"{}]"
    began = time.process_time()
    with pytest.raises(TooMany, match="send smaller batches"):
        jsonmarks.check_values(body)
    assert time.process_time() - began < 8


@pytest.mark.parametrize("text", ["{[,", '\\"{', '"}]', "\\", "ü{"])
def test_marks_within_text_do_not_count(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonmarks, "MOST_VALUES", 10)
    body = orjson.dumps({"a": [text * 700_000, {text: text}]})
    jsonmarks.check_values(body)
    assert parse(body)["a"][1] == {text: text}


def test_records_without_end_are_refused_as_in_protobuf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weigh, "MOST_RECORDS", 100)
    spans: dict[str, list[Any]] = {"scopeSpans": [{"spans": [{}] * 60}, {"spans": [{}] * 39}]}
    requests: list[list[Any]] = [[spans], [{}] * 101, [{"scopeSpans": [{}] * 101}]]
    for groups in requests:
        with pytest.raises(TooMany, match="more than 100 records"):
            decode_traces(orjson.dumps({"resourceSpans": groups}), how("json"))
    spans["scopeSpans"].pop()
    assert decode_traces(orjson.dumps({"resourceSpans": [spans]}), how("json")).refusals[0].count == 60


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"]":['])
def test_depth_is_looked_at_as_far_as_it_is_allowed(opening: bytes) -> None:
    body = opening * (4 * MIB)
    tracemalloc.start()
    with pytest.raises(Malformed, match="too deep"):
        jsonmarks.check_depth(body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MIB


def test_as_deep_as_is_allowed() -> None:
    deepest = jsonmarks.DEEPEST
    jsonmarks.check_depth(b"[" * deepest + b"]" * deepest + b"[[]]")
    jsonmarks.check_depth(b"[{},{}," * (deepest - 1) + b'"' + b"[" * 2 * deepest)


trees = st.recursive(
    st.none() | st.integers(0, 9) | st.text(max_size=6) | st.sampled_from(['"', "\\", "[{,", '\\"']),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
)


def count(tree: Any) -> int:
    """Brackets that open, and commas."""
    if not isinstance(tree, (list, dict)):
        return 0
    items = list(tree.values()) if isinstance(tree, dict) else tree
    return 1 + max(len(items) - 1, 0) + sum(map(count, items))


@settings(max_examples=300, deadline=None)
@given(trees)
def test_any_json_is_counted_exactly(tree: Any) -> None:
    marks = list(jsonmarks._marks(orjson.dumps(tree)))
    assert sum(mark in jsonmarks._BEGINNINGS for mark in marks) == count(tree)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_counted(body: bytes) -> None:
    assert len(list(jsonmarks._marks(body))) <= sum(map(body.count, (b"[", b"]", b"{", b"}", b",")))
