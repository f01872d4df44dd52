"""Whether we were blind although we were there: all senders' records stopped at once, so something between us broke.

A duty over `arrival`, which `volumes` sums up by service and minute of our clock. `blindness` decides; a stretch stands
in `blind` until records come again. A single service that falls silent is a problem of its own (`detectors`).
"""

from collections import defaultdict

import psycopg

from tracing.clock import now_ns
from tracing.watch import blindness

MINUTE_NS = 60_000_000_000
DAY = 1_440
WINDOW = 60  # minutes looked at
DAYS = 7

_ARRIVED = """
SELECT service, environment, minute, records FROM arrival
WHERE minute > %(now)s - %(window)s AND minute <= %(now)s
    OR minute > %(now)s - %(days)s * 1440 AND (%(now)s - minute) %% 1440 < %(window)s
"""
_OPEN = "SELECT from_ns FROM blind WHERE until_ns IS NULL ORDER BY from_ns LIMIT 1"
_BEGIN = "INSERT INTO blind (from_ns) VALUES (%s) ON CONFLICT DO NOTHING"
_END = "UPDATE blind SET until_ns = %s WHERE until_ns IS NULL"
_SINCE = "SELECT min(minute) FROM arrival WHERE minute > %s"


def work(connection: psycopg.Connection) -> None:
    """Begin or end a blind stretch, as the last minutes say."""
    now = now_ns()
    # The minute that runs is not over yet.
    minute = now // MINUTE_NS - 1
    row = connection.execute(_OPEN).fetchone()
    if row is not None:
        came = connection.execute(_SINCE, (row[0] // MINUTE_NS,)).fetchone()
        if came and came[0] is not None:
            connection.execute(_END, (came[0] * MINUTE_NS,))
        return
    since = blindness.collapsed(_histories(connection, minute))
    if since is not None:
        connection.execute(_BEGIN, ((minute - since + 1) * MINUTE_NS,))


def _histories(connection: psycopg.Connection, minute: int) -> dict[str, tuple[list[int], list[list[int]]]]:
    """By service: records of the last minutes, oldest first, and the same minutes of the days before that had any."""
    asked = {"now": minute, "window": WINDOW, "days": DAYS + 1}
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    for service, environment, at, records in connection.execute(_ARRIVED, asked).fetchall():
        counts[f"{service}\0{environment}"][at] = records
    return {name: _split(told, minute) for name, told in counts.items()}


def _split(told: dict[int, int], minute: int) -> tuple[list[int], list[list[int]]]:
    recent = [told.get(at, 0) for at in range(minute - WINDOW + 1, minute + 1)]
    earlier = [
        [told.get(at - day * DAY, 0) for at in range(minute - WINDOW + 1, minute + 1)]
        for day in range(1, DAYS + 1)
    ]
    return recent, [one for one in earlier if any(one)]
