"""One odd key or one odd record costs only itself, wherever it sits and in both encodings.

`test_otlp_decode` and `test_otlp_json` have the odd values.
"""

import logging
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as OtlpSpan

from tests import otlp_bodies as bodies
from tests.otlp_bodies import SPAN, TRACE, how
from tracing.otlp import finishing
from tracing.otlp.decode import decode_logs, decode_traces
from tracing.records import Batch, Span
from tracing.senders import sdk_of

# A key as its bytes, the same key in JSON, and the tagged key.
KEYS = [
    (b"\xff", b"\xff", {"$text": "7bO/"}),
    (b"a\0", b"a\\u0000", {"$text": "YQA="}),
    (b"$a", b"$a", "$a"),
    (b"\xed\xa0\x80", b"\xed\xa0\x80", {"$text": "7bOt7bKg7bKA"}),
]


def in_protobuf(key: bytes) -> Batch:
    attribute = bodies.field(1, key) + bodies.field(2, bodies.field(1, b"x"))
    link = bodies.field(1, TRACE) + bodies.field(2, SPAN) + bodies.field(4, attribute)
    good = bodies.span(span_id=b"good one").SerializeToString()
    odd = bodies.span().SerializeToString() + bodies.field(13, link)
    return decode_traces(bodies.raw_traces([odd, good]), how())


def in_json(key: bytes) -> Batch:
    good = bodies.as_json(bodies.span(span_id=b"good one"))
    link = {"traceId": TRACE.hex(), "spanId": SPAN.hex()}
    link |= {"attributes": [{"key": "HERE", "value": {"stringValue": "x"}}]}  # type: ignore[dict-item]
    odd = bodies.as_json(bodies.span()) | {"links": [link]}
    body = orjson.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [odd, good]}]}]})
    return decode_traces(body.replace(b"HERE", key), how("json"))


@pytest.mark.parametrize("place", range(len(KEYS)))
@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_an_odd_key_of_a_link_is_tagged(place: int, encoding: str) -> None:
    raw, written, kept = KEYS[place]
    batch = in_protobuf(raw) if encoding == "protobuf" else in_json(written)
    assert not batch.refusals and len(batch.spans) == 2
    (link,) = orjson.loads(batch.spans[0].links_json or b"")
    assert link["attributes"] == {"$map": [[kept, "x"]]}
    assert b"\\u0000" not in (batch.spans[0].links_json or b"")


def test_an_odd_key_of_a_link_does_not_hide_its_secrets() -> None:
    link = OtlpSpan.Link(trace_id=TRACE, attributes=bodies.pairs({"$a": 1, "password": "hush"}))
    request = bodies.traces(bodies.span(links=[link])).SerializeToString()
    (span,) = decode_traces(request, how()).spans
    assert span.redacted == 1 and b"hush" not in (span.links_json or b"")


def fails_on(name: str, original: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """The function, raising for the record of that name or body."""

    def failing(work: Any, record: Any, *rest: Any) -> None:
        if name in (getattr(record, "name", ""), getattr(record, "body", "")):
            raise error
        original(work, record, *rest)

    return failing


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
@pytest.mark.parametrize("signal", ["span", "log"])
def test_a_record_nobody_foresaw_is_refused_alone(
    encoding: str, signal: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fault = fails_on("odd", getattr(finishing, f"finish_{signal}"), TypeError("str is not valid UTF-8"))
    monkeypatch.setattr(f"tracing.otlp.{encoding}.finish_{signal}", fault)
    request = (
        bodies.traces(bodies.span(name="odd"), bodies.span(), bodies.span(name="odd"))
        if signal == "span"
        else bodies.logs(bodies.log("odd"), bodies.log(), bodies.log("odd"))
    )
    body = request.SerializeToString() if encoding == "protobuf" else orjson.dumps(bodies.as_json(request))
    with caplog.at_level(logging.ERROR):
        batch = (decode_traces if signal == "span" else decode_logs)(body, how(encoding))
    assert len(batch.spans) + len(batch.logs) == 1
    (refusal,) = batch.refusals
    assert (refusal.count, refusal.service) == (2, "shop")
    assert "cannot be read" in refusal.reason
    # A fault of ours: its whole story once a request.
    assert [bool(told.exc_info) for told in caplog.records] == [True]


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_too_little_memory_is_no_fault_of_the_record(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault = fails_on("odd", finishing.finish_span, MemoryError())
    monkeypatch.setattr(f"tracing.otlp.{encoding}.finish_span", fault)
    request = bodies.traces(bodies.span(name="odd"))
    body = request.SerializeToString() if encoding == "protobuf" else orjson.dumps(bodies.as_json(request))
    with pytest.raises(MemoryError):
        decode_traces(body, how(encoding))


def sent_by(resource: dict[str, Any]) -> Span:
    batch = decode_traces(bodies.traces(bodies.span(), resource=resource).SerializeToString(), how())
    return batch.spans[0]


@pytest.mark.parametrize("key", ["$odd", "a\0"])
def test_an_odd_key_does_not_hide_who_sent_it(key: str) -> None:
    sdk = {"telemetry.sdk.language": "python", "telemetry.sdk.name": "otel", "telemetry.sdk.version": "1"}
    resource = sent_by({key: 1, "deployment.environment.name": "staging", **sdk}).resource
    assert (resource.service, resource.environment) == ("shop", "staging")
    assert sdk_of(resource) == "python otel 1"


def test_an_odd_key_does_not_hide_the_id_of_a_log() -> None:
    told = {"$odd": 1, "log.record.uid": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    records = decode_logs(
        bodies.logs(bodies.log("one", told), bodies.log("two", told)).SerializeToString(), how()
    )
    assert len({log.log_id for log in records.logs}) == 1


def test_a_name_never_holds_what_joins_names() -> None:
    resource = sent_by({"service.name": "a\x01b", "deployment.environment": "c\x01d"}).resource
    assert (resource.service, resource.environment) == ("a�b", "c�d")
