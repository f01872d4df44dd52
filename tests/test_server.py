"""The HTTP server against clients that behave and clients that do not, over real sockets."""

import contextlib
import gc
import http.client
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from tracing import server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MIB = 1024 * 1024
THREADS = 2


def echo(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """`/length` reads the body and tells its length, `/refuse` does not read it, `/slow` takes a second."""
    path = environ["PATH_INFO"]
    status, answer = "200 OK", b""
    if path == "/refuse":
        status, answer = "415 Unsupported Media Type", b"refused"
    elif path == "/slow":
        time.sleep(1)
        answer = b"slow"
    elif path == "/headers":
        answer = repr(sorted(name for name in environ if name.startswith("HTTP_X"))).encode()
    else:
        total = 0
        while piece := environ["wsgi.input"].read(64 * 1024):
            total += len(piece)
        answer = str(total).encode()
    start_response(status, [("Content-Length", str(len(answer)))])
    return [answer]


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    serving = server.in_thread(("127.0.0.1", 0), echo, THREADS)
    yield serving.bind_addr
    serving.stop()


@contextlib.contextmanager
def client(address: tuple[str, int]) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(*address, timeout=20)
    with contextlib.closing(connection):
        yield connection


def ask(
    connection: http.client.HTTPConnection, path: str, body: object = None, **more: bool
) -> tuple[int, bytes]:
    connection.request("POST", path, body=body, **more)  # type: ignore[arg-type]
    response = connection.getresponse()
    return response.status, response.read()


def pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"x" * MIB


def test_one_connection_carries_bodies_of_both_kinds(address: tuple[str, int]) -> None:
    with client(address) as connection:
        for _ in range(3):
            assert ask(connection, "/length", b"abc") == (200, b"3")
            assert ask(connection, "/length", pieces(3), encode_chunked=True) == (200, str(3 * MIB).encode())
            assert ask(connection, "/length", b"") == (200, b"0")


def test_more_idle_connections_than_threads(address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(client(address)) for _ in range(THREADS * 15)]
        for _ in range(2):
            for connection in connections:
                assert ask(connection, "/length", iter([b"abc"]), encode_chunked=True) == (200, b"3")


def test_connections_that_never_speak_hold_no_thread(address: tuple[str, int]) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS * 5):
            stack.enter_context(socket.create_connection(address))
        time.sleep(0.2)
        with client(address) as connection:
            assert ask(connection, "/length", b"abc") == (200, b"3")


@pytest.mark.parametrize("chunked", [True, False])
def test_an_answer_before_the_whole_body_arrives(address: tuple[str, int], chunked: bool) -> None:
    with client(address) as connection:
        body = pieces(30) if chunked else b"x" * 30 * MIB
        assert ask(connection, "/refuse", body, encode_chunked=chunked) == (415, b"refused")


def test_a_small_unread_body_keeps_the_connection(address: tuple[str, int]) -> None:
    with client(address) as connection:
        assert ask(connection, "/refuse", b"x" * 1000)[0] == 415
        assert ask(connection, "/length", b"abc") == (200, b"3")


def raw(address: tuple[str, int], request: bytes) -> bytes:
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.mark.parametrize("length", [b"-5", b"abc", b"+5", b"1_0", b"5, 5"])
def test_an_odd_length_is_refused(address: tuple[str, int], length: bytes) -> None:
    answer = raw(address, b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: " + length + b"\r\n\r\nabcde")
    assert answer.startswith(b"HTTP/1.1 400")
    assert answer.count(b"HTTP/1.1") == 1


def worded(content_type: str, status: str, sentence: str) -> tuple[str, list[tuple[str, str]], bytes]:
    body = f"{content_type}: {sentence}".encode()
    return status, [("Content-Type", "text/odd"), ("Content-Length", str(len(body)))], body


@pytest.fixture(scope="module")
def wording() -> Iterator[tuple[str, int]]:
    serving = server.in_thread(("127.0.0.1", 0), echo, THREADS, wording=worded)
    yield serving.bind_addr
    serving.stop()


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        (b"Content-Length: -5", b"400", b"a/b: Content-Length is not a number."),
        (b"Content-Length: " + b"9" * 5_000, b"400", b"a/b: Malformed Content-Length Header."),
        (b"Content-Length: abc", b"400", b"a/b: Malformed Content-Length Header."),
        (b"X-Long: " + b"a" * 4 * MIB, b"413", b"a/b: The headers sent"),
        (b"Transfer-Encoding: odd", b"501", b"a/b: "),
    ],
)
def test_an_answer_without_the_application_is_worded_too(
    wording: tuple[str, int], lines: bytes, status: bytes, said: bytes
) -> None:
    head = b"POST /length HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\n"
    first, _, rest = raw(wording, head + lines + b"\r\n\r\nabcde").partition(b"\r\n")
    assert first.split(b" ")[1] == status
    headers, _, body = rest.partition(b"\r\n\r\n")
    assert b"Content-Type: text/odd" in headers and b"Connection: close" in headers
    assert body.startswith(said)


@pytest.mark.parametrize("target", [b"//[", b"http://[", b"http://[/x"])
def test_an_address_that_is_none_is_a_bad_request(address: tuple[str, int], target: bytes) -> None:
    first = raw(address, b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n")[0]
    assert first.split(b" ")[1] == b"400"


def test_header_names_with_underscores_are_dropped(address: tuple[str, int]) -> None:
    request = b"GET /headers HTTP/1.1\r\nHost: x\r\nX_Key: evil\r\nX-Good: 1\r\nConnection: close\r\n\r\n"
    assert raw(address, request).endswith(b"['HTTP_X_GOOD']")


def test_endless_headers_are_refused(address: tuple[str, int]) -> None:
    request = b"GET /headers HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * server.LARGEST_HEADER + b"\r\n\r\n"
    assert b" 413 " in raw(address, request).split(b"\r\n")[0]


def test_stopping_finishes_what_is_in_flight() -> None:
    serving = server.in_thread(("127.0.0.1", 0), echo, THREADS)
    answers: list[tuple[int, bytes]] = []

    def slow() -> None:
        with client(serving.bind_addr) as connection:
            answers.append(ask(connection, "/slow"))

    asking = threading.Thread(target=slow)
    asking.start()
    time.sleep(0.3)
    serving.stop()
    asking.join()
    assert answers == [(200, b"slow")]
    with pytest.raises(ConnectionError):
        socket.create_connection(serving.bind_addr, timeout=1)


def test_a_client_that_vanishes_leaves_nothing_behind(
    address: tuple[str, int], recwarn: pytest.WarningsRecorder
) -> None:
    """It hangs up before the answer; what could not be written is dropped with the connection."""
    for _ in range(5):
        with socket.create_connection(address) as connection:
            # Closing with nothing lingering resets the connection under the server's write.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.05)
    time.sleep(1.5)
    gc.collect()
    with client(address) as after:
        assert ask(after, "/length", b"abc") == (200, b"3")
    assert [str(warning.message) for warning in recwarn] == []
