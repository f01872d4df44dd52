"""The watcher is killed at random points: what must hold of flips and messages afterwards.

A web server counts what arrives. Every turn is there once and follows on the one before; every message arrived, and what
arrived twice did so under the same id and said that it may.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tests.drill.house import House, end
from tests.drill.watchers import PATIENCE_S, Process
from tests.receivers import Hook
from tracing import clock

# From the moment at which the watcher is given a time until it dies.
LONGEST_LIFE_S = 0.5
ANSWER_S = 0.1
CALM_STEP_NS = 150_000_000_000

# All is told and sent that can be: a message whose sender died holds up its channel until it counts as in doubt.
_QUIET = """
SELECT NOT EXISTS (SELECT 1 FROM flip WHERE NOT told)
    AND NOT EXISTS (SELECT 1 FROM message WHERE state = 'trying' AND tried_ns < %(now)s - 120000000000)
    AND (EXISTS (SELECT 1 FROM message WHERE state = 'trying')
        OR NOT EXISTS (SELECT 1 FROM message WHERE state = 'waiting' AND not_before_ns <= %(now)s))
"""
_THERE = "SELECT count(*) > 2 FROM pg_stat_activity WHERE application_name = 'threadline watch'"
# A turn that was written twice: nothing of the flow or problem lies between the two. A problem that gets worse, better
# without a word, and worse again has turned twice.
_TWICE = """
SELECT count(*) FROM (
    SELECT before, after, lag(before) OVER same AS before_last, lag(after) OVER same AS last FROM flip
    WINDOW same AS (PARTITION BY coalesce(flow_id, problem_id) ORDER BY judged_ns, at_ns)
) AS f WHERE before IS NOT DISTINCT FROM before_last AND after = last AND before <> 'ended' AND after <> 'worse'
"""
# Turns that do not follow on the one before; what is in order turns without a word.
_BROKEN = """
SELECT count(*) FROM (
    SELECT before, after, lag(after) OVER (PARTITION BY flow_id ORDER BY judged_ns, at_ns) AS last
    FROM flip WHERE flow_id IS NOT NULL
) AS f WHERE last IS NOT NULL AND before IS DISTINCT FROM last
    AND NOT (last IN ('moving', 'due', 'ended') AND before IN ('moving', 'due', 'ended'))
