"""Days go out whole: a day is dropped when its date and its last receipt are both past retention.

Partitions are detached concurrently, so that ingest never waits, then dropped. Requests go with their days;
entities and workflows keep their summary for a retention of their own. `partitions` is the way in.
"""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tracing import quarantine
from tracing.clock import now_ns
from tracing.forgetting import forget_flows
from tracing.lengths import MINUTE_NS
from tracing.partitions import SHAPE_LOCK, TABLES, partition
from tracing.records import DAY_NS
from tracing.watch import ledger

PATIENCE_MS = 5_000

_PAST = """
SELECT day FROM day WHERE dropped_ns IS NULL AND day < %s AND last_received_ns < %s ORDER BY day
"""
# Closed days that still have partitions: none, unless a drop was cut short.
_LEFT = """
SELECT DISTINCT day FROM day, unnest(%s::text[]) AS name
WHERE dropped_ns IS NOT NULL AND to_regclass(name || '_d' || day) IS NOT NULL ORDER BY day
"""
# Flows whose summary is past its own retention; in chunks, so that no lock is held long.
_OLD_FLOWS = "SELECT flow_id FROM flow WHERE activity < %s ORDER BY activity LIMIT 1000"
# Every stored day's records have resources and scopes noted for that day or a later one.
_SENDERS: tuple[LiteralString, ...] = tuple(
    f"DELETE FROM {table} WHERE last_day < %s AND last_day < ALL (SELECT day FROM day WHERE dropped_ns IS NULL)"
    for table in ("resource", "scope")
)
# The exceptions told of a request go with its day; those told of a flow stay as long as the flow.
_TOLD = """
DELETE FROM told_exception t WHERE day = %s AND NOT EXISTS (SELECT 1 FROM flow WHERE flow_id = t.scope_id)
"""

# What the watcher noted of requests and of ourselves goes with the records: before this moment, our clock.
_NOTED: tuple[LiteralString, ...] = (
    "DELETE FROM failure WHERE kind = 0 AND received_ns < %s",
    "DELETE FROM awake WHERE until_ns < %s",
    "DELETE FROM blind WHERE until_ns < %s",
)
_AUDIT = "DELETE FROM tracing_audit WHERE at_ns < %s"
# Sessions that are over, failed sign-ins that count no longer, keys of demos that were killed a day ago.
_ENDED: tuple[LiteralString, ...] = (
    "DELETE FROM django_session WHERE expire_date < now()",
    "DELETE FROM axes_accessattempt WHERE attempt_time < now() - interval '1 day'",
    "DELETE FROM tracing_senderkey WHERE until_ns < extract(epoch FROM now() - interval '1 day') * 1000000000",
)
# Messages about nothing that goes by itself: tests of a channel.
_TESTS = "DELETE FROM message WHERE problem_id IS NULL AND flow_id IS NULL AND at_ns < %s"
# What was learned of a type that nobody has heard of for a month.
_UNLEARN = """
DELETE FROM learned l WHERE learned_ns < %s AND NOT EXISTS (SELECT FROM flow f WHERE f.type = l.type)
"""
UNLEARN_DAYS = 30
# From type to type by the primary key: the table has a row for each step and quarter of an hour.
_UNCOUNT = """
WITH RECURSIVE known AS (
    (SELECT type FROM backlog_history ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT b.type FROM backlog_history b WHERE b.type > known.type ORDER BY b.type LIMIT 1)
    FROM known WHERE known.type IS NOT NULL
)
DELETE FROM backlog_history WHERE type IN (
    SELECT type FROM known WHERE type IS NOT NULL AND NOT EXISTS (SELECT FROM flow f WHERE f.type = known.type))
"""


