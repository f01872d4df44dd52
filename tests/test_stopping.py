"""A process that is told to stop, once or many times at once."""

import os
import signal
import subprocess
import sys

import pytest

from tests.product import ROOT
from tracing import stopping

WAITING = "from tracing import stopping; stop = stopping.event(); print('ready', flush=True); stop.wait(); print('stopped')"

# What a signal can interrupt: the moment in which the waiting thread holds the event's own lock.
INTERRUPTED = """
import os, signal
from tracing import stopping
stop = stopping.event()
with stop._cond:
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(100):
        pass
stop.wait()
print("stopped")
"""


def test_a_signal_in_the_middle_of_waiting_is_not_a_deadlock() -> None:
    told = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=10,
        check=True,
    )
    assert told.stdout == "stopped\n"


@pytest.mark.parametrize("numbers", [[number] for number in stopping.SIGNALS] + [[*stopping.SIGNALS] * 200])
def test_it_ends_however_often_it_is_told(numbers: list[signal.Signals]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for number in numbers:
            os.kill(process.pid, number)
        try:
            told, _ = process.communicate(timeout=10)
        finally:
            process.kill()
    assert told == "stopped\n"
    assert process.returncode == 0
