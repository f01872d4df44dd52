"""Keys where data comes in: over HTTP and gRPC, made, revoked and limited while it runs, the database there or not."""

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests import otlp_bodies as bodies
from tests.otlp_shelf import Quiet, Shelf
from tests.product import free_ports
from tests.test_otlp_http import ask
from tracing import senderkeys, server
from tracing.clock import now_ns
from tracing.keyring import (
    CROWDED,
    MOST_WAITING,
    NO_KEY,
    NOT_YET,
    PATIENCE_S,
    STRANGE,
    Keyring,
    Refused,
    secret_in,
)
from tracing.otlp import grpc as services
from tracing.otlp import http as endpoint

REQUEST = bodies.traces(bodies.span()).SerializeToString()
PROTOBUF = {"Content-Type": "application/x-protobuf"}
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
def ring(conninfo: str) -> Iterator[Keyring]:
    made = Keyring(lambda: conninfo, lambda: False).start()
    yield made
    made.close()


@pytest.fixture
def quiet() -> Quiet:
    return Quiet()


@pytest.fixture
def port(ring: Keyring, quiet: Quiet) -> Iterator[int]:
    application = endpoint.application(Shelf(), ("https://shop.example",), quiet, ring)
    serving = server.in_thread(("127.0.0.1", 0), application, threads=4, wording=application.worded)
    yield serving.bind_addr[1]
    serving.stop()


@pytest.fixture
def channel(ring: Keyring, quiet: Quiet) -> Iterator[grpc.Channel]:
    (number,) = free_ports(1)
    serving = services.serve(Shelf(), f"127.0.0.1:{number}", quiet, ring)
    with grpc.insecure_channel(f"127.0.0.1:{number}") as opened:
        yield opened
    serving.stop(0).wait()


@pytest.fixture
def export(channel: grpc.Channel) -> Any:
    return channel.unary_unary(EXPORT, None, None)


def eventually(wanted: Any) -> bool:
    deadline = time.monotonic() + 5
    while not wanted():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def refusal(ring: Keyring, secret: str) -> str:
    try:
        ring.admit_patiently(secret)
    except Refused as refused:
        return refused.sentence
    return ""


@pytest.mark.parametrize(
    ("authorization", "own", "secret"),
    [
        ("Bearer tlk_a", "", "tlk_a"),
        ("bearer  tlk_a ", "tlk_b", "tlk_a"),
        ("Basic dXNlcg==", "tlk_b", "tlk_b"),
        ("Bearer other", "tlk_b", "tlk_b"),
        ("Bearer other", "", "other"),
        ("", "", ""),
        ("tlk_a", "", ""),
    ],
)
def test_a_key_comes_in_either_header(authorization: str, own: str, secret: str) -> None:
    assert secret_in(authorization, own) == secret


def test_nobody_is_asked_while_there_is_no_key(ring: Keyring, port: int) -> None:
    assert ring.admit_patiently("") is None and ask(port, REQUEST)[0] == 200


def test_a_key_is_asked_for_from_the_first_one_on_even_a_revoked_one(ring: Keyring) -> None:
    made, secret = senderkeys.issue("shop")
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    assert refusal(ring, secret) == "" and refusal(ring, "tlk_wrong") == STRANGE
    senderkeys.revoke(made)
    began = time.monotonic()
    assert eventually(lambda: refusal(ring, secret) == "revoked key shop") and time.monotonic() - began < 2
    assert refusal(ring, "") == NO_KEY


def test_whoever_can_be_reached_asks_without_any_key(conninfo: str) -> None:
    ring = Keyring(lambda: conninfo, lambda: True).start()
    assert refusal(ring, "") == NO_KEY
    ring.close()


def test_a_key_made_a_moment_ago_is_good_at_once(ring: Keyring) -> None:
    ring.admit_patiently("")
    for name in "abc":
        _, secret = senderkeys.issue(name)
        assert refusal(ring, secret) == ""