def drop_old(
    connection: psycopg.Connection, retention_days: int = 14, flow_retention_days: int = 400
) -> list[int]:
    """Drop what is past retention; returns the days dropped. `connection` is in autocommit."""
    now = now_ns()
    first_kept = now // DAY_NS - retention_days
    connection.execute("SELECT pg_advisory_lock(%s)", (SHAPE_LOCK,))
    # Detaching waits for whoever reads. What is left half done after this is finished by a later run.
    connection.execute(f"SET lock_timeout = {PATIENCE_MS}".encode())
    try:
        _finish_interrupted(connection)
        rows = connection.execute(_PAST, (first_kept, first_kept * DAY_NS)).fetchall()
        days = [row[0] for row in rows]
        days = [day for day in days if _close(connection, day, first_kept * DAY_NS)]
        for day in days:
            _drop(connection, day)
    finally:
        connection.execute("RESET lock_timeout")
        connection.execute("SELECT pg_advisory_unlock(%s)", (SHAPE_LOCK,))
    quarantine.forget(connection, now - retention_days * DAY_NS)
    for statement in _SENDERS:
        connection.execute(statement, (first_kept - 1,))
    for statement in _NOTED:
        connection.execute(statement, (now - retention_days * DAY_NS,))
    # Problems that are over stay as long as the flows they struck.
    ledger.drop_old(connection, now - flow_retention_days * DAY_NS)
    connection.execute(_AUDIT, (now - flow_retention_days * DAY_NS,))
    for ended in _ENDED:
        connection.execute(ended)
    connection.execute(_TESTS, (now - flow_retention_days * DAY_NS,))
    _forget_flows(connection, (now - flow_retention_days * DAY_NS) // MINUTE_NS)
    connection.execute(_UNLEARN, (now - UNLEARN_DAYS * DAY_NS,))
    connection.execute(_UNCOUNT)
    return days


def _close(connection: psycopg.Connection, day: int, before_ns: int) -> bool:
    """Close a day: whoever stores a record of it from now on creates it anew. False where one came just now."""
    question = "UPDATE day SET dropped_ns = %s WHERE day = %s AND last_received_ns < %s RETURNING day"
    return connection.execute(question, (now_ns(), day, before_ns)).fetchone() is not None


def _drop(connection: psycopg.Connection, day: int) -> None:
    for table in TABLES:
        _drop_partition(connection, table, day)
    connection.execute(_TOLD, (day,))


def _finish_interrupted(connection: psycopg.Connection) -> None:
    """Complete a drop that a crash cut short: partitions half detached, detached, or of a closed day."""
    left = connection.execute(_LEFT, (list(TABLES),)).fetchall()
    for (day,) in left:
        for table in TABLES:
            _drop_partition(connection, table, day)


def _drop_partition(connection: psycopg.Connection, table: LiteralString, day: int) -> None:
    """Detach, then drop; from wherever an earlier try was cut short."""
    names: dict[str, Any] = {"parent": sql.Identifier(table), "name": partition(table, day)}
    row = connection.execute(
        "SELECT i.inhdetachpending FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid"
        " WHERE c.oid = to_regclass(%s)",
        (f"{table}_d{day}",),
    ).fetchone()
    if row is None:
        return
    if row[0] is True:
        connection.execute(sql.SQL("ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE").format(**names))
    elif row[0] is False:
        connection.execute(
            sql.SQL("ALTER TABLE {parent} DETACH PARTITION {name} CONCURRENTLY").format(**names)
        )
    connection.execute(sql.SQL("DROP TABLE {name}").format(**names))


def _forget_flows(connection: psycopg.Connection, before_minute: int) -> None:
    while True:
        ids = [row[0] for row in connection.execute(_OLD_FLOWS, (before_minute,)).fetchall()]
        if not ids:
            return
        with connection.transaction():
            gone = "DELETE FROM flow WHERE flow_id = ANY(%s) AND activity < %s RETURNING flow_id"
            old = [row[0] for row in connection.execute(gone, (ids, before_minute)).fetchall()]
            forget_flows(connection, old)
