"""Values that JSON cannot tell apart go through real jsonb and come back as what they were."""

import base64
import json
import math
import struct
from typing import Any

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracing.values import (
    REDACTED,
    is_storable,
    opened,
    plain,
    storable,
    tag_bytes,
    tag_double,
    tag_map,
    tag_text,
)

NAN, INF = float("nan"), float("inf")


def through_jsonb(worker: psycopg.Connection, value: Any) -> Any:
    row = worker.execute("SELECT %s::jsonb::text", (orjson.dumps(value).decode(),)).fetchone()
    return json.loads(row[0]) if row else None


@pytest.mark.parametrize(
    ("tagged", "shown"),
    [
        (tag_bytes(b"\x00\xff"), "AP8="),
        (tag_bytes(b""), ""),
        (tag_double(NAN), "NaN"),
        (tag_double(INF), "Infinity"),
        (tag_double(-INF), "-Infinity"),
        (tag_double(1.5), 1.5),
        (tag_double(1e22), 1e22),
        (tag_double(float(2**53)), float(2**53)),
        (tag_text("x"), "x"),
        (tag_text("a\x00b"), "a\x00b"),
        (tag_text("\ud800"), "\ud800"),
        (tag_map({"$a": 1, "b": 2}), {"$a": 1, "b": 2}),
        (tag_map({"a\x00": tag_double(NAN)}), {"a\x00": "NaN"}),
        ({"$invalid": base64.b64encode(b"a\xff").decode()}, "a�"),
        (REDACTED, "[redacted]"),
        (2**53, 2**53),
        (2**53 + 1, "9007199254740993"),
        (-(2**63), "-9223372036854775808"),
        (
            {"a": [2**60, None, True, {"b": tag_double(-INF)}]},
            {"a": [str(2**60), None, True, {"b": "-Infinity"}]},
        ),
        (None, None),
        (False, False),
        ("", ""),
        ([], []),
        ({}, {}),
    ],
)
def test_shown_as_the_contract_says(worker: psycopg.Connection, tagged: Any, shown: Any) -> None:
    assert plain(through_jsonb(worker, tagged)) == shown


def test_minus_zero_keeps_its_sign(worker: psycopg.Connection) -> None:
    assert math.copysign(1, plain(through_jsonb(worker, tag_double(-0.0)))) == -1
    assert math.copysign(1, plain(through_jsonb(worker, tag_double(0.0)))) == 1


def test_what_looks_alike_stays_apart(worker: psycopg.Connection) -> None:
    alike = [
        None, 0, 0.5, "", "0", "NaN", tag_double(NAN), tag_double(-0.0), tag_double(1e22), 2**63 - 1, "9223372036854775807",
        tag_bytes(b""), tag_bytes(b"NaN"), tag_text("\x00"), tag_text("AA=="), tag_map({"$bytes": "AA=="}), False, [], {},
        [None], "[redacted]", REDACTED, tag_map({"$redacted": True}),
    ]  # fmt: skip
    found = [json.dumps(through_jsonb(worker, value), sort_keys=True) for value in alike]
    assert len(set(found)) == len(alike)


def bits(value: float) -> bytes:
    return struct.pack(">d", value)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.floats(allow_nan=False))
def test_every_double_comes_back_to_the_bit(worker: psycopg.Connection, value: float) -> None:
    tagged = through_jsonb(worker, tag_double(value))
    back = tagged if isinstance(tagged, int | float) else float(tagged["$double"])
    assert bits(float(back)) == bits(value)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text(st.characters(codec=None, exclude_categories=()), max_size=20))
def test_every_text_comes_back(worker: psycopg.Connection, value: str) -> None:
    assert plain(through_jsonb(worker, tag_text(value))) == value
    assert plain(through_jsonb(worker, tag_map({value: 1}))) == {value: 1}
    fit = storable(value)
    assert is_storable(fit)
    assert through_jsonb(worker, fit) == fit
    assert fit == value or not is_storable(value)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        (tag_map({"$a": 1, "b": 2}), {"$a": 1, "b": 2}),
        (tag_map({"a\x00": 1, "b": 2}), {"b": 2}),
        ({"$bytes": "AA=="}, {"$bytes": "AA=="}),
    ],
)
def test_opened(value: dict[str, Any], names: dict[str, Any]) -> None:
    assert opened(value) == names
