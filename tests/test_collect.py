"""The receiving command where a port is taken after it was found free, which `test_up` cannot time."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from tests.otlp_shelf import Shelf
from tests.product import free_ports
from tracing import ports, postgres, sharing, storing
from tracing.management.commands import collect
from tracing.sentence import Sentence
from tracing.stopping import event


class Closing(Shelf):
    """A store that remembers being closed."""

    closed = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__()

    def close(self) -> None:
        self.closed = True

    def ready(self) -> str | None:
        return None


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as holding:
        yield holding.getsockname()[1]


# cheroot leaves a socket that it could not bind to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("flag", ["--otlp-port", "--grpc-port"])
def test_a_port_taken_at_the_last_moment_is_a_sentence(
    flag: str, taken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[sharing.Dealer] = []
    monkeypatch.setattr(settings, "RECEIVERS", 1)
    monkeypatch.setattr(storing, "Store", Closing)
    monkeypatch.setattr(ports, "demand_free", lambda *arguments: None)
    monkeypatch.setattr(sharing.Dealer, "start", started.append)
    monkeypatch.setattr("tracing.stopping.SIGNALS", ())
    otlp, grpc = free_ports(2)
    options = {"host": "127.0.0.1", "otlp_port": otlp, "grpc_port": grpc}
    options[flag.removeprefix("--").replace("-", "_")] = taken
    said = f"Port {taken} on 127.0.0.1 is taken: .* {flag} PORT"
    with pytest.raises(Sentence, match=said), collect.storing() as store:
        collect.receive(store, options, event())
    assert isinstance(store, Closing) and store.closed and not started
    other = grpc if flag == "--otlp-port" else otlp
    assert postgres.wait_until(lambda: ports.why_taken("127.0.0.1", other) is None, 5)
