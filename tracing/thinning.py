"""Thins a day: its partitions give way to ones that hold only the exceptions, so that every query goes on unchanged.

What is kept (`kept`) is copied while the day is whole and open. Then the day is closed if nothing came meanwhile, and
table by table the copy takes the whole's place (`parts.exchange`). A crash before the close leaves the day whole, one
after it leaves an exchange to be finished: by the next run, or by the first record of the day (`partitions.ensure`).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

import psycopg
from psycopg import sql

from tracing import kept, parts
from tracing.clock import now_ns
from tracing.indexing import INDEX_LOCK
from tracing.partitions import finish_exchange, shaping
from tracing.parts import REWRITE_LOCK, TABLES

# A detach waits for whoever reads, and until then nobody finds what is kept: so it begins when nobody has read for long.
PATIENCE_S = 5.0
PATIENCE_MS = 5_000
LONG_READ_S = 0.25

_EXCHANGING = "SELECT day FROM day WHERE exchanging ORDER BY day"
# Another watcher may have thinned or dropped it since the caller looked.
_STANDS = """
SELECT 1 FROM day WHERE day = %s AND dropped_ns IS NULL AND NOT exchanging
AND (thinned_ns IS NULL OR last_received_ns > thinned_ns)
"""
_ORPHANS = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ %s
AND substring(relname FROM '[0-9]+$')::int NOT IN (SELECT day FROM day WHERE exchanging)
"""
_CLOSE = """
UPDATE day SET exchanging = true, thinned_ns = %(now)s, early = %(early)s,
    whole_records = %(whole)s + CASE WHEN thinned_ns IS NULL THEN 0 ELSE whole_records - kept_records END,
    kept_records = %(kept)s
WHERE day = %(day)s AND last_received_ns < %(before)s AND dropped_ns IS NULL AND NOT exchanging RETURNING day
"""
# Who was there before the copy was made and reads the records, or looks at the database as it was then and would find nothing
# in the thinned day; and whoever reads or writes for long. Moments are the database's.
_READING = """
SELECT 1 FROM pg_stat_activity a
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
AND (a.backend_xmin IS NOT NULL AND a.xact_start < %(copied)s
    OR a.xact_start < greatest(%(copied)s, clock_timestamp() - make_interval(secs => %(long)s))
    AND EXISTS (SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.locktype = 'relation'
        AND l.relation = ANY(%(tables)s::regclass[]))) LIMIT 1
"""
# What was told of requests that went.
_TOLD = """
DELETE FROM told_exception t WHERE day = %s AND NOT EXISTS (SELECT 1 FROM flow WHERE flow_id = t.scope_id)
AND NOT EXISTS (SELECT 1 FROM request WHERE trace_id = t.scope_id)
"""


@contextmanager
def alone(connection: psycopg.Connection, wait: bool = False) -> Iterator[bool]:
    """Whether nobody else rewrites what is stored, held until the end; a session may hold it several times. In autocommit."""
    with _holding(connection, REWRITE_LOCK, wait) as held:
        yield held


@contextmanager
def _holding(connection: psycopg.Connection, lock: int, wait: bool = False) -> Iterator[bool]:
    ask: LiteralString = "pg_advisory_lock(%s) IS NOT NULL" if wait else "pg_try_advisory_lock(%s)"
    row = connection.execute(f"SELECT {ask}", (lock,)).fetchone()
    held = row is not None and bool(row[0])
    try:
        yield held
    finally:
        if held and not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (lock,))


def is_cut_short(connection: psycopg.Connection) -> bool:
    """Whether a day waits for its exchange to be finished, or is in the middle of it."""
    return connection.execute(_EXCHANGING).fetchone() is not None


def finish(connection: psycopg.Connection) -> None:
    """Complete what a crash cut short, and forget copies that never took their place. Under the shape's lock, alone."""
    for (day,) in connection.execute(_EXCHANGING).fetchall():
        finish_exchange(connection, day)
        connection.execute(_TOLD, (day,))
    for (name,) in connection.execute(_ORPHANS, (f"^({'|'.join(TABLES)})_k[0-9]+$",)).fetchall():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))


def thin(connection: psycopg.Connection, day: int, before_ns: int, early: bool = False) -> int | None:
    """Thin one day; how many records were kept. Call it `alone`, with a connection in autocommit.

    None where a record came or somebody reads for too long: it stays whole. 0 where nothing is worth keeping: it stays
    whole too, for the caller to drop.
    """
    # A detach and an index that is built beside it would wait for each other.
    with _holding(connection, INDEX_LOCK) as unindexed:
        if not unindexed or not connection.execute(_STANDS, (day,)).fetchone():
            return None
        whole, left = _copy(connection, day)
        if not left:
            for table in TABLES:
                connection.execute(sql.SQL("DROP TABLE {}").format(parts.kept(table, day)))
        elif not _nobody_reads(connection) or not _exchange(connection, day, before_ns, early, whole, left):
            return None
    return left


def _exchange(
    connection: psycopg.Connection, day: int, before_ns: int, early: bool, whole: int, left: int
) -> bool:
    told = {"now": now_ns(), "day": day, "before": before_ns, "early": early, "whole": whole, "kept": left}
    with shaping(connection, PATIENCE_MS):
        # A transaction that stores into the day holds its row: this waits for it, and then finds the new receipt.
        if connection.execute(_CLOSE, told).fetchone() is None:
            return False
        finish_exchange(connection, day)
    connection.execute(_TOLD, (day,))
    return True


def _copy(connection: psycopg.Connection, day: int) -> tuple[int, int]:
    """Copy what is kept into tables of its own; how many records there are, and how many are kept."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        for table in TABLES:
            name = parts.kept(table, day)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
            parts.make(connection, table, day, name)
        kept.choose(connection, day)
        kept.copy(connection, day)
        whole = _count(connection, "SELECT (SELECT count(*) FROM {}) + (SELECT count(*) FROM {})", "d", day)
        left = _count(connection, "SELECT (SELECT count(*) FROM {}) + (SELECT count(*) FROM {})", "k", day)
    for table in TABLES:
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(parts.kept(table, day)))
    return whole, left


def _count(connection: psycopg.Connection, question: LiteralString, letter: str, day: int) -> int:
    names = [sql.Identifier(f"{table}_{letter}{day}") for table in ("span", "log")]
    row = connection.execute(sql.SQL(question).format(*names)).fetchone()
    return int(row[0]) if row else 0


def _nobody_reads(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    asked = {"copied": row and row[0], "long": LONG_READ_S, "tables": list(TABLES)}
    until = time.monotonic() + PATIENCE_S
    while connection.execute(_READING, asked).fetchone():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