def test_whoever_guesses_keys_holds_few_threads(ring: Keyring) -> None:
    _, secret = senderkeys.issue("shop")
    assert eventually(lambda: ring.admit_patiently(secret) is not None)
    with ThreadPoolExecutor(MOST_WAITING) as guessing, ring._lock:  # no look ends for a while
        guesses = [guessing.submit(refusal, ring, f"tlk_guess{number}") for number in range(MOST_WAITING)]
        assert eventually(lambda: ring._waiting._value == 0)
        began = time.monotonic()
        assert refusal(ring, "tlk_another") == CROWDED and ring.admit_patiently(secret)
        assert time.monotonic() - began < PATIENCE_S / 2
        assert {guess.result() for guess in guesses} == {STRANGE}
    assert refusal(ring, "tlk_another") == STRANGE


def test_a_key_ends_by_itself(ring: Keyring) -> None:
    _, secret = senderkeys.issue("demo", until_ns=now_ns() + 1_000_000_000)
    assert refusal(ring, secret) == ""
    assert eventually(lambda: refusal(ring, secret) == "the key demo is over")


def test_without_a_database_the_door_neither_opens_nor_shuts(conninfo: str) -> None:
    where = [conninfo]
    _, secret = senderkeys.issue("shop")
    ring = Keyring(lambda: where[0], lambda: False).start()
    assert refusal(ring, secret) == ""
    where[0] = "host=127.0.0.1 port=1 dbname=none"
    ring._leave()
    time.sleep(1.2)
    assert refusal(ring, secret) == "" and refusal(ring, "") == NO_KEY
    ring.close()
    blind = Keyring(lambda: where[0], lambda: False).start()
    assert refusal(blind, secret) == NOT_YET
    blind.close()


def test_http_refuses_before_the_body_is_read(port: int, quiet: Quiet) -> None:
    senderkeys.issue("shop")
    assert eventually(lambda: ask(port, REQUEST)[0] == 401)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.putrequest("POST", "/v1/traces")
    connection.putheader("Content-Type", "application/x-protobuf")
    connection.putheader("Content-Length", "50000000")
    connection.endheaders()  # and not a byte of the body
    answer = connection.getresponse()
    assert answer.status == 401 and answer.headers["WWW-Authenticate"] == "Bearer"
    assert Status.FromString(answer.read()).code == 16
    connection.close()
    assert set(quiet.said) == {NO_KEY}


def test_http_lets_a_key_in_and_names_a_revoked_one(ring: Keyring, port: int, quiet: Quiet) -> None:
    made, secret = senderkeys.issue("shop")
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    for headers in ({"Authorization": f"Bearer {secret}"}, {"X-Threadline-Key": secret}):
        assert ask(port, REQUEST, PROTOBUF | headers)[0] == 200
    senderkeys.revoke(made)
    assert eventually(lambda: ask(port, REQUEST, PROTOBUF | {"X-Threadline-Key": secret})[0] == 401)
    assert quiet.said[-1] == "revoked key shop"


def test_a_preflight_needs_no_key(port: int) -> None:
    senderkeys.issue("shop")
    assert eventually(lambda: ask(port, REQUEST)[0] == 401)
    asking = {"Origin": "https://shop.example", "Access-Control-Request-Headers": "authorization"}
    status, headers, _ = ask(port, None, asking, method="OPTIONS")
    assert status == 204 and headers["Access-Control-Allow-Headers"] == "authorization"


def test_over_the_limit_is_come_again_on_http(ring: Keyring, port: int) -> None:
    _, secret = senderkeys.issue("shop", limit=1)
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    batch = bodies.traces(*(bodies.span() for _ in range(5))).SerializeToString()
    headers = PROTOBUF | {"X-Threadline-Key": secret}
    assert ask(port, batch, headers)[0] == 200
    status, told, body = ask(port, batch, headers)
    assert status == 503 and 1 <= int(told["Retry-After"]) <= 9
    assert "over its limit of 1 records a second" in Status.FromString(body).message


