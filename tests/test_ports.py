"""Which addresses are ours to take."""

import socket
import threading
import time

import pytest

from tests.product import free_ports
from tracing import ports
from tracing.sentence import Sentence

LOOPBACK = [
    ("127.0.0.1", "127.0.0.1"),
    ("localhost", "127.0.0.1"),
    ("127.0.0.7", "127.0.0.7"),
    ("::1", "::1"),
    ("[::1]", "::1"),
]


@pytest.mark.parametrize(("host", "address"), LOOPBACK)
def test_loopback_may_be_bound(host: str, address: str) -> None:
    assert ports.number_of(host) == address and ports.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "10.0.0.1", "", "no.such.host.invalid"])
def test_what_others_can_reach_is_known(host: str) -> None:
    assert not ports.is_loopback(host)


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(Sentence, match=r"There is no host 'no\.such\.host\.invalid' here"):
        ports.number_of("no.such.host.invalid")


def test_a_taken_port_is_said_with_its_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(Sentence, match=rf"Port {number} on 127\.0\.0\.1 is taken: .* --port PORT"):
            ports.demand_free("127.0.0.1", {"--port": number})


def test_a_port_given_twice_is_said() -> None:
    with pytest.raises(Sentence, match="--port and --otlp-port must be different ports"):
        ports.demand_free("127.0.0.1", {"--port": 5, "--otlp-port": 5})


def test_free_ports_are_free() -> None:
    first, second = free_ports(2)
    ports.demand_free("127.0.0.1", {"--port": first, "--otlp-port": second})


def test_a_port_that_is_being_left_is_waited_for() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    number = taken.getsockname()[1]
    threading.Timer(0.4, taken.close).start()
    begun = time.monotonic()
    ports.demand_free("127.0.0.1", {"--port": number}, patience_s=10)
    assert 0.3 < time.monotonic() - begun < 9
