"""The gRPC services over a real channel, with a store that fails on demand; `test_protocol` has the real store."""

import gzip
import random
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import otlp_bodies as bodies
from tests.otlp_shelf import Open, Quiet, Shelf
from tests.product import free_ports
from tracing.otlp import grpc as services
from tracing.otlp import limits
from tracing.storing import Unavailable

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
REQUEST = bodies.traces(bodies.span()).SerializeToString()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def export(shelf: Shelf) -> Iterator[Any]:
    (port,) = free_ports(1)
    serving = services.serve(shelf, f"127.0.0.1:{port}", Quiet(), Open())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel.unary_unary(EXPORT, None, None)
    serving.stop(1).wait()


def failure_of(export: Any, message: bytes = REQUEST) -> tuple[grpc.RpcError, dict[str, Any]]:
    with pytest.raises(grpc.RpcError) as caught:
        export(message, timeout=10)
    error: Any = caught.value
    return error, dict(error.trailing_metadata())


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (Unavailable("The database cannot be reached.", 1), 1),
        (Unavailable("The database cannot be reached.", 60), 9),
        (RuntimeError("a fault of ours"), 5),
        (MemoryError(), 5),
    ],
)
def test_trouble_of_ours_is_retryable_for_every_sdk(
    export: Any, shelf: Shelf, trouble: BaseException, seconds: int
) -> None:
    shelf.trouble = trouble
    error, trailers = failure_of(export)
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    # Python reads the trailer, Go the details.
    assert RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.seconds == seconds
    status, told = Status.FromString(trailers["grpc-status-details-bin"]), RetryInfo()
    assert status.code == 14 and status.details[0].Unpack(told) and told.retry_delay.seconds == seconds
    shelf.trouble = None
    assert export(REQUEST, timeout=10) == b""


def test_too_much_at_once_is_retryable(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.Budget.__init__, "__defaults__", (10,))
    (port,) = free_ports(1)
    serving = services.serve(shelf, f"127.0.0.1:{port}", Quiet(), Open())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        error, trailers = failure_of(channel.unary_unary(EXPORT, None, None))
    serving.stop(1).wait()
    assert error.code() == grpc.StatusCode.UNAVAILABLE and "google.rpc.retryinfo-bin" in trailers


def test_many_members_do_not_copy_the_whole_message_each(
    export: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a gzip member copies what is left of its piece; a message of one piece is copied a thousand times."""
    sizes: list[int] = []
    inflate = limits.unpacked

    def noted(parts: Iterator[bytes], packing: str) -> Iterator[bytes]:
        held = list(parts)
        sizes.extend(map(len, held))
        return inflate(iter(held), packing)

    monkeypatch.setattr(limits, "unpacked", noted)
    message = gzip.compress(b"") * 900 + gzip.compress(random.Random(1).randbytes(200_000))
    error, _ = failure_of(export, message)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "protobuf" in str(error.details())
    assert max(sizes) <= 64 * 1024 and sum(sizes) == len(message)


def test_a_message_for_another_signal_stores_nothing(export: Any, shelf: Shelf) -> None:
    answer = export(bodies.logs(bodies.log()).SerializeToString(), timeout=10)
    assert b"trace id" in answer and not shelf.batches[0].spans


def test_an_address_in_use_is_said(shelf: Shelf) -> None:
    (port,) = free_ports(1)
    serving = services.serve(shelf, f"127.0.0.1:{port}", Quiet(), Open())
    with pytest.raises(RuntimeError):
        services.serve(shelf, f"127.0.0.1:{port}", Quiet(), Open())
    serving.stop(0).wait()


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100) | st.binary(max_size=40).map(lambda rest: b"\x1f\x8b\x08" + rest))
def test_any_bytes_get_an_answer(export: Any, message: bytes) -> None:
    try:
        export(message, timeout=10)
    except grpc.RpcError as error:
        answer: Any = error
        assert answer.code() == grpc.StatusCode.INVALID_ARGUMENT