"""
# What got worse is as it was, what is reopened is open.
_PROBLEMS_BROKEN = """
SELECT count(*) FROM (
    SELECT before, after, lag(CASE after WHEN 'worse' THEN before WHEN 'reopened' THEN 'open' ELSE after END)
        OVER (PARTITION BY problem_id ORDER BY judged_ns, at_ns) AS last
    FROM flip WHERE problem_id IS NOT NULL
) AS f WHERE last IS NOT NULL AND before IS DISTINCT FROM last
"""
# Who stands wrong and whose last flip says something else.
_LOST = """
SELECT count(*) FROM expectation e LEFT JOIN LATERAL (
    SELECT after FROM flip WHERE flow_id = e.flow_id ORDER BY judged_ns DESC, at_ns DESC LIMIT 1
) AS f ON true WHERE verdict IN ('late', 'stuck') AND f.after IS DISTINCT FROM verdict
"""
_PENDING = "SELECT count(*) > 0 FROM message WHERE state IN ('waiting', 'trying')"


class Killed(Process):
    """A watcher that dies again and again, without a word, and is started anew."""

    def __init__(self, house: House, times: int, share: float, seed: int) -> None:
        super().__init__(house)
        self.left, self.killed = times, 0
        self._share, self._source = share, random.Random(seed)
        self._dies: float | None = None

    def settle(self, at_ns: int) -> None:
        self.judge(at_ns)
        self._await(lambda: self.house.database.execute(_QUIET.encode(), {"now": at_ns}).fetchone())

    def _await(self, asked: Callable[[], tuple[object, ...] | None]) -> None:
        until = time.monotonic() + PATIENCE_S
        if (
            self.left
            and self._dies is None
            and self._source.random() < self._share
            and self.house.asked(_THERE)
        ):
            self._dies = time.monotonic() + self._source.uniform(0.0, LONGEST_LIFE_S)
        while not (row := asked()) or not row[0]:
            assert time.monotonic() < until, "the watcher does not keep up"
            self._die()
            time.sleep(0.002)

    def _die(self) -> None:
        if self._dies is None or time.monotonic() < self._dies:
            return
        assert self.house.watch is not None
        end(self.house.watch, signal.SIGKILL)
        self.house.watch = self.house.begin("watch", "--wait", follows=self.house.watching)
        self._dies, self.left, self.killed = None, self.left - 1, self.killed + 1


def listen(house: House, hook: Hook) -> None:
    """A channel and a route to the web server: everything that may be told, and again every two hours."""
    hook.pause_s = ANSWER_S
    row = house.database.execute(
        "INSERT INTO tracing_channel (label, address, by_mail, enabled, error) VALUES ('drill', %s, false, true, '')"
        " RETURNING id",
        (hook.address,),
    ).fetchone()
    assert row is not None
    house.database.execute(
        "INSERT INTO tracing_route (position, channel_id, types, kinds, environment, severity, wait_s, interval_s, repeat_s,"
        " goes_on, enabled) VALUES (0, %s, '[]', '[]', '', 2, 30, 300, 7200, false, true)",
        (row[0],),
    )


def follow(house: House, keys: Sequence[str]) -> None:
    """Somebody follows these orders: a message for each of their moves."""
    from tracing.mentions import flow_id

    channel = house.asked("SELECT id FROM tracing_channel")
    for key in keys:
        house.database.execute(
            "INSERT INTO tracing_follow (flow_id, channel_id, name, since_ns) VALUES (%s, %s, 'drill', %s)",
            (flow_id("entity", "order", key, "production"), channel, clock.now_ns()),
        )


def calm(house: House, watcher: Killed, at_ns: int) -> int:
    """A while without a death, so that what a crash left in doubt is sent again; until when."""
    watcher.left, watcher._dies = 0, None
    until = time.monotonic() + PATIENCE_S
    while house.asked(_PENDING) and time.monotonic() < until:
        at_ns += CALM_STEP_NS
        house.reach(at_ns)
        watcher.settle(at_ns)
        time.sleep(0.2)
    clock.set_file(house.watching, at_ns)
    return at_ns


def counted(house: House, hook: Hook) -> dict[str, Any]:
    """What was found; everything after the first four must be zero."""
    arrived = Counter(str(one["message_id"]) for one in hook.got)
    repeated = Counter(str(one["message_id"]) for one in hook.got if one["repeated"] == "true")
    rows = house.database.execute("SELECT message_id, state, doubtful FROM message").fetchall()
    sent = {row[0] for row in rows if row[1] == "sent"}
    doubtful = {row[0] for row in rows if row[2]}
    twice = {number for number, times in arrived.items() if times > 1}
    return {
        "flips": house.asked("SELECT count(*) FROM flip"),
        "messages": len(rows),
        "sent": len(sent),
        "arrived_twice": len(twice),
        "flips_twice": house.asked(_TWICE),
        "flow_flips_out_of_line": house.asked(_BROKEN),
        "problem_flips_out_of_line": house.asked(_PROBLEMS_BROKEN),
        "flips_lost": house.asked(_LOST),
        "flips_untold": house.asked("SELECT count(*) FROM flip WHERE NOT told"),
        "messages_lost": len(sent - arrived.keys()),
        "messages_unsent": sum(row[1] not in ("sent", "dropped") for row in rows),
        "arrived_unknown": len(arrived.keys() - {row[0] for row in rows}),
        "twice_without_mark": sum(repeated[number] < arrived[number] - 1 for number in twice),
        "twice_without_doubt": len(twice - doubtful),
    }
