"""Whether we were blind although we were there: all senders' records stopped at once, so something between us broke.

A duty over `arrival`, which `volumes` sums up by service and minute of our clock. Where there are days to compare with
`blindness` decides; before that, nothing at all from anybody for far longer than ever. A stretch stands in `blind` until
records come again. A single service that falls silent is a problem of its own (`detectors`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import psycopg

from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.watch import blindness

DAY = 1_440
WINDOW = 240  # minutes looked at
DAYS = 7
# Minutes without any record at all, and times the longest such pause so far.
HUSH, LONGER = 10, 5
FEWEST_SERVICES = 2
MOST_MINUTES = 3 * DAY

_ARRIVED = """
SELECT service, environment, minute, records FROM arrival
WHERE minute > %(now)s - %(window)s AND minute <= %(now)s
    OR minute > %(now)s - %(days)s * 1440 AND (%(now)s - minute) %% 1440 < %(window)s
"""
_HEARD = "SELECT minute, count(*) FROM arrival GROUP BY minute ORDER BY minute DESC LIMIT %s"
_KNOWN = "SELECT service, environment, min(minute) FROM arrival WHERE minute > %s GROUP BY 1, 2"
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
    today, earlier = _counts(connection, minute)
    since = blindness.collapsed_since(today, earlier, minute - WINDOW + 1)
    if since is None:
        since = hushed_since(_heard(connection), minute)
    if since is not None:
        connection.execute(_BEGIN, (since * MINUTE_NS,))


def hushed_since(heard: Sequence[tuple[int, int]], minute: int) -> int | None:
    """The minute after the last record of anybody, if that is longer ago than a pause between senders ever was. Pure.

    `heard`: minutes in order in which records came, each with how many services sent.
    """
    if not heard or max(services for _, services in heard) < FEWEST_SERVICES:
        return None
    longest = max((after - before for (before, _), (after, _) in pairwise(heard)), default=1)
    last = heard[-1][0]
    return last + 1 if minute - last >= max(HUSH, LONGER * longest) else None


def _heard(connection: psycopg.Connection) -> list[tuple[int, int]]:
    return [(row[0], row[1]) for row in reversed(connection.execute(_HEARD, (MOST_MINUTES,)).fetchall())]


def _counts(
    connection: psycopg.Connection, minute: int
) -> tuple[dict[str, list[int]], dict[str, list[list[int]]]]:
    """By service: its records of the last minutes, oldest first, and those of the same minutes on the days before."""
    asked = {"now": minute, "window": WINDOW, "days": DAYS + 1}
    counts: dict[str, dict[int, int]] = defaultdict(dict)
    for service, environment, at, records in connection.execute(_ARRIVED, asked).fetchall():
        counts[f"{service}\0{environment}"][at] = records
    known = connection.execute(_KNOWN, (minute - (DAYS + 1) * DAY,)).fetchall()
    first = {f"{service}\0{environment}": at for service, environment, at in known}
    today = {name: _minutes(told, minute) for name, told in counts.items()}
    earlier = {
        name: [
            _minutes(told, minute - day * DAY)
            for day in range(1, DAYS + 1)
            if minute - day * DAY - WINDOW >= first.get(name, minute)
        ]
        for name, told in counts.items()
    }
    return today, earlier


def _minutes(told: Mapping[int, int], last: int) -> list[int]:
    return [told.get(at, 0) for at in range(last - WINDOW + 1, last + 1)]
