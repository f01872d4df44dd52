"""Day partitions: created ahead by the watcher, and on demand when a record of another day arrives.

A partition is created standing alone and then attached, in a transaction of its own under an advisory lock:
`CREATE … PARTITION OF` would take ACCESS EXCLUSIVE on the parent and stop everything. `parts` makes and attaches them,
`retention` thins and drops them.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tracing import parts
from tracing.clock import now_ns
from tracing.parts import TABLES, partition
from tracing.records import DAY_NS, FIRST_DAY, LAST_DAY

__all__ = [
    "SHAPE_LOCK",
    "TABLES",
    "Unready",
    "ensure",
    "is_catch_all",
    "keep_ahead",
    "partition",
    "stored_days",
]

AHEAD_DAYS = 3
NEAR_DAYS = 7
# A day takes 30 ms to make; a request of a hundred new ones must not hold up everybody else's.
MOST_NEW = 20
# Who waits for a table's lock holds up everybody behind: better to fail and be tried again.
CREATE_PATIENCE_MS = 3_000
# Of all advisory locks of Threadline this family guards the tables' shape: "TLPA".
SHAPE_LOCK = 0x544C5041

Connection = psycopg.Connection[tuple[object, ...]]


class Unready(Exception):
    """More new days are wanted than are made at once: some are, and the rest when it is asked again."""


def is_catch_all(day: int) -> bool:
    """Whether the day lies in one of the two ranges that always exist: before 2015, from 2100 on."""
    return not FIRST_DAY <= day < LAST_DAY


def stored_days(connection: psycopg.Connection) -> set[int]:
    """Days that have partitions now, and take records."""
    rows = connection.execute("SELECT day FROM day WHERE dropped_ns IS NULL AND NOT exchanging").fetchall()
    return {row[0] for row in rows}


def ensure(connection: psycopg.Connection, days: Iterable[int], max_days: int) -> set[int]:
    """Create what is missing; returns the days that exist afterwards. `connection` is in autocommit.

    Days beyond `max_days` stored ones are left out: their records are refused by the caller. Days about now are
    made all the same, or one sender with a wild clock would use up everybody's days. Raises Unready after `MOST_NEW`.
    """
    wanted = sorted(day for day in set(days) if not is_catch_all(day))
    # Whoever needs no new day does not wait for retention, which may hold the lock for as long as someone reads.
    there = stored_days(connection)
    if there.issuperset(wanted):
        return there
    _finish_exchanges(connection, wanted)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SHAPE_LOCK,))
        connection.execute(f"SET LOCAL lock_timeout = {CREATE_PATIENCE_MS}".encode())
        there = stored_days(connection)
        new = [day for day in wanted if day not in there]
        if _exchanging(connection, new):
            raise Unready("A day of this batch is being thinned; send it again.")
        room = max(0, max_days - len(there))
        new = [day for place, day in enumerate(new) if place < room or _is_near(day)]
        for day in new[:MOST_NEW]:
            _create(connection, day)
            there.add(day)
    if len(new) > MOST_NEW:
        raise Unready(f"{len(new) - MOST_NEW} more days are being made ready for this batch; send it again.")
    return there


def _is_near(day: int) -> bool:
    today = now_ns() // DAY_NS
    return today - NEAR_DAYS <= day <= today + AHEAD_DAYS


def keep_ahead(connection: psycopg.Connection, max_days: int = 400) -> None:
    """Have today's and the next days' partitions ready, so that ingest finds them."""
    today = now_ns() // DAY_NS
    ensure(connection, range(today - 1, today + AHEAD_DAYS + 1), max_days)


@contextmanager
def shaping(connection: psycopg.Connection, patience_ms: int) -> Iterator[None]:
    """Under the lock of the tables' shape; what waits longer for a reader raises. `connection` is in autocommit."""
    connection.execute("SELECT pg_advisory_lock(%s)", (SHAPE_LOCK,))
    connection.execute(f"SET lock_timeout = {patience_ms}".encode())
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("RESET lock_timeout")
            connection.execute("SELECT pg_advisory_unlock(%s)", (SHAPE_LOCK,))


def finish_exchange(connection: psycopg.Connection, day: int) -> None:
    """What is kept of the day takes the place of all, then it takes records again. In autocommit, under the lock."""
    for table in TABLES:
        parts.exchange(connection, table, day)
    connection.execute("UPDATE day SET exchanging = false WHERE day = %s", (day,))


def _exchanging(connection: psycopg.Connection, days: list[int]) -> list[int]:
    question = "SELECT day FROM day WHERE exchanging AND day = ANY(%s) ORDER BY day"
    return [row[0] for row in connection.execute(question, (days,)).fetchall()]


def _finish_exchanges(connection: psycopg.Connection, wanted: list[int]) -> None:
    """A day that is being thinned takes records in a moment; where a crash cut that short, whoever comes first ends it."""
    if _exchanging(connection, wanted):
        with shaping(connection, CREATE_PATIENCE_MS):
            for day in _exchanging(connection, wanted):
                finish_exchange(connection, day)


def _create(connection: psycopg.Connection, day: int) -> None:
    for table in TABLES:
        name = partition(table, day)
        # What a drop that a crash cut short left of this day is past retention: it goes before the day begins anew.
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {name}").format(name=name))
        parts.make(connection, table, day, name)
        parts.attach(connection, table, day)
    connection.execute(
        "INSERT INTO day (day) VALUES (%s) ON CONFLICT (day) DO UPDATE"
        " SET dropped_ns = NULL, thinned_ns = NULL, early = false, whole_records = NULL, kept_records = NULL",
        (day,),
    )
