"""kill -9 in the middle of load: what was acknowledged is there once, nothing is there twice.

Three senders, over HTTP and gRPC, repeat each request until it is acknowledged, as the SDKs' exporters do.
"""

import contextlib
import http.client
import os
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as messages
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests import product
from tests.product import Running

SPANS_A_REQUEST = 50
ORDERS = ("fault-1", "fault-2", "fault-3")
LOAD_S = 2.0
GIVE_UP_S = 60.0


class Sender(threading.Thread):
    """Sends new spans until `enough`; each request again and again until it is acknowledged."""

    def __init__(self, running: Running) -> None:
        super().__init__()
        self.running = running
        self.enough = threading.Event()
        self.acknowledged: list[bytes] = []
        self.requests = 0
        self.repeats = 0

    def run(self) -> None:
        while not self.enough.is_set():
            ids, request = self.request()
            deadline = time.monotonic() + GIVE_UP_S
            while not self.attempt(request):
                if time.monotonic() > deadline:
                    return
                self.repeats += 1
                time.sleep(0.05)
            self.acknowledged += ids
            self.requests += 1

    def request(self) -> tuple[list[bytes], messages.ExportTraceServiceRequest]:
        request = messages.ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        ids, trace_id, now = [], secrets.token_bytes(16), time.time_ns()
        for number in range(SPANS_A_REQUEST):
            ids.append(secrets.token_bytes(8))
            span = spans.add(trace_id=trace_id, span_id=ids[-1], name="pick", start_time_unix_nano=now)
            span.end_time_unix_nano = now + 1000
            order = span.attributes.add(key="order.id")
            order.value.string_value = ORDERS[number % len(ORDERS)]
        return ids, request

    def attempt(self, request: messages.ExportTraceServiceRequest) -> bool:
        raise NotImplementedError


class OverHttp(Sender):
    connection: http.client.HTTPConnection | None = None

    def attempt(self, request: messages.ExportTraceServiceRequest) -> bool:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                self.running.otlp.removeprefix("http://"), timeout=12
            )
        headers = {"Content-Type": "application/x-protobuf"}
        try:
            self.connection.request("POST", "/v1/traces", request.SerializeToString(), headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            return False
        assert answer.status in (200, 503), answer.status
        return answer.status == 200

    def run(self) -> None:
        super().run()
        if self.connection is not None:
            self.connection.close()


class OverGrpc(Sender):
    def run(self) -> None:
        options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]
        with grpc.insecure_channel(self.running.grpc, options) as channel:
            self.stub = TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            super().run()

    def attempt(self, request: messages.ExportTraceServiceRequest) -> bool:
        try:
            self.stub.Export(request, timeout=12)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), error
            return False
        return True


@contextlib.contextmanager
def load(running: Running) -> Iterator[list[Sender]]:
    """Senders at work around the block, for a while before it and after it; each was acknowledged before it."""
    senders = [OverHttp(running), OverHttp(running), OverGrpc(running)]
    for sender in senders:
        sender.start()
    try:
        time.sleep(LOAD_S)
        deadline = time.monotonic() + GIVE_UP_S
        while not all(sender.requests for sender in senders):
            assert time.monotonic() < deadline, "a sender was never acknowledged"
            time.sleep(0.05)
        yield senders
        time.sleep(LOAD_S)
    finally:
        for sender in senders:
            sender.enough.set()
        for sender in senders:
            sender.join(GIVE_UP_S + 20)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="threadline-test-") as folder:
        yield Path(folder)
        product.forget(Path(folder))


@pytest.fixture
def running(home: Path) -> Iterator[Running]:
    ports = product.free_ports(3)
    started = product.start(home, ports)
    try:
        product.wait_ready(started)
        with psycopg.connect(started.conninfo, autocommit=True) as connection:
            connection.execute("TRUNCATE span, request, flow, chapter, member")
        yield started
    finally:
        product.end(started)


def assert_stored_once(running: Running, senders: list[Sender]) -> None:
    acknowledged = [one for sender in senders for one in sender.acknowledged]
    assert len(acknowledged) == len(set(acknowledged)) > 0
    assert sum(sender.repeats for sender in senders) > 0, "the kill hit nobody"
    with psycopg.connect(running.conninfo) as connection:
        stored = [row[0] for row in connection.execute("SELECT span_id FROM span").fetchall()]
        assert len(stored) == len(set(stored)), "something is there twice"
        assert set(stored) == set(acknowledged)
        for table in ("request", "flow", "chapter"):
            row = connection.execute(f"SELECT sum(spans) FROM {table}").fetchone()
            assert row is not None
            assert row[0] == len(stored), f"{table} counts {row[0]} of {len(stored)} spans"


@pytest.mark.parametrize("victim", ["database", "collect"])
def test_one_part_is_killed_under_load(running: Running, victim: str) -> None:
    with load(running) as senders:
        os.kill(running.children()[victim], signal.SIGKILL)
    assert_stored_once(running, senders)
    assert running.process.poll() is None


def test_everything_is_killed_under_load(running: Running, home: Path) -> None:
    ports = [int(address.rpartition(":")[2]) for address in (running.url, running.otlp, running.grpc)]
    with load(running) as senders:
        children = running.children()
        for pid in [running.process.pid, *children.values()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.process.wait()
        again = product.start(home, ports)
        try:
            product.wait_ready(again)
        except BaseException:
            product.end(again)
            raise
    try:
        assert_stored_once(again, senders)
    finally:
        assert product.end(again) == 0
