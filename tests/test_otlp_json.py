"""OTLP/JSON as it arrives in practice: other cases, other number forms, unknown fields, broken values.

That a correct request gives the same records as protobuf is a property in `test_otlp_decode`.
"""

import base64
from typing import Any

import orjson
import pytest

from tests.otlp_bodies import NOW_NS, SPAN, TRACE, how
from tracing.otlp.decode import Malformed, decode_logs, decode_traces
from tracing.records import Batch, Log, Span

GOOD = {"traceId": TRACE.hex(), "spanId": SPAN.hex(), "name": "work", "startTimeUnixNano": str(NOW_NS)}


def traces(*spans: Any) -> bytes:
    return orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]})


def decoded(*spans: Any) -> Batch:
    return decode_traces(traces(*spans), how("json"))


def one(**fields: Any) -> Span:
    batch = decoded(GOOD | fields)
    assert not batch.refusals
    (span,) = batch.spans
    return span


def one_log(**fields: Any) -> Log:
    body = orjson.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [fields]}]}]})
    batch = decode_logs(body, how("json"))
    assert not batch.refusals
    (log,) = batch.logs
    return log


def valued(value: Any) -> Any:
    return one(attributes=[{"key": "v", "value": value}]).attributes["v"]


def invalid(sent: Any) -> dict[str, str]:
    return {"$invalid": base64.b64encode(orjson.dumps(sent)).decode()}


@pytest.mark.parametrize(
    ("fields", "column", "kept"),
    [
        ({"traceId": TRACE.hex().upper()}, "trace_id", TRACE),
        ({"spanId": "0102030405060708"}, "span_id", SPAN),
        ({"parentSpanId": ""}, "parent_span_id", b""),
        ({"parentSpanId": None}, "parent_span_id", b""),
        ({"parentSpanId": "ABCDEF0123456789"}, "parent_span_id", bytes.fromhex("abcdef0123456789")),
        ({"parentSpanId": "not hex"}, "parent_span_id", b""),
        ({"kind": 2}, "kind", 2),
        ({"kind": "2"}, "kind", 2),
        ({"kind": "SPAN_KIND_SERVER"}, "kind", 2),
        ({"kind": 77}, "kind", 77),
        ({"status": {"code": "STATUS_CODE_ERROR"}}, "status", 2),
        ({"status": {"code": 1}}, "status", 1),
        ({"status": None}, "status", 0),
        ({"endTimeUnixNano": NOW_NS}, "end_ns", NOW_NS),
        ({"endTimeUnixNano": "1795000000000000001"}, "end_ns", 1_795_000_000_000_000_001),
        ({"endTimeUnixNano": 1_795_000_000_000_000_001}, "end_ns", 1_795_000_000_000_000_001),
        ({"endTimeUnixNano": "1.795e18"}, "end_ns", NOW_NS),
        ({"endTimeUnixNano": 1.795e18}, "end_ns", NOW_NS),
        ({"end_time_unix_nano": str(NOW_NS)}, "end_ns", NOW_NS),
        ({"endTimeUnixNano": None}, "end_ns", 0),
        ({"flags": "257"}, "flags", 257),
        ({"droppedEventsCount": 3.0}, "dropped_events", 3),
        ({"dropped_links_count": 3}, "dropped_links", 3),
        ({"name": None}, "name", ""),
        ({"unknown": {"deep": [1, {"x": None}]}}, "name", "work"),
        ({"attributes": None}, "attributes", {}),
        ({"events": None, "links": []}, "events", []),
    ],
)
def test_fields_in_every_form(fields: dict[str, Any], column: str, kept: Any) -> None:
    assert getattr(one(**fields), column) == kept


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ({}, None),
        ({"stringValue": "x"}, "x"),
        ({"string_value": "x"}, "x"),
        ({"stringValue": ""}, ""),
        ({"stringValue": None, "intValue": "3"}, 3),
        ({"boolValue": False}, False),
        ({"intValue": "9223372036854775807"}, 2**63 - 1),
        ({"intValue": 9223372036854775807}, 2**63 - 1),
        ({"intValue": "-9223372036854775808"}, -(2**63)),
        ({"intValue": "1e3"}, 1000),
        ({"intValue": 1e3}, 1000),
        ({"intValue": "0"}, 0),
        ({"doubleValue": 1}, 1.0),
        ({"doubleValue": "1.5"}, 1.5),
        ({"doubleValue": "NaN"}, {"$double": "NaN"}),
        ({"doubleValue": "-Infinity"}, {"$double": "-Infinity"}),
        ({"bytesValue": "AP8="}, {"$bytes": "AP8="}),
        ({"bytesValue": "AP8"}, {"$bytes": "AP8="}),
        ({"bytesValue": "_-8"}, {"$bytes": "/+8="}),
        ({"bytesValue": ""}, {"$bytes": ""}),
        ({"arrayValue": {}}, []),
        ({"arrayValue": {"values": [{"intValue": 1}, {}]}}, [1, None]),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"boolValue": True}}]}}, {"a": True}),
        ({"kvlistValue": {}}, {}),
        ({"futureValue": 1}, None),
    ],
)
def test_values_in_every_form(value: Any, kept: Any) -> None:
    assert repr(valued(value)) == repr(kept)


