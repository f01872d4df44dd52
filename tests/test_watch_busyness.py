"""What the judge gives of its time to work that can wait, by how busy the machine is."""

import os
import time
from pathlib import Path

import pytest

from tracing import clock
from tracing.watch.busyness import EAGER, SAVED_S, WITHOUT_DEADLINE, Budget, Busyness

Clock = list[float]


class Busy(Busyness):
    def __init__(self, busy: bool) -> None:
        self.busy = busy

    def is_busy(self) -> bool:
        return self.busy


@pytest.fixture
def passing(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Seconds that the test lets pass; the clock that flows are judged by is the true one."""
    seconds = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(clock, "is_set", lambda: False)
    return seconds


def said(stat: Path, busy: int, idle: int) -> None:
    stat.write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3 4\n")


def test_a_machine_is_busy_when_next_to_nothing_was_idle_since_it_was_asked(
    tmp_path: Path, passing: Clock
) -> None:
    stat = tmp_path / "stat"
    said(stat, 1_000, 9_000)
    asked = Busyness(stat)
    assert not asked.is_busy()
    passing[0] += 1
    said(stat, 1_195, 9_005)
    assert asked.is_busy()
    passing[0] += 0.1
    said(stat, 1_195, 9_025)
    assert asked.is_busy(), "a tenth of a second says nothing"
    passing[0] += 1
    said(stat, 1_215, 9_225)
    assert not asked.is_busy()
    passing[0] += 1
    said(stat, 5, 5)  # counted anew
    asked.is_busy()
    passing[0] += 1
    said(stat, 205, 5)
    assert asked.is_busy()


@pytest.mark.parametrize(("load", "busy"), [(0.5, False), (4.0, True)])
def test_where_the_system_does_not_count_its_load_decides(
    tmp_path: Path, passing: Clock, monkeypatch: pytest.MonkeyPatch, load: float, busy: bool
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert Busyness(tmp_path / "none").is_busy() is busy


@pytest.mark.parametrize("set_s", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("busy", [True, False])
def test_flows_without_a_deadline_get_their_share_of_the_time_and_no_more(
    passing: Clock, busy: bool, set_s: float
) -> None:
    budget = Budget(Busy(busy))
    given = 0.0
    for _ in range(600):
        passing[0] += 1  # as long as the duty rests
        budget.begin()
        while budget.has_time():
            with budget.spending(waiting=True):
                passing[0] += set_s
            given += set_s
    passed = passing[0] - 100
    assert given == pytest.approx(WITHOUT_DEADLINE[busy] * passed, abs=SAVED_S + set_s)


def test_deadlines_take_as_long_as_they_take(passing: Clock) -> None:
    budget = Budget(Busy(True))
    budget.begin()
    with budget.spending():
        passing[0] += 60
    assert budget.has_time()


@pytest.mark.parametrize("busy", [True, False])
def test_flows_in_order_are_looked_at_again_while_the_judge_has_little_to_do(
    passing: Clock, busy: bool
) -> None:
    budget = Budget(Busy(busy))
    for share, eager in ((EAGER[busy] * 2, False), (EAGER[busy] / 2, True)):
        for _ in range(60):
            budget.begin()
            with budget.spending():
                passing[0] += share
            passing[0] += 1 - share
        budget.begin()
        assert budget.is_eager() is eager
        passing[0] += 1


def test_where_the_time_is_set_from_outside_there_is_enough(
    passing: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "is_set", lambda: True)
    budget = Budget(Busy(True))
    budget.begin()
    with budget.spending(waiting=True):
        passing[0] += 60
    budget.begin()
    assert budget.has_time() and budget.is_eager()
