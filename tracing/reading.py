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
