"""Connections of the OTLP port dealt out between processes: in the running product, and where a helper dies."""

import contextlib
import http.client
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import product
from tracing import sharing


@pytest.fixture(scope="module")
def shared() -> Iterator[product.Running]:
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as home,
        product.started(Path(home), more={"THREADLINE_RECEIVERS": "2"}) as running,
    ):
        yield running


def helpers(running: product.Running) -> list[int]:
    """Process ids of what the receiver started."""
    found: list[int] = []
    for path in Path(f"/proc/{running.children()['collect']}/task").glob("*/children"):
        found += [int(word) for word in path.read_text().split()]
    return found


def connect(running: product.Running) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(running.otlp.removeprefix("http://"), timeout=10)


def post(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", "/v1/traces", product.one_span(), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def post_anew(running: product.Running, times: int) -> list[int]:
    """The statuses of requests over a connection each."""
    found = []
    for _ in range(times):
        with contextlib.closing(connect(running)) as connection:
            found.append(post(connection))
    return found


def sockets(pid: int) -> int:
    """How many TCP connections a process holds open."""
    held = {str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()}
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(f"socket:[{line.split()[9]}]" in held for line in lines if line.split()[3] == "01")


def test_every_other_connection_goes_to_the_helper(shared: product.Running) -> None:
    (helper,) = helpers(shared)
    before = sockets(helper)
    connections = [connect(shared) for _ in range(6)]
    for _ in range(3):  # the same connections again: kept alive on either side
        assert [post(one) for one in connections] == [200] * 6
    assert sockets(helper) - before >= 3
    for one in connections:
        one.close()


def test_a_helper_that_dies_is_passed_over_and_started_again(shared: product.Running) -> None:
    (helper,) = helpers(shared)
    os.kill(helper, signal.SIGKILL)
    assert post_anew(shared, 4) == [200] * 4
    deadline = time.monotonic() + 15
    while helpers(shared) in ([], [helper]):
        assert time.monotonic() < deadline, shared.said
        time.sleep(0.1)
    assert post_anew(shared, 4) == [200] * 4


def test_a_helper_that_does_not_run_takes_nothing() -> None:
    helper = sharing.Helper(["collect"], {})
    ours, theirs = socket.socketpair()
    with ours, theirs, helper.giving, helper.taking:
        assert not helper.give(ours)
        dealer = sharing.Dealer([helper], print)
        assert [dealer.give(ours) for _ in range(4)] == [False] * 4
