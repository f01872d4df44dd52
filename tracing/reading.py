"""Stored records read back in chunks: the newest first for a preview, in key order for a rule applied to all.

`tracing.stored` makes values of the rows. Partitions are walked one by one, so a chunk is one index range.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from tracing import stored
from tracing.records import Log, Span

CHUNK = 2_000
KEYS = {"span": ("trace_id", "span_id", "start_ns", "digest", "day"), "log": ("log_id", "day")}

_PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = %s::regclass AND NOT i.inhdetachpending
"""
# Rows lie in the order they were stored, so the last pages hold the latest of whatever time.
LATEST_PAGES = 2_500
LATEST_OF_EACH, LATEST = 100, 6_000
_LATEST = """
SELECT {columns} FROM (
    SELECT {columns}, row_number() OVER (PARTITION BY resource_id ORDER BY received_ns DESC) AS nth
    FROM {name} WHERE ctid >= %s::tid
) AS stored WHERE nth <= %s ORDER BY nth LIMIT %s
"""


def partition_names(connection: psycopg.Connection, table: str) -> list[str]:
    """Partitions of `span` or `log`, in an order that never changes for those that stay."""
    return sorted(row[0] for row in connection.execute(_PARTITIONS, (table,)).fetchall())


def newest_records(connection: psycopg.Connection) -> Iterator[Span | Log]:
    """Spans and logs, the latest days first, day by day; within a day in key order."""
    resources = stored.Resources(connection)
    names = [
        (name.split("_", 1)[1], table, name)
        for table in ("span", "log")
        for name in partition_names(connection, table)
    ]
    dated = sorted((one for one in names if one[0].startswith("d")), key=lambda one: -int(one[0][1:]))
    for _, table, name in dated + [one for one in names if not one[0].startswith("d")]:
        for rows in _chunks(connection, table, name):
            for record, _ in values(table, rows, resources):
                yield record


def latest_records(connection: psycopg.Connection) -> Iterator[Span | Log]:
    """What was stored last on the two newest days that hold anything: of each resource the latest few."""
    resources = stored.Resources(connection)
    for table, columns in (("span", stored.SPAN_COLUMNS), ("log", stored.LOG_COLUMNS)):
        days = sorted((name for name in partition_names(connection, table) if "_d" in name), reverse=True)
        filled = [(name, pages) for name in days if (pages := _pages(connection, name))]
        for name, pages in filled[:2]:
            question = sql.SQL(_LATEST).format(columns=sql.SQL(columns), name=sql.Identifier(name))
            first = f"({max(0, pages - LATEST_PAGES)},0)"
            rows = connection.execute(question, (first, LATEST_OF_EACH, LATEST)).fetchall()
            made = stored.spans(rows, resources) if table == "span" else stored.logs(rows, resources)
            for record, _ in made:
                yield record


def _pages(connection: psycopg.Connection, name: str) -> int:
    """How large a partition is; 0 where retention took it since it was listed."""
    row = connection.execute(
        "SELECT coalesce(pg_relation_size(to_regclass(%s)), 0) / current_setting('block_size')::int", (name,)
    ).fetchone()
    return int(row[0]) if row else 0


def _chunks(connection: psycopg.Connection, table: str, name: str) -> Iterator[list[tuple[Any, ...]]]:
    """A partition's rows; none or no more where retention took it since it was listed."""
    after: tuple[Any, ...] | None = None
    while True:
        try:
            rows = chunk(connection, table, name, after)
        except psycopg.errors.UndefinedTable:
            return
        yield rows
        if len(rows) < CHUNK:
            return
        after = key_of(table, rows[-1])


def chunk(
    connection: psycopg.Connection,
    table: str,
    name: str,
    after: tuple[Any, ...] | None,
    before_version: int = 2**31 - 1,
) -> list[tuple[Any, ...]]:
    """The next rows of one partition stamped with an older rule version: the table's columns, then its key."""
    columns = stored.SPAN_COLUMNS if table == "span" else stored.LOG_COLUMNS
    key = sql.SQL(", ").join(map(sql.Identifier, KEYS[table]))
    places = sql.SQL(", ").join([sql.Placeholder()] * len(KEYS[table]))
    question = sql.SQL(
        "SELECT {columns}, {key} FROM {name} WHERE rule_version < %s {after} ORDER BY {key} LIMIT %s"
    ).format(
        columns=sql.SQL(columns),
        key=key,
        name=sql.Identifier(name),
        after=sql.SQL("")
        if after is None
        else sql.SQL("AND ({key}) > ({places})").format(key=key, places=places),
    )
    return connection.execute(question, (before_version, *(after or ()), CHUNK)).fetchall()


def key_of(table: str, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """The key a chunk's row ends with."""
    return row[-len(KEYS[table]) :]


def values(
    table: str, rows: list[tuple[Any, ...]], resources: stored.Resources
) -> Iterator[tuple[Span | Log, int]]:
    """A chunk's rows as records, each with the time it was received."""
    bare = [row[: -len(KEYS[table])] for row in rows]
    yield from stored.spans(bare, resources) if table == "span" else stored.logs(bare, resources)
