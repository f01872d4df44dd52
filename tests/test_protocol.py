"""The protocol table: good, odd and hostile requests against the running product, over HTTP and gRPC.

Every case has a service name of its own, so what it stored is counted in the database; what was answered is
read with the official messages. `test_otlp_http` has the troubles of our own.
"""

import contextlib
import gzip
import http.client
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

import grpc
import orjson
import psycopg
import pytest
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests import otlp_bodies as bodies
from tests.otlp_bodies import SPAN, TRACE
from tests.product import Running

MIB = 1024 * 1024
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}
GZIP = {"Content-Encoding": "gzip"}
RESPONSES: dict[str, Any] = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}
SERVICES = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
BAD_SPAN = bodies.span(trace_id=b"")


@dataclass(frozen=True)
class Case:
    """One request: what is sent, what is answered, how many records are there afterwards."""

    name: str
    body: Callable[[str], Any]
    status: int = 200
    signal: str = "traces"
    headers: dict[str, str] = field(default_factory=lambda: PROTOBUF)
    path: str = ""
    method: str = "POST"
    stored: int = 0
    rejected: int = 0
    said: str = ""
    answered: dict[str, str] = field(default_factory=dict)


def in_its_trace(body: bytes, name: str) -> bytes:
    """The body with a trace id of the case's own: the service is no part of a span's identity."""
    own = blake2b(name.encode(), digest_size=16).digest()
    for form in (bytes, lambda found: found.hex().encode(), lambda found: found.hex().upper().encode()):
        body = body.replace(form(TRACE), form(own))
    return body


def spans(*sent: Any, **told: Any) -> Callable[[str], bytes]:
    return lambda name: in_its_trace(bodies.traces(*sent, service=name, **told).SerializeToString(), name)


def logs(*sent: Any) -> Callable[[str], bytes]:
    return lambda name: bodies.logs(*sent, service=name).SerializeToString()


def raw_span(extra: bytes) -> Callable[[str], bytes]:
    """A span with bytes appended that the official message would not write."""

    def build(name: str) -> bytes:
        resource = bodies.traces(service=name).resource_spans[0].resource.SerializeToString()
        good = bodies.span(span_id=b"good one").SerializeToString()
        whole = bodies.raw_traces([good, bodies.span().SerializeToString() + extra], resource)
        return in_its_trace(whole, name)

    return build


def in_json(build: Callable[[str], Any]) -> Callable[[str], bytes]:
    """OTLP/JSON of what `build` gives: a message, or an object already."""

    def written(name: str) -> bytes:
        made = build(name)
        return in_its_trace(orjson.dumps(made if isinstance(made, dict) else bodies.as_json(made)), name)

    return written


def json_spans(*changes: dict[str, Any]) -> Callable[[str], bytes]:
    """One span in JSON for each dict of changed fields."""

    def build(name: str) -> dict[str, Any]:
        request = bodies.as_json(bodies.traces(bodies.span(), service=name))
        scope = request["resourceSpans"][0]["scopeSpans"][0]
        (good,) = scope["spans"]
        scope["spans"] = [good | {"name": f"span {number}"} | change for number, change in enumerate(changes)]
        return request

    return in_json(build)


def packed(
    build: Callable[[str], bytes], pack: Callable[[bytes], bytes] = gzip.compress
) -> Callable[[str], bytes]:
    return lambda name: pack(build(name))


def plain(body: bytes) -> Callable[[str], bytes]:
    return lambda name: body


def chunked(build: Callable[[str], bytes], size: int = 10) -> Callable[[str], Iterator[bytes]]:
    """A body without a length, as Node's exporters send it."""

    def pieces(name: str) -> Iterator[bytes]:
        body = build(name)
        return (body[at : at + size] for at in range(0, len(body), size))

    return pieces


def in_members(body: bytes) -> bytes:
    return gzip.compress(body[:20]) + gzip.compress(body[20:])


ONE = spans(bodies.span())
TWO_AND_A_BAD = spans(bodies.span(), bodies.span(span_id=b"another1"), BAD_SPAN)
ERRORS = [bodies.log(severity_number=17), bodies.log(severity_number=99)]
BODIES: list[Any] = [{}, [], b"", "", 0, None]
BOMB = gzip.compress(bytes(80 * MIB))
DEEP = b'{"resourceSpans":' + b"[" * 50_000

