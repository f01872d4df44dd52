"""Who judges in a drill: the product's watcher as a process, or its duties one after the other in this one.

The process is the real thing, whose duties run beside each other: what it learned when depends on the machine. In turns
everything is repeatable, so two runs can be compared flip by flip. Both are given one moment after the other.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

import psycopg

from tests.drill.house import House
from tests.drill.truth import HOUR, MINUTE
from tracing import clock

PATIENCE_S = 120.0
# The first hours are learned from minute by minute, later an hour more says little more.
EAGER_NS = 6 * HOUR

_LOOKED = """
SELECT (SELECT began_ns FROM watch_round WHERE duty = 'judge') >= %(now)s
    AND NOT EXISTS (SELECT 1 FROM expectation WHERE looks_ns <= %(now)s)
"""
_LEARNED = "SELECT coalesce(max(learned_ns) >= %s, true) FROM learned"


class Watcher(Protocol):
    """`judge` returns when everything due at the moment is judged; `settle` also learns and keeps problems."""

    took_s: defaultdict[str, float]

    def judge(self, at_ns: int) -> None: ...
    def settle(self, at_ns: int) -> None: ...


class Process:
    """`manage.py watch`."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.took_s: defaultdict[str, float] = defaultdict(float)
        self._start_ns: int | None = None
        house.watch = house.begin("watch", "--wait", follows=house.watching)

    def judge(self, at_ns: int) -> None:
        began = time.monotonic()
        clock.set_file(self.house.watching, at_ns)
        self._await(lambda: self.house.database.execute(_LOOKED.encode(), {"now": at_ns}).fetchone())
        self.took_s["judge"] += time.monotonic() - began

    def settle(self, at_ns: int) -> None:
        self.judge(at_ns)
        began = time.monotonic()
        self._await(lambda: self.house.database.execute(_LEARNED.encode(), (at_ns - HOUR,)).fetchone())
        self.took_s["learning"] += time.monotonic() - began

    def _await(self, asked: Callable[[], tuple[object, ...] | None]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not (row := asked()) or not row[0]:
            assert time.monotonic() < until, "the watcher does not keep up"
            time.sleep(0.005)


class Turns:
    """The duties of `tracing.watch.loop` in this process, in a fixed order."""

    def __init__(self, house: House, start_ns: int) -> None:
        from tracing.watch import problems, sensing, volumes
        from tracing.watch.backlogs import count
        from tracing.watch.learning import Learner
        from tracing.watch.rounds import Rounds

        self.house, self._start_ns, self._learned_ns = house, start_ns, 0
        self.took_s: defaultdict[str, float] = defaultdict(float)
        self._connection = psycopg.connect(house.conninfo, autocommit=True)
        self._rounds, self._learner = Rounds(), Learner()
        self._volumes, self._senses, self._problems, self._count = (
            volumes.keep,
            sensing.work,
            problems.keep,
            count,
        )

    def judge(self, at_ns: int) -> None:
        clock.set_file(self.house.watching, at_ns)
        self._do("judge", self._rounds.work)

    def settle(self, at_ns: int) -> None:
        clock.set_file(self.house.watching, at_ns)
        self._do("volumes", self._volumes)
        self._do("senses", self._senses)
        self._do("judge", self._rounds.work)
        every_ns = MINUTE if at_ns - self._start_ns < EAGER_NS else HOUR
        if at_ns - self._learned_ns >= every_ns:
            self._learned_ns = at_ns
            self._do("backlogs", lambda connection: self._count(connection, at_ns))
            self._do("learning", self._learner.work)
            self._do("judge", self._rounds.work)
        self._do("problems", self._problems)

    def _do(self, name: str, work: Callable[[psycopg.Connection], bool | None]) -> None:
        began = time.monotonic()
        while work(self._connection):
            pass
        self.took_s[name] += time.monotonic() - began
