"""A watcher killed at any moment: every message arrives, and a second copy says that it may be one."""

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from tests import receivers
from tests.outbox import Time, Watch, routed
from tests.product import ROOT, environ
from tests.receivers import Hook
from tracing import clock

PROBLEMS_A_LIFE = 6


def killed_after(conninfo: str, time_file: Path, home: Path, seconds: float) -> None:
    """One life of a watcher, ended by SIGKILL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.watcher", conninfo, str(time_file)],
        cwd=ROOT,
        env=environ(home),
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(seconds)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def lives(worker: psycopg.Connection, conninfo: str, tmp_path: Path, hook: Hook, deaths: int) -> Watch:
    """Problems open and resolve while watchers come and die; then one of ours brings it to an end."""
    chance = random.Random(4711)
    watch = Watch(worker, Time(tmp_path / "clock", 1_780_000_000_000_000_000))
    routed("ops", hook.address, wait_s=0, interval_s=0, repeat_s=0)
    for death in range(deaths):
        for number in range(PROBLEMS_A_LIFE):
            name = f"problem-{death:04}-{number}".encode()
            watch.problem(problem_id=name, title=name.decode())
            watch.flip("forming", "open", problem_id=name)
        killed_after(conninfo, watch.time.path, tmp_path, chance.uniform(0, 0.4))
        # Beyond the two minutes after which a try without an end is in doubt.
        watch.time.pass_s(130)
        # One that went out: what is over before anybody heard of it would be dropped, and rightly.
        for (name,) in watch.messages("problem_id", phase="opened", state="sent")[death::PROBLEMS_A_LIFE]:
            watch.flip("open", "resolved", problem_id=name)
            break
    for _ in range(3):
        watch.both(130)
    return watch


def judge(watch: Watch, hook: Hook, deaths: int) -> None:
    assert {state for (state,) in watch.messages("state")} == {"sent"}
    made = {number for (number,) in watch.messages("message_id")}
    copies = Counter(message["message_id"] for message in hook.got)
    assert made == set(copies), "every message at least once, and nothing that is no message"
    opened = {message["title"] for message in hook.got if message["phase"] == "opened"}
    assert len(opened) == deaths * PROBLEMS_A_LIFE, "every flip is told"
    assert len(watch.messages(phase="opened")) == deaths * PROBLEMS_A_LIFE, "and told once"
    plain = Counter(message["message_id"] for message in hook.got if message["repeated"] == "false")
    assert max(plain.values()) == 1, "what comes again says so"
    doubtful = {number for (number,) in watch.messages("message_id", doubtful=True)}
    assert {number for number, many in copies.items() if many > 1} <= doubtful
    assert len(doubtful) <= deaths, "only what a death was in the middle of"


def kill(worker: psycopg.Connection, conninfo: str, tmp_path: Path, deaths: int) -> None:
    with receivers.hooked() as hook:
        hook.pause_s = 0.03
        try:
            watch = lives(worker, conninfo, tmp_path, hook, deaths)
            judge(watch, hook, deaths)
        finally:
            clock.follow(None)


def test_a_watcher_that_is_killed_loses_nothing(
    worker: psycopg.Connection, conninfo: str, tmp_path: Path
) -> None:
    kill(worker, conninfo, tmp_path, 3)


@pytest.mark.slow
def test_a_watcher_that_is_killed_often(worker: psycopg.Connection, conninfo: str, tmp_path: Path) -> None:
    kill(worker, conninfo, tmp_path, 60)