@pytest.mark.parametrize(
    "value",
    [
        "bare",
        [1],
        {"stringValue": 5},
        {"boolValue": "true"},
        {"intValue": "ten"},
        {"intValue": 1.5},
        {"intValue": "9223372036854775808"},
        {"intValue": True},
        {"intValue": "1e999999999"},
        {"intValue": "1_000"},
        {"intValue": "NaN"},
        {"doubleValue": "much"},
        {"doubleValue": ""},
        {"doubleValue": "1e999"},
        {"bytesValue": "***"},
        {"bytesValue": 7},
        {"arrayValue": []},
        {"arrayValue": {"values": {}}},
        {"kvlistValue": {"values": [1]}},
    ],
)
def test_a_bad_value_costs_only_itself(value: Any) -> None:
    assert valued(value) == invalid(value)


def test_values_nest_as_deep_as_in_protobuf() -> None:
    def nested(depth: int) -> Any:
        value: Any = {"intValue": 1}
        for _ in range(depth):
            value = {"arrayValue": {"values": [value]}}
        return value

    assert valued(nested(50)) != invalid(nested(50))
    assert valued(nested(51)) == invalid(nested(51))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (b'"\\ud800"', {"$text": base64.b64encode(b"\xed\xa0\x80").decode()}),
        (b'"a\\u0000b"', {"$text": "YQBi"}),
        (b'"caf\xe9"', {"$invalid": base64.b64encode(b"caf\xe9").decode()}),
        (b'"\\ud83d\\ude80"', "🚀"),
    ],
)
def test_text_that_postgresql_refuses(text: bytes, kept: Any) -> None:
    body = traces(GOOD | {"attributes": [{"key": "v", "value": {"stringValue": "HERE"}}]})
    (span,) = decode_traces(body.replace(b'"HERE"', text), how("json")).spans
    assert span.attributes == {"v": kept}


def test_a_bare_nan_is_read() -> None:
    body = traces(GOOD | {"attributes": [{"key": "v", "value": {"doubleValue": 0.125}}]})
    (span,) = decode_traces(body.replace(b"0.125", b"NaN"), how("json")).spans
    assert span.attributes == {"v": {"$double": "NaN"}}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"traceId": "xyz"}, "trace id"),
        ({"traceId": "sixteen letters!"}, "trace id"),
        ({"traceId": base64.b64encode(TRACE).decode()}, "trace id"),
        ({"traceId": 5}, "traceId"),
        ({"traceId": "00" * 16}, "trace id"),
        ({"spanId": "01"}, "span id"),
        ({"spanId": "8letters"}, "span id"),
        ({"name": 5}, "name"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano"),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "18446744073709551616"}, "startTimeUnixNano"),
        ({"kind": "SPAN_KIND_ODD"}, "kind"),
        ({"flags": 2**32}, "flags"),
        ({"attributes": {}}, "attributes"),
        ({"attributes": ["x"]}, "attribute"),
        ({"events": [5]}, "event"),
        ({"links": [5]}, "link"),
        ({"status": "ERROR"}, "status"),
    ],
)
def test_a_bad_field_costs_its_span(fields: dict[str, Any], said: str) -> None:
    batch = decoded(GOOD | fields, GOOD)
    assert len(batch.spans) == 1
    (refusal,) = batch.refusals
    assert refusal.count == 1 and said in refusal.reason


def test_a_span_that_is_no_object_is_refused_alone() -> None:
    batch = decoded("span", GOOD, None)
    assert len(batch.spans) == 1 and batch.refusals[0].count == 2


@pytest.mark.parametrize("given", ["xyz", "sixteen letters!", "00" * 16, "ab"])
def test_a_log_with_bad_ids_is_kept_unattached(given: str) -> None:
    log = one_log(traceId=given, spanId=SPAN.hex(), body={"stringValue": "said"}, timeUnixNano="5")
    assert (log.trace_id, log.span_id, log.body, log.time_ns) == (b"", b"", "said", 5)


def test_a_log_in_json() -> None:
    log = one_log(
        traceId=TRACE.hex(), spanId=SPAN.hex(), severityNumber="SEVERITY_NUMBER_ERROR", severityText="E",
        observedTimeUnixNano="7", eventName="paid", body={"kvlistValue": {"values": [{"key": "a"}]}},
    )  # fmt: skip
    assert (log.trace_id, log.span_id, log.severity, log.severity_text) == (TRACE, SPAN, 17, "E")
    assert (log.time_ns, log.time_source, log.event_name, log.body) == (7, 1, "paid", {"a": None})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"5",
        b'"text"',
        b"{",
        b"{}{}",
        b"{} trailing",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"resourceSpans":' + b"[" * 100_000,
        b'{"x":' * 5000 + b"1" + b"}" * 5000,
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [5]}',
        b'{"resourceSpans": [{"scopeSpans": 5}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": "x"}]}]}',
        b'{"resourceSpans": [{"resource": []}]}',
        b'{"resourceSpans": [{"resource": {"attributes": 5}}]}',
        b'{"x": ' + b"9" * 10_000 + b"}",
    ],
)
def test_what_is_no_request_at_all(body: bytes) -> None:
    with pytest.raises(Malformed):
        decode_traces(body, how("json"))


@pytest.mark.parametrize(
    "body", [b"{}", b'{"resourceSpans": []}', b'{"resourceSpans": null}', b' {"more": 1} ']
)
def test_empty_requests(body: bytes) -> None:
    batch = decode_traces(body, how("json"))
    assert not batch.spans and not batch.refusals


def test_a_request_at_the_wrong_address_is_told_so() -> None:
    batch = decode_logs(traces(GOOD), how("json"))
    (warning,) = batch.refusals
    assert warning.count == 0 and "/v1/traces" in warning.reason
