"""OTLP over gRPC: the three services, taking raw bytes so that odd text goes the same lenient way as over HTTP.

Trouble of ours is UNAVAILABLE with RetryInfo, in the status details (Go reads it there) and as a trailer
(Python does); never UNKNOWN, on which SDKs drop their data. `receiving` stores.
"""

import functools
import io
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

import grpc

from tracing import keyring
from tracing.keyring import Key, Refused, secret_in
from tracing.otlp import limits
from tracing.otlp.answers import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Failure,
)
from tracing.otlp.receiving import Admitting, Receiver, Signal, Storing
from tracing.senders import Senders

logger = logging.getLogger(__name__)

THREADS = 16
# No export request begins with these: wire type 7 does not exist, and there is no field 15.
PACKED = {b"\x1f\x8b": "gzip"} | {
    b"\x78" + level: "deflate" for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")
}
SERVICES: dict[str, Signal] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
}
OPTIONS = [
    ("grpc.max_receive_message_length", limits.MAX_BYTES),
    # Messages are unpacked here, where the bytes are counted; the library would unpack without a limit.
    ("grpc.per_message_decompression", 0),
    # Two servers on one port would share its connections silently.
    ("grpc.so_reuseport", 0),
    # What waits for a thread waits at its sender, not here in memory.
    ("grpc.max_concurrent_streams", 32),
    # Collectors ping every ten seconds, also between exports.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
CODES = {
    INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
}


class Services(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # no generic at run time
    """The three services. Who calls is known from its headers, which come before its message.

    The library reads the message of a call with one as soon as it has a handler. A call whose key is not known to be good gets
    one for a stream of messages, which reads none until it is asked to: then it is refused unread, or goes on as the other.
    """

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        budget = limits.Budget()
        self._exports = {
            f"/{service}/Export": Export(receiver, signal, budget) for service, signal in SERVICES.items()
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        # Called by the thread that serves all calls, so nothing here may wait.
        export = self._exports.get(handler_call_details.method)
        if export is None:
            return None
        secret = _secret(handler_call_details.invocation_metadata)
        try:
            key = self._receiver.admit_now(secret)
        except Refused:
            return grpc.stream_unary_rpc_method_handler(functools.partial(self._doubted, export, secret))
        return grpc.unary_unary_rpc_method_handler(functools.partial(export, key))

    def _doubted(
        self, export: "Export", secret: str, messages: Iterator[bytes], context: grpc.ServicerContext
    ) -> bytes:
        try:
            key = self._receiver.admit(secret, "grpc")
        except Failure as failure:
            _abort(context, failure)
        message = next(messages, None)
        if message is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "This call carries no message.")
        return export(key, message, context)


def _secret(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    told = {name: value for name, value in metadata or () if isinstance(value, str)}
    return secret_in(told.get("authorization", ""), told.get("x-threadline-key", ""))


def _abort(context: grpc.ServicerContext, failure: Failure) -> NoReturn:
    context.set_trailing_metadata(_trailers(failure))
    context.abort(CODES[failure.code], failure.sentence)


class Export:
    """The one method of each service."""

    def __init__(self, receiver: Receiver, signal: Signal, budget: limits.Budget) -> None:
        self._receiver = receiver
        self._signal = signal
        self._budget = budget

    def __call__(self, key: Key | None, message: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return self._store(key, message)
        except Failure as failure:
            found = failure
        except Exception:
            logger.exception("a call could not be answered")
            found = Failure(UNAVAILABLE, "the request could not be read; send it again", 5)
        _abort(context, found)

    def _store(self, key: Key | None, message: bytes) -> bytes:
        with limits.Share(self._budget) as share:
            body = self._unpacked(message, share)
            return self._receiver.receive(self._signal, body, "protobuf", "grpc", key).protobuf()

    def _unpacked(self, message: bytes, share: limits.Share) -> bytes:
        """The message without its compression, which its first bytes tell."""
        packing = PACKED.get(message[:2])
        try:
            if packing:
                # In pieces as from a stream: each end of a gzip member copies the rest of its piece.
                parts = limits.pieces(io.BytesIO(message), len(message))
                return limits.collected(limits.unpacked(parts, packing), share)
            share.take(len(message))
            return message
        except limits.TooLarge as error:
            refused = Failure(RESOURCE_EXHAUSTED, error.sentence)
        except limits.BadPacking as error:
            refused = Failure(INVALID_ARGUMENT, str(error))
        except limits.Overloaded as error:
            raise Failure(UNAVAILABLE, error.sentence, 1) from None
        raise self._receiver.refused(refused, "grpc")


def _trailers(failure: Failure) -> tuple[tuple[str, str | bytes], ...]:
    details = ("grpc-status-details-bin", failure.protobuf())
    retry = failure.retry_info()
    if retry is None:
        return (details,)
    return (details, ("google.rpc.retryinfo-bin", retry.SerializeToString()))


def serve(
    store: Storing, address: str, senders: Senders | None = None, keys: Admitting | None = None
) -> grpc.Server:
    """A started server; the caller ends it with `stop(grace)`. Raises RuntimeError for an address in use."""
    from django.conf import settings

    from tracing import senders as noted
    from tracing.redaction import Redaction

    receiver = Receiver(
        store, Redaction(settings.REDACT), senders or noted.shared(), keys or keyring.shared()
    )
    server = grpc.server(
        ThreadPoolExecutor(THREADS, "grpc"), options=OPTIONS, compression=grpc.Compression.NoCompression
    )
    server.add_generic_rpc_handlers((Services(receiver),))
    server.add_insecure_port(address)
    server.start()
    return server
