"""Resources and scopes that no record uses any more since `erasing` took some: they go, and what they say with them.

Who stores notes each once a day and relies on it then (`writing`). So all are made to note them anew first, which makes
another version of the row: one that has the version of before when everything was looked through is in nobody's use.
"""

from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tracing import reading, rulebook

# By the kind they have in `recount`, beside requests and flows.
TABLES: dict[int, tuple[LiteralString, LiteralString]] = {
    2: ("resource", "resource_id"),
    3: ("scope", "scope_id"),
}

_NOTE = "INSERT INTO recount (kind, id) SELECT %s, * FROM unnest(%s::bytea[]) ON CONFLICT DO NOTHING"
_NOTE_NAMING = """
INSERT INTO recount (kind, id) SELECT %s, {id} FROM {table}
WHERE EXISTS (SELECT FROM jsonb_each_text(attributes) WHERE btrim(value) = ANY(%s)) ON CONFLICT DO NOTHING
"""
_NOTED = "SELECT id FROM recount WHERE kind = %s"
# Of a day whose exchange a crash cut short some records are out of sight.
_OUT_OF_SIGHT = "SELECT 1 FROM day WHERE exchanging"
_ANEW = "UPDATE installation SET rule_version = rule_version + 1"
_VERSIONS = "SELECT {id}, xmin::text FROM {table} WHERE {id} = ANY(%s)"
_USED = "SELECT {id} FROM {partition} WHERE {id} = ANY(%s) LIMIT 1"
_DROP = "DELETE FROM {table} WHERE {id} = %s AND xmin = %s::xid"
_DONE = "DELETE FROM recount WHERE kind = %s AND id = ANY(%s)"


def note(cursor: Any, resources: Iterable[bytes], scopes: Iterable[bytes]) -> None:
    """Have `drop` look at these, whose records go in the caller's transaction."""
    for kind, ids in zip(TABLES, (resources, scopes), strict=True):
        cursor.execute(_NOTE, (kind, sorted(set(ids))))


def note_naming(cursor: Any, key: str) -> None:
    """Have `drop` look at those that hold the key, or a part of it: retention may have taken their records."""
    for kind in TABLES:
        cursor.execute(_said(_NOTE_NAMING, kind), (kind, sorted({key, *key.split("/")})))


def drop(connection: psycopg.Connection) -> int:
    """Drop those noted that no record uses; how many. In autocommit; under the lock of who rewrites what is stored."""
    if connection.execute(_OUT_OF_SIGHT).fetchone():
        return 0
    noted = {kind: [row[0] for row in connection.execute(_NOTED, (kind,)).fetchall()] for kind in TABLES}
    if not any(noted.values()):
        return 0
    versions = _noted_anew(connection, noted)
    dropped = 0
    for kind, ids in noted.items():
        for one in sorted(_unused(connection, kind, versions[kind])):
            dropped += connection.execute(_said(_DROP, kind), (one, versions[kind][one])).rowcount
        connection.execute(_DONE, (kind, ids))
    return dropped


def _noted_anew(connection: psycopg.Connection, noted: dict[int, list[bytes]]) -> dict[int, dict[bytes, str]]:
    """The versions of these rows as of a moment at which nobody stores, and from which on nobody relies on them."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (rulebook.RULES_LOCK,))
        connection.execute(_ANEW)
        return {
            kind: dict(connection.execute(_said(_VERSIONS, kind), (ids,)).fetchall())
            for kind, ids in noted.items()
        }


def _unused(connection: psycopg.Connection, kind: int, ids: Iterable[bytes]) -> set[bytes]:
    """Those that no record has. Of most there is one among the latest, so the newest days come first."""
    left = set(ids)
    for table in ("span", "log"):
        for partition in reversed(reading.partition_names(connection, table)):
            try:
                while left and (found := _used(connection, kind, partition, left)):
                    left.discard(found)
            except psycopg.errors.UndefinedTable:
                continue  # retention took it since
    return left


def _used(connection: psycopg.Connection, kind: int, partition: str, ids: set[bytes]) -> bytes | None:
    """One of these that a record of the partition has."""
    question = _said(_USED, kind, partition=sql.Identifier(partition))
    row = connection.execute(question, (list(ids),)).fetchone()
    return row[0] if row else None


def _said(statement: LiteralString, kind: int, **names: sql.Composable) -> sql.Composed:
    table, identity = TABLES[kind]
    return sql.SQL(statement).format(table=sql.Identifier(table), id=sql.Identifier(identity), **names)