GOOD = [
    Case("one span", ONE, stored=1),
    Case("one log", logs(bodies.log()), signal="logs", stored=1),
    Case(
        "json span", in_json(lambda name: bodies.traces(bodies.span(), service=name)), headers=JSON, stored=1
    ),
    Case(
        "json log",
        in_json(lambda name: bodies.logs(bodies.log(), service=name)),
        signal="logs",
        headers=JSON,
        stored=1,
    ),
    Case("empty protobuf", plain(b"")),
    Case("empty logs", plain(b""), signal="logs"),
    Case("empty metrics", plain(b""), signal="metrics"),
    Case("empty object", plain(b"{}"), headers=JSON),
    Case("gzip", packed(ONE), headers=PROTOBUF | GZIP, stored=1),
    Case("gzip capitals", packed(ONE), headers=PROTOBUF | {"Content-Encoding": "GZip"}, stored=1),
    Case("gzip members", packed(ONE, in_members), headers=PROTOBUF | GZIP, stored=1),
    Case("gzip json", packed(json_spans({})), headers=JSON | GZIP, stored=1),
    Case("deflate", packed(ONE, zlib.compress), headers=PROTOBUF | {"Content-Encoding": "deflate"}, stored=1),
    Case("identity", ONE, headers=PROTOBUF | {"Content-Encoding": "identity"}, stored=1),
    Case("chunked", chunked(ONE), stored=1),
    Case("chunked gzip", chunked(packed(ONE)), headers=PROTOBUF | GZIP, stored=1),
    Case("chunked json", chunked(json_spans({})), headers=JSON, stored=1),
    Case("type in capitals", ONE, headers={"Content-Type": "Application/X-Protobuf"}, stored=1),
    Case(
        "type with charset",
        json_spans({}),
        headers={"Content-Type": "application/json; charset=utf-8"},
        stored=1,
    ),
    Case("query string", ONE, path="/v1/traces?key=1", stored=1),
    Case("the same twice in one", spans(bodies.span(), bodies.span()), stored=1),
    Case("two versions", spans(bodies.span(), bodies.span(name="other")), stored=2),
    Case("equal logs", logs(bodies.log(), bodies.log()), signal="logs", stored=2),
    Case("64 kB of spans", spans(*[bodies.span(name="n" * 60_000)]), stored=1),
]
ODD = [
    Case("span without trace id", TWO_AND_A_BAD, stored=2, rejected=1, said="trace id"),
    Case("span with zero id", spans(bodies.span(span_id=bytes(8))), rejected=1, said="span id"),
    Case("only bad spans", spans(BAD_SPAN, BAD_SPAN, BAD_SPAN), rejected=3, said="trace id"),
    Case(
        "json id that is base64",
        json_spans({}, {"traceId": "AQIDBAUGBwg="}),
        headers=JSON,
        stored=1,
        rejected=1,
    ),
    Case("json upper hex", json_spans({"traceId": TRACE.hex().upper()}), headers=JSON, stored=1),
    Case(
        "json time that is text",
        json_spans({}, {"startTimeUnixNano": "noon"}),
        headers=JSON,
        stored=1,
        rejected=1,
    ),
    Case("json number times", json_spans({"startTimeUnixNano": 1795000000000000000}), headers=JSON, stored=1),
    Case("json exponent", json_spans({"startTimeUnixNano": "1.795e18"}), headers=JSON, stored=1),
    Case("json enum names", json_spans({"kind": "SPAN_KIND_SERVER"}), headers=JSON, stored=1),
    Case("json unknown fields", json_spans({"extra": {"a": [None]}}), headers=JSON, stored=1),
    Case(
        "json nulls", json_spans({"kind": None, "attributes": None, "status": None}), headers=JSON, stored=1
    ),
    Case("json snake case", json_spans({"dropped_links_count": 1}), headers=JSON, stored=1),
    Case(
        "json lone surrogate",
        lambda name: json_spans({"name": "HERE"})(name).replace(b"HERE", b"\\ud800"),
        headers=JSON,
        stored=1,
    ),
    Case("json traces sent as logs", json_spans({}), signal="logs", headers=JSON, said="/v1/traces"),
    Case(
        "text that is not UTF-8", raw_span(bodies.raw_attribute(b"v", bodies.field(1, b"\xff\xfe"))), stored=2
    ),
    Case("name that is not UTF-8", raw_span(bodies.field(5, b"\xff")), stored=2),
    Case("key that is not UTF-8", raw_span(bodies.raw_attribute(b"\xff", bodies.field(1, b"x"))), stored=2),
    Case("array 60 deep", raw_span(bodies.raw_attribute(b"v", bodies.nested_arrays(60))), stored=2),
    Case("array 5000 deep", raw_span(bodies.raw_attribute(b"v", bodies.nested_arrays(5000))), stored=2),
    Case(
        "events without end",
        raw_span(bodies.field(11, b"") * 200_000),
        stored=1,
        rejected=1,
        said="50000 attributes, events and links",
    ),
    Case("a span that is no span", raw_span(b"\xff\xff"), stored=1, rejected=1, said="protobuf"),
    Case("unknown protobuf field", raw_span(bodies.field(200, b"new")), stored=2),
    Case("NUL everywhere", spans(bodies.span({"a\0": "b\0"}, name="c\0", trace_state="\0")), stored=1),
    Case("NaN and infinity", spans(bodies.span({"a": float("nan"), "b": [float("inf")]})), stored=1),
    Case("huge key", spans(bodies.span({"k" * 10_000: 1, "order.id": "9" * 10_000})), stored=1),
    Case("value of a megabyte", spans(bodies.span({"v": "x" * MIB})), stored=1),
    Case("time zero", spans(bodies.span(start_time_unix_nano=0, end_time_unix_nano=0)), stored=1),
    Case(
        "year 2554",
        spans(bodies.span(start_time_unix_nano=2**64 - 1, end_time_unix_nano=2**64 - 1)),
        stored=1,
    ),
    Case("ends before it starts", spans(bodies.span(end_time_unix_nano=1)), stored=1),
    Case("its own parent", spans(bodies.span(parent_span_id=SPAN)), stored=1),
    Case("odd parent", spans(bodies.span(parent_span_id=b"odd")), stored=1),
    Case("unknown kind", spans(bodies.span(kind=77)), stored=1),
    Case("log with bad ids", logs(bodies.log(trace_id=b"odd", span_id=b"x")), signal="logs", stored=1),
    Case("log without time", logs(bodies.log(time_unix_nano=0)), signal="logs", stored=1),
    Case("log without anything", logs(bodies.log(None, time_unix_nano=0)), signal="logs", stored=1),
    Case("log severities", logs(*ERRORS), signal="logs", stored=2),
    Case(
        "log body of every kind",
        logs(*[bodies.log(body) for body in BODIES]),
        signal="logs",
        stored=6,
    ),
    Case(
        "metrics",
        lambda name: bodies.metrics(3).SerializeToString(),
        signal="metrics",
        rejected=3,
        said="traces and logs only",
    ),
    Case(
        "json metrics",
        in_json(lambda name: bodies.metrics(2)),
        signal="metrics",
        headers=JSON,
        rejected=2,
        said="traces and logs only",
    ),
]
HOSTILE = [
    Case("random bytes", plain(b"\xff\xfe\xfd"), 400, said="protobuf"),
    Case("truncated protobuf", lambda name: ONE(name)[:-5], 400, said="protobuf"),
    Case("json sent as protobuf", json_spans({}), 400, said="protobuf"),
    Case("metrics that are garbage", plain(b"\xff"), 400, signal="metrics", said="protobuf"),
    Case("json that is a list", plain(b"[]"), 400, headers=JSON, said="object"),
    Case("json that is null", plain(b"null"), 400, headers=JSON, said="object"),
    Case("json that is nothing", plain(b""), 400, headers=JSON, said="JSON"),
    Case("json cut short", lambda name: json_spans({})(name)[:-1], 400, headers=JSON, said="JSON"),
    Case("json with more behind", lambda name: json_spans({})(name) + b"{}", 400, headers=JSON, said="JSON"),
    Case("json nested without end", plain(DEEP), 400, headers=JSON),
    Case("json with a wrong shape", plain(b'{"resourceSpans": {}}'), 400, headers=JSON, said="resourceSpans"),
    Case("not gzip", ONE, 400, headers=PROTOBUF | GZIP, said="gzip"),
    Case("truncated gzip", lambda name: packed(ONE)(name)[:-6], 400, headers=PROTOBUF | GZIP, said="gzip"),
    Case(
        "bad checksum",
        lambda name: packed(ONE)(name)[:-8] + bytes(8),
        400,
        headers=PROTOBUF | GZIP,
        said="gzip",
    ),
    Case("bomb", plain(BOMB), 413, headers=PROTOBUF | GZIP, said="64 MiB"),
    Case("too large", plain(bytes(65 * MIB)), 413, said="64 MiB"),
    Case("too large in chunks", chunked(plain(bytes(65 * MIB)), MIB), 413, said="64 MiB"),
    Case("records without end", plain(bodies.raw_traces([b""] * 600_000)), 413, said="500000 records"),
    Case("plain text", ONE, 415, headers={"Content-Type": "text/plain"}, said="application/json"),
    Case(
        "form",
        ONE,
        415,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        said="application/json",
    ),
    Case("no type", ONE, 415, headers={"Content-Type": ""}, said="application/json"),
    Case("unknown packing", ONE, 415, headers=PROTOBUF | {"Content-Encoding": "zstd"}, said="gzip"),
    Case("GET", plain(b""), 405, method="GET", said="POST", answered={"Allow": "POST, OPTIONS"}),
    Case("PUT", ONE, 405, method="PUT", said="POST", answered={"Allow": "POST, OPTIONS"}),
    Case("DELETE", plain(b""), 405, method="DELETE", headers=JSON, said="POST"),
    Case("trailing slash", ONE, 404, path="/v1/traces/", said="/v1/traces"),
    Case("prefix", ONE, 404, path="/otlp/v1/traces", said="/v1/traces"),
    Case("other version", ONE, 404, path="/v2/traces", said="/v1/traces"),
    Case("no address", ONE, 404, path="/", said="/v1/traces"),
    Case("doubled address", ONE, 404, path="/v1/traces/v1/traces", said="/v1/traces"),
    Case(
        "preflight without an origin", plain(b""), 204, method="OPTIONS", answered={"Allow": "POST, OPTIONS"}
    ),
]
HTTP = [*GOOD, *ODD, *HOSTILE]


