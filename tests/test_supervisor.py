"""Children that live, die, die young, finish, and will not go: as processes, not as stand-ins."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tracing import child, supervisor
from tracing.supervisor import Child

# Plays our command line: the first word says what to do.
PROGRAM = """
import os, signal, sys, time
word = sys.argv[1]
print(word, os.environ.get("THREADLINE_PORT"), flush=True)
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if word == "fails":
    sys.exit(3)
if word != "finishes":
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    monkeypatch.setattr(supervisor, "MANAGE", path)


def until(done: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)
    return done()


def started(word: str, *, once: bool = False) -> Child:
    one = Child([word], dict(os.environ), once=once)
    one.start()
    return one


def test_a_death_is_said_and_answered_at_once() -> None:
    said: list[str] = []
    one = started("lives")
    one.started -= supervisor.QUICK_S  # it had lived a while
    assert one.process
    one.check(said.append)
    assert said == []
    first = one.process.pid
    os.kill(first, signal.SIGKILL)
    assert until(one.ended)
    one.check(said.append)
    assert said == ["lives ended (signal SIGKILL); starting it again."]
    assert one.process.pid != first
    assert not one.ended()
    supervisor.end([one], 5)


def test_one_that_dies_young_waits_longer_each_time() -> None:
    said: list[str] = []
    one = started("fails")
    pauses = []
    for _ in range(2):
        assert until(one.ended)
        begun, before = time.monotonic(), one.process
        while one.process is before and time.monotonic() < begun + 10:
            one.check(said.append)
            time.sleep(0.02)
        pauses.append(time.monotonic() - begun)
    assert said == ["fails ended (exit 3); starting it again."] * 2
    assert 0.4 < pauses[0] < pauses[1]
    supervisor.end([one], 5)


def test_what_finishes_stays_finished() -> None:
    said: list[str] = []
    one = started("finishes", once=True)
    assert until(one.ended)
    one.check(said.append)
    assert one.finished
    assert said == []


def test_ending_asks_first_and_then_insists() -> None:
    willing, stubborn = started("lives"), started("stubborn")
    time.sleep(0.5)  # until it refuses
    begun = time.monotonic()
    supervisor.end([willing, stubborn], 1.0)
    assert 0.9 < time.monotonic() - begun < 5
    assert willing.process
    assert stubborn.process
    assert willing.process.returncode == -signal.SIGTERM
    assert stubborn.process.returncode == -signal.SIGKILL


def test_children_are_told_what_the_command_line_said(tmp_path: Path) -> None:
    told = supervisor.environ_for(tmp_path, "::1", {"PORT": 1, "GRPC_PORT": 2})
    assert (told["THREADLINE_HOME"], told["THREADLINE_HOST"]) == (str(tmp_path), "::1")
    assert (told["THREADLINE_PORT"], told["THREADLINE_GRPC_PORT"]) == ("1", "2")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends orphans")
def test_a_child_goes_with_its_parent() -> None:
    parent = (
        "import time; from tracing import child;"
        "print(child.start(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        orphan = int(process.stdout.readline())
        assert child.alive(orphan)
        process.kill()
    assert until(lambda: not child.alive(orphan))
