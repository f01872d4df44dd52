"""`manage.py up` as its user meets it: the ready line, what dies, what is refused, how it stops."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from tests import product
from tests.product import Running
from tracing import child, postgres
from tracing.cluster import locate
from tracing.unavailable import SENTENCE

READY = "Threadline is ready"


@pytest.fixture(scope="module")
def up() -> Iterator[Running]:
    """A product of this module's own, because its parts are killed."""
    with (
        tempfile.TemporaryDirectory(prefix="threadline-test-") as home,
        product.started(Path(home)) as started,
    ):
        yield started


def until(done: Callable[[], bool], seconds: float) -> bool:
    return postgres.wait_until(done, seconds)


def is_ready(running: Running) -> bool:
    return product.status(f"{running.otlp}/readyz") == product.status(f"{running.url}/readyz") == 200


def accepts(running: Running) -> bool:
    return product.send(running) == 200


def test_one_line_says_where_everything_is(up: Running) -> None:
    lines = [line for line in up.said.splitlines() if line.startswith(READY)]
    assert len(lines) == 1
    for address in (up.url, up.otlp, up.grpc):
        assert address in lines[0]


def test_everything_answers(up: Running) -> None:
    assert is_ready(up)
    assert product.status(f"{up.otlp}/healthz") == product.status(f"{up.url}/healthz") == 200
    assert product.status(f"{up.url}/") == 200
    assert product.status(f"{up.url}/static/threadline.css") == 200
    assert accepts(up)
    with grpc.insecure_channel(up.grpc) as channel:
        grpc.channel_ready_future(channel).result(timeout=5)


def test_the_web_port_takes_otlp_too(up: Running) -> None:
    headers = {"Content-Type": "application/json"}
    assert product.status(f"{up.url}/v1/traces", b"{}", headers) == 200
    assert product.status(f"{up.url}/v1/logs", b"{}", headers) == 200


def test_pages_answer_to_our_names_only(up: Running) -> None:
    assert product.status(f"{up.url}/", headers={"Host": "evil.example"}) == 400
    assert product.status(f"{up.url}/", headers={"Host": "localhost"}) == 200


def test_pages_forbid_what_they_do_not_need(up: Running) -> None:
    with urllib.request.urlopen(f"{up.url}/", timeout=10) as response:
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("name", ["collect", "pages", "watch", "database"])
def test_what_dies_is_started_again_and_said(up: Running, name: str) -> None:
    before, said = up.children()[name], len(up.said)
    os.kill(before, signal.SIGKILL)
    assert until(lambda: up.children().get(name, before) != before, 10)
    assert until(lambda: is_ready(up) and accepts(up), 10)
    news = "The database had ended; it runs again." if name == "database" else f"{name} ended"
    assert until(lambda: news in up.said[said:], 5)
    assert set(up.children()) == {"collect", "pages", "watch", "database"}
    assert READY not in up.said[said:]


def manage(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(product.ROOT / "manage.py"), *words],
        env=product.environ(home, more),
        cwd=product.ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )


def refused(ended: subprocess.CompletedProcess[str]) -> str:
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_a_taken_port_is_refused(tmp_path: Path, up: Running) -> None:
    taken = up.otlp.rpartition(":")[2]
    web, over_grpc = product.free_ports(2)
    ended = manage(tmp_path, "up", f"--port={web}", f"--otlp-port={taken}", f"--grpc-port={over_grpc}")
    assert f"Port {taken} on 127.0.0.1 is taken" in refused(ended)
    assert "--otlp-port" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_other_machines_are_refused(tmp_path: Path, host: str) -> None:
    assert "Other machines can reach" in refused(manage(tmp_path, "up", "--host", host))


@pytest.mark.parametrize(
    ("command", "ports"),
    [
        ("up", ("port", "otlp-port", "grpc-port")),
        ("migrate", ()),
        ("watch", ()),
        ("pages", ("port",)),
        ("collect", ("otlp-port", "grpc-port")),
    ],
)
def test_an_unreachable_database_is_one_sentence(
    tmp_path: Path, command: str, ports: tuple[str, ...]
) -> None:
    url = "postgresql://ann:secret@127.0.0.1:1/none"
    free = product.free_ports(len(ports))
    flags = [f"--{name}={port}" for name, port in zip(ports, free, strict=True)]
    ended = manage(tmp_path, command, *flags, DATABASE_URL=url)
    assert "The database none at 127.0.0.1:1 does not answer" in refused(ended)
    assert "secret" not in ended.stderr


def assert_stops(running: Running, wanted: signal.Signals) -> None:
    children = running.children()
    assert {"collect", "pages", "watch"} <= set(children)
    # A sender that keeps its connection must not hold anything up.
    with socket.create_connection(("127.0.0.1", int(running.otlp.rpartition(":")[2]))):
        begun = time.monotonic()
        running.process.send_signal(wanted)
        assert running.process.wait(10) == 0
    assert time.monotonic() - begun < 10
    assert [name for name, pid in children.items() if child.alive(pid)] == []
    assert "Traceback" not in running.said