def named(case: Case) -> str:
    return case.name


def service_of(case: Case, transport: str) -> str:
    return f"{transport}: {case.name}"


def ask(running: Running, case: Case) -> tuple[int, http.client.HTTPMessage, bytes]:
    address = urlsplit(running.otlp)
    assert address.hostname
    body = case.body(service_of(case, "http"))
    with contextlib.closing(
        http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    ) as connection:
        connection.request(case.method, case.path or f"/v1/{case.signal}", body, case.headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def count(running: Running, service: str) -> int:
    with psycopg.connect(running.conninfo) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM span WHERE service = %(service)s)"
            " + (SELECT count(*) FROM log WHERE service = %(service)s)",
            {"service": service},
        ).fetchone()
    assert row
    return int(row[0])


def read_success(case: Case, in_json: bool, body: bytes) -> tuple[int, str]:
    """How many were rejected, and why."""
    from google.protobuf import json_format

    response = RESPONSES[case.signal]()
    if in_json:
        json_format.Parse(body, response)
    else:
        response.ParseFromString(body)
    if not response.HasField("partial_success"):
        return 0, ""
    (counted,) = (name for name in response.partial_success.DESCRIPTOR.fields_by_name if "rejected" in name)
    return getattr(response.partial_success, counted), response.partial_success.error_message


