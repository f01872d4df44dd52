"""Day partitions: created ahead by the watcher, and on demand when a record of another day arrives.

A partition is created standing alone and then attached, in a transaction of its own under an advisory lock:
`CREATE … PARTITION OF` would take ACCESS EXCLUSIVE on the parent and stop everything. `retention` drops them.
"""

from collections.abc import Iterable
from typing import LiteralString

import psycopg
from psycopg import sql

from tracing.clock import now_ns
from tracing.records import DAY_NS, FIRST_DAY, LAST_DAY

TABLES: tuple[LiteralString, ...] = ("span", "log", "link", "request", "member")
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
    """Days that have partitions now."""
    rows = connection.execute("SELECT day FROM day WHERE dropped_ns IS NULL").fetchall()
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
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (SHAPE_LOCK,))
        connection.execute(f"SET LOCAL lock_timeout = {CREATE_PATIENCE_MS}".encode())
        there = stored_days(connection)
        new = [day for day in wanted if day not in there]
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


def partition(table: LiteralString, day: int) -> sql.Identifier:
    return sql.Identifier(f"{table}_d{day}")


def _create(connection: psycopg.Connection, day: int) -> None:
    for table in TABLES:
        name, parent = partition(table, day), sql.Identifier(table)
        # What a drop that a crash cut short left of this day is past retention: it goes before the day begins anew.
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {name}").format(name=name))
        connection.execute(
            sql.SQL(
                "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL, CONSTRAINT day CHECK (day >= {low} AND day < {high}))"
            ).format(name=name, parent=parent, low=day, high=day + 1)
        )
        # The check says what the partition's bound says, so attaching need not scan; then it has served.
        connection.execute(
            sql.SQL(
                "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
            ).format(name=name, parent=parent, low=day, high=day + 1)
        )
        connection.execute(sql.SQL("ALTER TABLE {name} DROP CONSTRAINT day").format(name=name))
    connection.execute(
        "INSERT INTO day (day) VALUES (%s) ON CONFLICT (day) DO UPDATE SET dropped_ns = NULL", (day,)
    )
