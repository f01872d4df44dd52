"""What is stored per day and how much room it takes: from the catalog and its counters, so that 400 days are a moment.

`timeline.storage` says what will go when; `timeline.views.storage` shows it.
"""

from collections import defaultdict
from dataclasses import dataclass

from django.db import connection

from tracing.parts import TABLES

# Each partition of each table. The counter of live rows starts anew with a crash; then what was last analyzed stands.
_PARTS = """
SELECT substring(c.relname FROM '_d([0-9]+)$')::int, p.relname, pg_total_relation_size(c.oid),
    greatest(CASE WHEN pg_stat_get_live_tuples(c.oid) > 0 THEN pg_stat_get_live_tuples(c.oid) ELSE c.reltuples END, 0)::bigint
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid JOIN pg_class p ON p.oid = i.inhparent
WHERE i.inhparent = ANY(%s::regclass[])
"""
_DAYS = """
SELECT day, last_received_ns, dropped_ns, thinned_ns, early, whole_records, kept_records FROM day
WHERE dropped_ns IS NULL OR early ORDER BY day DESC
"""
_DATABASE = "SELECT pg_database_size(current_database())"


@dataclass(slots=True)
class Day:
    """One day that is stored, or was dropped before its time; `day` is None for the ranges without dates."""

    day: int | None
    received_ns: int = 0
    dropped_ns: int | None = None
    thinned_ns: int | None = None
    early: bool = False
    whole_records: int | None = None
    kept_records: int | None = None
    spans: int = 0
    logs: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """Days, the latest first, the ranges without dates apart; sizes in bytes."""

    days: list[Day]
    undated: Day
    database: int

    @property
    def size(self) -> int:
        return sum(day.size for day in self.days) + self.undated.size


def read_stored() -> Stored:
    """A fixed three queries."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        days = {row[0]: Day(*row) for row in cursor.fetchall()}
        undated = Day(None)
        sums: dict[int | None, Day] = defaultdict(lambda: undated, days)
        cursor.execute(_PARTS, [list(TABLES)])
        for day, table, size, rows in cursor.fetchall():
            one = sums[day]
            one.size += size
            one.spans += rows if table == "span" else 0
            one.logs += rows if table == "log" else 0
        cursor.execute(_DATABASE)
        (database,) = cursor.fetchone()
    return Stored(list(days.values()), undated, database)