def read_failure(in_json: bool, body: bytes) -> Status:
    from google.protobuf import json_format

    return json_format.Parse(body, Status()) if in_json else Status.FromString(body)


@pytest.mark.parametrize("case", HTTP, ids=named)
def test_over_http(running: Running, case: Case) -> None:
    status, headers, body = ask(running, case)
    assert status == case.status, body[:500]
    assert len(body) < 10_000
    for name, value in case.answered.items():
        assert headers[name] == value
    if status == 204:
        return
    in_json = "protobuf" not in case.headers["Content-Type"].lower()
    assert headers["Content-Type"] == ("application/json" if in_json else "application/x-protobuf")
    if status == 200:
        rejected, said = read_success(case, in_json, body)
        assert rejected == case.rejected
        assert bool(said) == bool(case.rejected or case.said)
    else:
        failure = read_failure(in_json, body)
        said = failure.message
        assert failure.code
        assert status != 400 or failure.details[0].Unpack(BadRequest())
    assert case.said in said
    assert count(running, service_of(case, "http")) == case.stored


def of_protobuf(case: Case) -> bool:
    """Whether a case means the same over gRPC."""
    return (
        case.headers in (PROTOBUF, PROTOBUF | GZIP)
        and not case.path
        and case.method == "POST"
        and case.status in (200, 400, 413)
        and "chunked" not in case.name
        and "gzip" not in case.said
        and case.name not in ("json sent as protobuf", "bomb", "too large", "too large in chunks")
    )