def test_grpc_lets_a_key_in_and_refuses_without(ring: Keyring, export: Any, quiet: Quiet) -> None:
    made, secret = senderkeys.issue("shop", limit=2)
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    for metadata in ([("authorization", f"Bearer {secret}")],):
        assert (
            export(bodies.traces(*(bodies.span() for _ in range(9))).SerializeToString(), metadata=metadata)
            == b""
        )
    assert code(export, [("x-threadline-key", secret)]) == grpc.StatusCode.UNAVAILABLE
    assert (
        code(export, []) == code(export, [("x-threadline-key", "tlk_x")]) == grpc.StatusCode.UNAUTHENTICATED
    )
    senderkeys.revoke(made)
    revoked = [("x-threadline-key", secret)]
    assert eventually(lambda: code(export, revoked) == grpc.StatusCode.UNAUTHENTICATED)
    assert quiet.said[-1] == "revoked key shop"


def test_grpc_says_when_to_come_again(ring: Keyring, export: Any) -> None:
    _, secret = senderkeys.issue("shop", limit=1)
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    metadata = [("x-threadline-key", secret)]
    export(bodies.traces(*(bodies.span() for _ in range(5))).SerializeToString(), metadata=metadata)
    with pytest.raises(grpc.RpcError) as caught:
        export(REQUEST, metadata=metadata)
    trailers = {one.key: one.value for one in caught.value.trailing_metadata()}
    retry = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert 1 <= retry.retry_delay.seconds <= 9


def code(export: Any, metadata: list[tuple[str, str]]) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        export(REQUEST, metadata=metadata, timeout=10)
    found: grpc.StatusCode = caught.value.code()
    return found


def test_grpc_refuses_a_call_without_a_message(ring: Keyring, channel: grpc.Channel) -> None:
    senderkeys.issue("shop")
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    _, secret = senderkeys.issue("new")  # not known yet, so it is asked for while the call waits
    calling = channel.stream_unary(EXPORT, None, None)
    with pytest.raises(grpc.RpcError) as caught:
        calling(iter(()), metadata=(("x-threadline-key", secret),), timeout=10)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "This call carries no message."


def test_grpc_refuses_a_message_it_never_reads(ring: Keyring, export: Any) -> None:
    """Larger than the library would take: had it been read, the answer would be RESOURCE_EXHAUSTED."""
    senderkeys.issue("shop")
    assert eventually(lambda: refusal(ring, "") == NO_KEY)
    with pytest.raises(grpc.RpcError) as caught:
        export(bytes(70 * 1024 * 1024), timeout=20)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_processes_share_a_limit_within_a_second_or_two(conninfo: str, ring: Keyring) -> None:
    _, secret = senderkeys.issue("shop", limit=10)
    ring.look()
    other = Keyring(lambda: conninfo, lambda: False).start()
    there, here = other.admit_patiently(secret), ring.admit_patiently(secret)
    assert here is not None and there is not None
    ring.look()
    other.look()
    here.spend(500)
    assert eventually(lambda: "over its limit" in refusal(other, secret))
    other.close()


def test_last_use_is_written_and_kept(ring: Keyring) -> None:
    made, secret = senderkeys.issue("shop")
    ring.look()
    ring.admit_patiently(secret)
    ring.look()
    first = senderkeys.SenderKey.objects.get(pk=made.pk).used_ns
    ring.admit_patiently(secret)
    ring.look()
    assert first and senderkeys.SenderKey.objects.get(pk=made.pk).used_ns == first


def test_asking_takes_microseconds(ring: Keyring) -> None:
    _, secret = senderkeys.issue("shop", limit=1_000_000)
    ring.admit_patiently(secret)
    began = time.perf_counter()
    for _ in range(2_000):
        ring.admit(secret)
    assert (time.perf_counter() - began) / 2_000 < 100e-6