def test_it_stops_while_it_starts(tmp_path: Path) -> None:
    running = product.start(tmp_path)
    assert until(lambda: "collect" in running.children(), 20)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(10) == 0
    assert READY not in running.said
    product.forget(tmp_path)


def test_two_homes_run_side_by_side(up: Running, tmp_path: Path) -> None:
    with product.started(tmp_path) as other:
        assert until(lambda: {"database", "collect"} <= up.children().keys(), 10)
        assert not set(other.children().values()) & set(up.children().values())
        assert accepts(other)
        assert_stops(other, signal.SIGTERM)
    assert is_ready(up)


def test_after_a_kill_it_starts_again_at_once(tmp_path: Path) -> None:
    """On the same ports and the same home: what the killed one left behind goes by itself."""
    numbers = product.free_ports(3)
    first = product.start(tmp_path, numbers)
    product.wait_ready(first)
    children = first.children()
    first.process.kill()
    first.process.wait()
    again = product.start(tmp_path, numbers)
    try:
        assert until(lambda: again.said.count(READY) == 2, 30)
        assert not set(children.values()) & set(again.children().values())
        assert accepts(again)
    finally:
        assert product.end(again) == 0
        product.forget(tmp_path)


@pytest.mark.slow
def test_the_demo_is_played_and_goes_on(tmp_path: Path) -> None:
    with product.started(tmp_path, ("--demo",)) as running:
        assert until(lambda: "  A whole life: " in running.said, 120)
        address = next(line.strip() for line in running.said.splitlines() if "/flow/entity/order/" in line)
        assert product.status(address) == 200
        assert until(lambda: "demo" in running.children(), 20)
        assert_stops(running, signal.SIGTERM)


def test_a_second_one_on_the_same_home_shares_its_database(up: Running) -> None:
    second = product.start(up.home)
    try:
        product.wait_ready(second)
        assert "database" not in second.children()
        assert accepts(second)
        assert_stops(second, signal.SIGINT)
    finally:
        product.end(second)
    assert accepts(up)


@pytest.mark.parametrize(
    "more", [{"DATABASE_URL": "postgresql://127.0.0.1:1/none"}, {}], ids=["one's own", "embedded"]
)
def test_receiving_says_503_before_the_database_is_there(tmp_path: Path, more: dict[str, str]) -> None:
    """As `up` starts it, which brings the embedded one itself; by hand it would not start."""
    otlp, over_grpc = product.free_ports(2)
    with subprocess.Popen(
        [
            sys.executable,
            str(product.ROOT / "manage.py"),
            "collect",
            "--wait",
            f"--otlp-port={otlp}",
            f"--grpc-port={over_grpc}",
        ],
        env=product.environ(tmp_path, more),
        cwd=product.ROOT,
        stderr=subprocess.DEVNULL,
    ) as process:
        address = f"http://127.0.0.1:{otlp}"
        assert until(lambda: product.status(f"{address}/healthz") == 200, 20)
        assert product.status(f"{address}/readyz") == 503
        request = urllib.request.Request(
            f"{address}/v1/traces", product.one_span(), {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as answer:
            urllib.request.urlopen(request, timeout=20)
        with answer.value:
            assert answer.value.code == 503
            assert 1 <= int(answer.value.headers["Retry-After"]) <= 9
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    assert not locate(tmp_path).data.exists()  # nor does it become the owner of one


def page(url: str) -> str:
    """The body of a page that says 503."""
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(url, timeout=10)
    with answer.value:
        assert answer.value.code == 503
        return answer.value.read().decode()


def migrate_twice_at_once(home: Path, url: str) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, str(product.ROOT / "manage.py"), "migrate", "--verbosity=0"],
            env=product.environ(home, {"DATABASE_URL": url}),
            cwd=product.ROOT,
        )
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both] == [0, 0]


def test_a_database_of_ones_own_may_come_and_go(tmp_path: Path) -> None:
    """With DATABASE_URL nothing is embedded; what is away is said, and is back without a restart."""
    home = tmp_path / "home"
    home.mkdir()
    with postgres.running(tmp_path / "database", {"fsync": "off"}) as server:
        url = f"postgresql://threadline@/threadline?host={server.cluster.sockets}"
        migrate_twice_at_once(home, url)
        with product.started(home, more={"DATABASE_URL": url}) as running:
            children = running.children()
            assert set(children) == {"collect", "pages", "watch"}
            assert accepts(running)
            assert product.status(f"{running.url}/flows") == 200
            server.stop()
            assert product.send(running) == 503
            assert product.status(f"{running.otlp}/readyz") == product.status(f"{running.url}/readyz") == 503
            assert SENTENCE in page(f"{running.url}/flows")
            assert page(f"{running.url}/flows?format=txt") == f"{SENTENCE}\n"
            server.start()
            assert until(lambda: accepts(running) and product.status(f"{running.url}/flows") == 200, 5)
            assert is_ready(running)
            assert running.children() == children
        assert not (home / "postgres").exists()
    product.forget(tmp_path / "database")