GRPC = [case for case in HTTP if of_protobuf(case)]
CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 413: grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.fixture(scope="module")
def channel(running: Running) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(running.grpc, [("grpc.max_send_message_length", -1)]) as made:
        yield made


def call(
    channel: grpc.Channel, signal: str, message: bytes, compression: Any = grpc.Compression.NoCompression
) -> Any:
    export = channel.unary_unary(SERVICES[signal], None, None)
    return export(message, timeout=30, compression=compression)


@pytest.mark.parametrize("case", GRPC, ids=named)
def test_over_grpc(running: Running, channel: grpc.Channel, case: Case) -> None:
    service = service_of(case, "grpc")
    if case.status == 200:
        rejected, said = read_success(case, False, call(channel, case.signal, case.body(service)))
        assert rejected == case.rejected
    else:
        with pytest.raises(grpc.RpcError) as caught:
            call(channel, case.signal, case.body(service))
        said = str(caught.value.details())
        assert caught.value.code() == CODES[case.status]
        assert status_of(caught.value).message == said
    assert case.said in said
    assert count(running, service) == case.stored


def trailers_of(error: Any) -> dict[str, Any]:
    return dict(error.trailing_metadata())


def status_of(error: Any) -> Status:
    trailers = trailers_of(error)
    assert "google.rpc.retryinfo-bin" not in trailers
    return Status.FromString(trailers["grpc-status-details-bin"])


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_compressed_over_grpc(running: Running, channel: grpc.Channel, compression: Any) -> None:
    service = f"compressed {compression}"
    call(channel, "traces", ONE(service), compression)
    assert count(running, service) == 1


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_too_large_over_grpc(channel: grpc.Channel, compression: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "traces", bytes(65 * MIB), compression)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" not in trailers_of(caught.value)


@pytest.mark.parametrize("message", [b"\x1f\x8bnot gzip", b"\x78\x9cnot zlib", b"\x1f\x8b"])
def test_broken_compression_over_grpc(channel: grpc.Channel, message: bytes) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, "traces", message)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_an_unknown_method_over_grpc(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Import", None, None)(
            b"", timeout=10
        )
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_one_request_over_every_transport_is_one_span(running: Running, channel: grpc.Channel) -> None:
    own = bodies.span({"order.id": "1", "n": 2**60, "d": 1.0}, trace_id=b"everywhere alike")
    request = bodies.traces(own, service="everywhere")
    case = Case("everywhere", plain(request.SerializeToString()))
    assert ask(running, case)[0] == 200
    assert (
        ask(running, Case("everywhere", plain(orjson.dumps(bodies.as_json(request))), headers=JSON))[0] == 200
    )
    call(channel, "traces", request.SerializeToString(), grpc.Compression.Gzip)
    assert count(running, "everywhere") == 1


