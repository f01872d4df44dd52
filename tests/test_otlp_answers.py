"""What is said back, byte for byte in both encodings, and to which web pages."""

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests import otlp_bodies as bodies
from tracing.otlp import cors, metrics
from tracing.otlp.answers import INVALID_ARGUMENT, UNAVAILABLE, Failure, Success, sentence_for
from tracing.otlp.attributes import Malformed
from tracing.records import Refusal

RESPONSES: list[tuple[str, Any]] = [
    ("spans", ExportTraceServiceResponse),
    ("log_records", ExportLogsServiceResponse),
    ("data_points", ExportMetricsServiceResponse),
]


@pytest.mark.parametrize(("counted", "response"), RESPONSES)
def test_full_success_says_nothing(counted: str, response: Any) -> None:
    assert Success(counted).protobuf() == b""
    assert Success(counted).json() == b"{}"


@pytest.mark.parametrize(("counted", "response"), RESPONSES)
@pytest.mark.parametrize("rejected", [0, 3])
def test_partial_success_is_the_same_in_both_encodings(counted: str, response: Any, rejected: int) -> None:
    said = Success(counted, rejected, "because")
    from_protobuf = response.FromString(said.protobuf())
    assert json_format.Parse(said.json(), response()) == from_protobuf
    assert getattr(from_protobuf.partial_success, f"rejected_{counted}") == rejected
    assert from_protobuf.partial_success.error_message == "because"


@pytest.mark.parametrize(
    ("failure", "detail"),
    [
        (Failure(INVALID_ARGUMENT, "the body is odd"), BadRequest),
        (Failure(UNAVAILABLE, "later", 3), RetryInfo),
        (Failure(5, "nothing here"), None),
    ],
)
def test_failures_are_the_same_status_in_both_encodings(failure: Failure, detail: Any) -> None:
    status = Status.FromString(failure.protobuf())
    assert json_format.Parse(failure.json(), Status()) == status
    assert (status.code, status.message) == (failure.code, failure.sentence)
    if detail is None:
        assert not status.details
    else:
        found = detail()
        assert status.details[0].Unpack(found)


def test_the_reasons_of_a_partial_success() -> None:
    assert sentence_for([]) == ""
    assert sentence_for([Refusal(2, "no id"), Refusal(1, "no day")]) == "2 × no id; 1 × no day"
    assert sentence_for([Refusal(0, "a warning")]) == "a warning"
    many = sentence_for([Refusal(1, f"{n} " + "x" * 10_000) for n in range(500)])
    assert len(many) < 5000 and "490 further" in many


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        ((), "https://shop.example", None),
        (("https://shop.example",), "https://shop.example", "https://shop.example"),
        (("https://shop.example",), "https://shop.example.evil", None),
        (("https://shop.example",), "http://shop.example", None),
        (("https://shop.example",), "", None),
        (("*",), "https://any.example", "*"),
        (("*",), "null", "*"),
    ],
)
def test_which_pages_may_send(origins: tuple[str, ...], origin: str, allowed: str | None) -> None:
    for given in (cors.headers(origins, origin), cors.preflight(origins, origin, "content-type")):
        told = dict(given)
        assert told.get("Access-Control-Allow-Origin") == allowed
        assert "Access-Control-Allow-Credentials" not in told


def test_a_preflight_allows_what_was_asked_and_nothing_smuggled() -> None:
    told = dict(cors.preflight(("*",), "https://a.example", "content-type, x-key\r\nSet-Cookie: a"))
    assert told["Access-Control-Allow-Headers"] == "content-type, x-key, Set-Cookie, a"
    assert told["Access-Control-Allow-Methods"] == "POST"
    assert told["Access-Control-Expose-Headers"] == "Retry-After"


@pytest.mark.parametrize("points", [0, 1, 7])
def test_data_points_are_counted_for_their_sender(points: int) -> None:
    request = bodies.metrics(points)
    request.resource_metrics[0].scope_metrics[0].metrics.add().histogram.data_points.add()
    request.resource_metrics[0].scope_metrics[0].metrics.add(name="empty")
    name = request.resource_metrics[0].resource.attributes.add(key="service.name")
    name.value.string_value = "meter"
    for encoding, body in (
        ("protobuf", request.SerializeToString()),
        ("json", json_format.MessageToJson(request).encode()),
    ):
        (refusal,) = metrics.refuse_points(body, bodies.how(encoding)).refusals
        assert (refusal.count, refusal.service) == (points + 1, "meter")


@pytest.mark.parametrize(("body", "encoding"), [(b"\xff", "protobuf"), (b"[]", "json"), (b"{", "json")])
def test_metrics_that_are_no_request(body: bytes, encoding: str) -> None:
    with pytest.raises(Malformed):
        metrics.refuse_points(body, bodies.how(encoding))


def test_odd_metrics_in_json_hold_no_points() -> None:
    odd = {"resourceMetrics": [5, {"scopeMetrics": {}}, {"scopeMetrics": [{"metrics": ["x", {"sum": 5}]}]}]}
    assert metrics.refuse_points(orjson.dumps(odd), bodies.how("json")).refusals == []


def test_a_sender_of_metrics_that_cannot_be_read_is_nobody() -> None:
    held = {"resource": 5, "scopeMetrics": [{"metrics": [{"sum": {"dataPoints": [{}, {}]}}]}]}
    (refusal,) = metrics.refuse_points(orjson.dumps({"resourceMetrics": [held]}), bodies.how("json")).refusals
    assert (refusal.count, refusal.resource) == (2, None)
