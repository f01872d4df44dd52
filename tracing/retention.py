"""Days go out in two steps, when their date and their last receipt are both past: thinned to the exceptions, then dropped.

Partitions are detached concurrently, so that ingest never waits, then dropped. Requests go with their records;
entities and workflows keep their summary for a retention of their own. `thinning` is the first step, `partitions` the
way in. A limit of size takes the oldest days before their time.
"""

from collections.abc import Sequence
from typing import LiteralString

import psycopg

from tracing import parts, quarantine, thinning
from tracing.clock import now_ns
from tracing.forgetting import forget_flows
from tracing.lengths import MINUTE_NS
from tracing.partitions import shaping
from tracing.parts import TABLES
from tracing.records import DAY_NS
from tracing.watch import ledger

PATIENCE_MS = 5_000

# Whoever stores notes the hour of receipt once an hour: a day heard of longer ago than this is in nobody's transaction.
QUIET_NS = 2 * 3_600_000_000_000
GB = 1_000_000_000

_PAST = """
SELECT day FROM day WHERE dropped_ns IS NULL AND NOT exchanging AND day < %s AND last_received_ns < %s ORDER BY day
"""
# Whole days, and thinned ones that something came to since.
_WHOLE = """
SELECT day FROM day WHERE dropped_ns IS NULL AND NOT exchanging AND day < %s AND last_received_ns < %s
AND (thinned_ns IS NULL OR last_received_ns > thinned_ns) ORDER BY day
"""
_EARLY = "UPDATE day SET early = %s WHERE day = ANY(%s)"
_SIZE = """
SELECT coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint FROM pg_inherits i
WHERE i.inhparent = ANY(%s::regclass[])
"""
# Closed days that still have partitions: none, unless a drop was cut short.
_LEFT = """
SELECT DISTINCT day FROM day, unnest(%s::text[]) AS name
WHERE dropped_ns IS NOT NULL AND NOT exchanging AND to_regclass(name || '_d' || day) IS NOT NULL ORDER BY day
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
    connection: psycopg.Connection,
    retention_days: int = 14,
    flow_retention_days: int = 400,
    problem_days: int | None = None,
    limit_gb: int | None = None,
) -> list[int]:
    """Thin and drop what is past retention; returns the days dropped. `connection` is in autocommit.

    Exceptions stay for `problem_days`, as long as all else where it is None. With a limit of size the oldest days go
    before their time, never today or yesterday.
    """
    now = now_ns()
    today = now // DAY_NS
    first_whole, first_kept = today - retention_days, today - max(retention_days, problem_days or 0)
    finish_interrupted(connection)
    past = connection.execute(_PAST, (first_kept, first_kept * DAY_NS)).fetchall()
    days = _drop_days(connection, [row[0] for row in past], first_kept * DAY_NS)
    days += _thin_days(connection, first_whole, first_whole * DAY_NS)
    if limit_gb is not None:
        days += _make_room(connection, today - 1, now - QUIET_NS, limit_gb * GB)
    quarantine.forget(connection, now - retention_days * DAY_NS)
    for statement in _SENDERS:
        connection.execute(statement, (first_whole - 1,))
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


def size(connection: psycopg.Connection) -> int:
    """Bytes that all days take on disk, indexes included."""
    row = connection.execute(_SIZE, (list(TABLES),)).fetchone()
    return int(row[0]) if row else 0


def finish_interrupted(connection: psycopg.Connection) -> None:
    """Complete what a crash cut short: partitions half detached, detached, of a closed day, or half exchanged."""
    with shaping(connection, PATIENCE_MS):
        for (day,) in connection.execute(_LEFT, (list(TABLES),)).fetchall():
            for table in TABLES:
                parts.drop(connection, table, day)
    # What is kept of a day in the middle of it is partly out of sight: whoever is at work there is waited for.
    with thinning.alone(connection, wait=thinning.is_cut_short(connection)) as alone:
        if alone:
            with shaping(connection, PATIENCE_MS):
                thinning.finish(connection)


def _thin_days(connection: psycopg.Connection, before_day: int, before_ns: int) -> list[int]:
    """Thin what is due; the days that held nothing worth keeping, and were dropped."""
    rows = connection.execute(_WHOLE, (before_day, before_ns)).fetchall()
    return [day for (day,) in rows if _thin(connection, day, before_ns)]


def _make_room(connection: psycopg.Connection, before_day: int, before_ns: int, limit: int) -> list[int]:
    """While what is stored is larger than the limit: thin whole days, the oldest first, then drop thinned ones."""
    dropped = []
    for (day,) in connection.execute(_WHOLE, (before_day, before_ns)).fetchall():
        if size(connection) > limit and _thin(connection, day, before_ns, early=True):
            dropped.append(day)
    for (day,) in connection.execute(_PAST, (before_day, before_ns)).fetchall():
        if size(connection) > limit:
            dropped += _drop_days(connection, [day], before_ns, early=True)
    return dropped


def _thin(connection: psycopg.Connection, day: int, before_ns: int, early: bool = False) -> bool:
    """Thin one day; True where nothing in it was worth keeping and it was dropped."""
    with thinning.alone(connection) as alone:
        if not alone or thinning.thin(connection, day, before_ns, early) != 0:
            return False
        return bool(_drop_days(connection, [day], before_ns, early))


def _drop_days(
    connection: psycopg.Connection, days: Sequence[int], before_ns: int, early: bool = False
) -> list[int]:
    """Drop those of the days that nothing came to just now."""
    with shaping(connection, PATIENCE_MS):
        closed = [day for day in days if _close(connection, day, before_ns)]
        connection.execute(_EARLY, (early, closed))
        for day in closed:
            _drop(connection, day)
    return closed


def _close(connection: psycopg.Connection, day: int, before_ns: int) -> bool:
    """Close a day: whoever stores a record of it from now on creates it anew. False where one came just now."""
    question = "UPDATE day SET dropped_ns = %s WHERE day = %s AND last_received_ns < %s AND NOT exchanging RETURNING day"
    return connection.execute(question, (now_ns(), day, before_ns)).fetchone() is not None


def _drop(connection: psycopg.Connection, day: int) -> None:
    for table in TABLES:
        parts.drop(connection, table, day)
    connection.execute(_TOLD, (day,))


def _forget_flows(connection: psycopg.Connection, before_minute: int) -> None:
    while True:
        ids = [row[0] for row in connection.execute(_OLD_FLOWS, (before_minute,)).fetchall()]
        if not ids:
            return
        with connection.transaction():
            gone = "DELETE FROM flow WHERE flow_id = ANY(%s) AND activity < %s RETURNING flow_id"
            old = [row[0] for row in connection.execute(gone, (ids, before_minute)).fetchall()]
            forget_flows(connection, old)
