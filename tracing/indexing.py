"""Indexes that a day gets once it is closed: on attributes, so that old days can be searched, and on span ids.

Today has none of them, because a GIN index halves ingest and stalls writers for seconds. The watcher builds them
concurrently, one at a time; `timeline.queries.attributes` and `/find` are what they serve.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from tracing.clock import now_ns
from tracing.records import DAY_NS

# Quiet for this long, and not today or yesterday: then hardly anything of that day still arrives.
QUIET_NS = 3_600_000_000_000
# "TLIX": one watcher builds at a time.
INDEX_LOCK = 0x544C4958

_GIN: LiteralString = "USING gin ({} jsonb_path_ops)"
# Table, column, what it is on. All but the last serve attribute equality in /flows, which asks for any of its
# table's columns at once: one without an index would make it read the whole day. The last serves /find.
KINDS: tuple[tuple[str, str, LiteralString], ...] = (
    ("span", "attributes", _GIN),
    ("span", "events", _GIN),
    ("span", "resource_id", "({})"),
    ("log", "attributes", _GIN),
    ("log", "body", _GIN),
    ("log", "resource_id", "({})"),
    ("span", "span_id", "({})"),
)

_CLOSED = """
SELECT d.day FROM day d WHERE dropped_ns IS NULL AND day < %s AND last_received_ns < %s ORDER BY day DESC
"""
_STATE = """
SELECT i.indisvalid FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = to_regclass(%s) WHERE c.oid = to_regclass(%s)
"""


def build_next(connection: psycopg.Connection) -> bool:
    """Build one missing index of a closed day; True when one was built. `connection` is in autocommit."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (INDEX_LOCK,)).fetchone()
    if row is None or not row[0]:
        return False
    try:
        return any(_build(connection, day, *kind) for day in _closed(connection) for kind in KINDS)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (INDEX_LOCK,))


def _closed(connection: psycopg.Connection) -> list[int]:
    now = now_ns()
    rows = connection.execute(_CLOSED, (now // DAY_NS - 1, now - QUIET_NS)).fetchall()
    return [row[0] for row in rows]


def _build(connection: psycopg.Connection, day: int, table: str, column: str, on: LiteralString) -> bool:
    partition, name = f"{table}_d{day}", f"{table}_d{day}_{column}_search"
    state = connection.execute(_STATE, (name, partition)).fetchone()
    if state is None or state[0]:
        return False  # retention took the day meanwhile, or the index is there
    if state[0] is False:  # a crash cut its building short
        connection.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    connection.execute(
        sql.SQL("CREATE INDEX CONCURRENTLY {} ON {} {}").format(
            sql.Identifier(name), sql.Identifier(partition), sql.SQL(on).format(sql.Identifier(column))
        )
    )
    return True
