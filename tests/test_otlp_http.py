"""The HTTP endpoint over real sockets, with a store that fails on demand; `test_protocol` has the real store.

What is tested here is what a healthy product never shows: outages, our own faults, clients that go away.
"""

import contextlib
import http.client
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import otlp_bodies as bodies
from tests.otlp_shelf import Open, Quiet, Shelf
from tracing import server
from tracing.otlp import http as endpoint
from tracing.otlp import limits
from tracing.records import Refusal
from tracing.storing import Unavailable

PROTOBUF = {"Content-Type": "application/x-protobuf"}
REQUEST = bodies.traces(bodies.span()).SerializeToString()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture
def port(shelf: Shelf, quiet: Quiet) -> Iterator[int]:
    application = endpoint.application(shelf, ("https://shop.example",), quiet, Open())
    serving = server.in_thread(("127.0.0.1", 0), application, threads=4, wording=application.worded)
    yield serving.bind_addr[1]
    serving.stop()


def ask(
    port: int,
    body: Any = b"",
    headers: dict[str, str] | None = None,
    path: str = "/v1/traces",
    method: str = "POST",
) -> tuple[int, http.client.HTTPMessage, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, body, PROTOBUF if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize(
    ("trouble", "retry"),
    [
        (Unavailable("The database cannot be reached.", 1), "1"),
        (Unavailable("The database cannot be reached.", 0), "1"),
        (Unavailable("The database cannot be reached.", 60), "9"),
        (RuntimeError("a fault of ours"), "5"),
        (MemoryError(), "5"),
        (RecursionError(), "5"),
    ],
)
def test_trouble_of_ours_is_retryable(port: int, shelf: Shelf, trouble: BaseException, retry: str) -> None:
    shelf.trouble = trouble
    status, headers, body = ask(port, REQUEST)
    assert (status, headers["Retry-After"], headers["Content-Type"]) == (503, retry, PROTOBUF["Content-Type"])
    assert Status.FromString(body).code == 14
    shelf.trouble = None
    assert ask(port, REQUEST)[0] == 200


def test_what_the_store_turns_away_is_told(port: int, shelf: Shelf) -> None:
    shelf.refusals = [Refusal(1, "too many days")]
    _, _, body = ask(port, REQUEST)
    assert b"too many days" in body


def test_a_request_refused_whole_is_remembered(port: int, quiet: Quiet) -> None:
    ask(port, REQUEST, path="/v1/traces/")
    ask(port, b"\xff")
    assert [("/v1/traces" in said, "protobuf" in said) for said in quiet.said] == [
        (True, False),
        (False, True),
    ]


def test_too_much_at_once_is_retryable(
    shelf: Shelf, quiet: Quiet, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits.Budget.__init__, "__defaults__", (10,))
    application = endpoint.application(shelf, (), quiet, Open())
    serving = server.in_thread(("127.0.0.1", 0), application, threads=2)
    status, headers, _ = ask(serving.bind_addr[1], REQUEST)
    serving.stop()
    assert (status, headers["Retry-After"]) == (503, "1")


def test_a_client_that_goes_away_leaves_nothing(port: int, shelf: Shelf) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"POST /v1/traces HTTP/1.1\r\nHost: a\r\nContent-Type: {PROTOBUF['Content-Type']}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\nhalf")
    assert ask(port, REQUEST)[0] == 200
    assert len(shelf.batches) == 1


def test_a_chunked_body_is_read_whole(port: int, shelf: Shelf) -> None:
    pieces = (REQUEST[at : at + 7] for at in range(0, len(REQUEST), 7))
    assert ask(port, pieces)[0] == 200
    assert shelf.batches[0].spans[0].name == "work"


@pytest.mark.parametrize(
    ("origin", "allowed"), [("https://shop.example", True), ("https://evil.example", False)]
)
def test_pages_of_listed_origins_may_send(port: int, origin: str, allowed: bool) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type"
    status, headers, body = ask(port, headers=asked, method="OPTIONS")
    assert (status, body) == (204, b"")
    assert headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)
    status, headers, _ = ask(port, REQUEST, PROTOBUF | {"Origin": origin})
    assert (status, headers.get("Access-Control-Allow-Origin")) == (200, origin if allowed else None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=100) | st.just(REQUEST),
    kind=st.sampled_from(["application/x-protobuf", "application/json", "text/plain", ""]),
    packing=st.sampled_from(["", "gzip", "deflate", "br"]),
    path=st.sampled_from(["/v1/traces", "/v1/logs", "/v1/metrics", "/v1/", "//"]),
)
def test_any_bytes_get_an_answer(port: int, body: bytes, kind: str, packing: str, path: str) -> None:
    headers = {"Content-Type": kind} | ({"Content-Encoding": packing} if packing else {})
    status, _, _ = ask(port, body, headers, path)
    assert status in (200, 400, 404, 415)


def test_a_grpc_exporter_at_the_http_port_is_told_and_noted(port: int, quiet: Quiet) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 505") and b"4317" in answer
    assert quiet.said == [endpoint.NOT_HTTP_1]