def exchange(running: Running, sent: bytes) -> bytes:
    """Bytes over a bare socket, and what comes back until the server hangs up."""
    address = urlsplit(running.otlp)
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
    return received


HEAD = b"POST /v1/traces HTTP/1.1\r\nHost: collector:4318\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"\r\n", b"411"),
        (HEAD + b"Content-Length: 2\r\n\r\n{}", b"200"),
        (HEAD + b"Content-Length: -2\r\n\r\n{}", b"400"),
        (HEAD + b"Content-Length: two\r\n\r\n{}", b"400"),
        (HEAD + b"Content-Length: 50\r\n\r\n{}", b"400"),
        (HEAD + b"Content-Length: 99999999999999999999\r\n\r\n{}", b"413"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"200"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2;note=1\r\n{}\r\n0\r\nTrailer: 1\r\n\r\n", b"200"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\n{}", b"400"),
        (HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", b"100"),
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_framing(running: Running, sent: bytes, status: bytes) -> None:
    assert exchange(running, sent).split(b" ", 2)[1] == status


def framed(kind: bytes, lines: bytes) -> bytes:
    return HEAD.replace(b"application/json", kind) + lines + b"\r\n\r\n{}"


@pytest.mark.parametrize(
    ("sent", "status", "in_json", "code", "said"),
    [
        (framed(b"application/json", b"Content-Length: -2"), 400, True, 3, "not a number"),
        (framed(b"application/x-protobuf", b"Content-Length: -2"), 400, False, 3, "not a number"),
        (framed(b"Application/X-Protobuf; a=b", b"Content-Length: two"), 400, False, 3, "Content-Length"),
        (framed(b"text/plain", b"Content-Length: two"), 400, True, 3, "Content-Length"),
        (framed(b"application/x-protobuf", b"X-Long: " + b"a" * MIB), 413, False, 8, "headers"),
        (framed(b"application/json", b"Transfer-Encoding: odd"), 501, True, 12, "Unimplemented"),
        (b"GET /" + b"a" * MIB + b" HTTP/1.1\r\n\r\n", 414, True, 8, "Request-URI"),
        (b"nonsense\r\n\r\n", 400, True, 3, "Request-Line"),
    ],
)
def test_what_never_reaches_the_endpoint_is_a_status_too(
    running: Running, sent: bytes, status: int, in_json: bool, code: int, said: str
) -> None:
    head, _, body = exchange(running, sent).partition(b"\r\n\r\n")
    assert head.split(b" ", 2)[1] == str(status).encode()
    assert (b"application/json" if in_json else b"application/x-protobuf") in head
    failure = read_failure(in_json, body)
    assert failure.code == code and said in failure.message
    assert status != 400 or failure.details[0].Unpack(BadRequest())


def test_a_connection_serves_many_requests(running: Running) -> None:
    whole = HEAD + b"Content-Length: 2\r\n\r\n{}"
    refused = whole.replace(b"/v1/traces", b"/v1/traces/")
    assert exchange(running, whole + refused + whole).count(b"HTTP/1.1 ") == 3


def test_the_table_is_long_enough() -> None:
    assert len({case.name for case in HTTP}) == len(HTTP) >= 60
    assert len(GRPC) >= 30


def sentences(running: Running, service: str, transport: str) -> dict[str, int]:
    with psycopg.connect(running.conninfo) as connection:
        row = connection.execute(
            "SELECT refusals FROM tracing_sender WHERE service = %s AND transport = %s", [service, transport]
        ).fetchone()
    return row[0] if row else {}


@pytest.mark.parametrize(
    ("case", "service", "transport", "said"),
    [
        (Case("refused one", spans(BAD_SPAN)), "http: refused one", "http/protobuf", "trace id"),
        (Case("refused body", plain(b"["), headers=JSON), "", "http/json", "not JSON"),
        (Case("refused address", ONE, path="/v3/odd"), "", "http", "nothing is received at this address"),
    ],
)
def test_why_data_is_not_here(running: Running, case: Case, service: str, transport: str, said: str) -> None:
    ask(running, case)
    deadline = time.monotonic() + 15
    while not any(said in sentence for sentence in sentences(running, service, transport)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
