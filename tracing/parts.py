"""One day's partition of each table: made, attached, taken out, and exchanged for one that holds less.

No statement here takes more than SHARE UPDATE EXCLUSIVE on a parent, so whoever reads and writes goes on. Each picks
up where a crash left the last try. `partitions` says which days there are, `thinning` and `retention` which go.
"""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

# "TLJB": who rewrites what is stored, one at a time. Rule jobs (`tracing.reapply`), forgetting, thinning.
REWRITE_LOCK = 0x544C4A42
TABLES: tuple[LiteralString, ...] = ("span", "log", "link", "request", "member")

_CREATE = (
    "CREATE TABLE {name} (LIKE {parent} INCLUDING ALL, CONSTRAINT day CHECK (day >= {low} AND day < {high}))"
)
# The check says what the partition's bound says, so attaching need not scan; then it has served.
_ATTACH = "ALTER TABLE {parent} ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
_UNCHECK = "ALTER TABLE {name} DROP CONSTRAINT day"
# None where there is no such table; then whether it is attached, and whether a detach of it was cut short.
_PLACE = """
SELECT i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false)
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.oid = to_regclass(%s)
"""


def partition(table: LiteralString, day: int) -> sql.Identifier:
    """The partition that is read and written."""
    return sql.Identifier(f"{table}_d{day}")


def kept(table: LiteralString, day: int) -> sql.Identifier:
    """What is kept of a partition, standing alone until it takes its place."""
    return sql.Identifier(f"{table}_k{day}")


def make(connection: psycopg.Connection, table: LiteralString, day: int, name: sql.Identifier) -> None:
    """An empty table such as the day's partition, standing alone, with the bound as a check."""
    _run(connection, _CREATE, table, day, name)


def attach(connection: psycopg.Connection, table: LiteralString, day: int) -> None:
    """Put the day's partition, which was made standing alone, in its place."""
    _run(connection, _ATTACH, table, day, partition(table, day))
    _run(connection, _UNCHECK, table, day, partition(table, day))


def detach(connection: psycopg.Connection, table: LiteralString, day: int) -> bool:
    """Take the day's partition out, whoever reads it; False where there is none. `connection` is in autocommit."""
    place = connection.execute(_PLACE, (f"{table}_d{day}",)).fetchone()
    if place is None:
        return False
    attached, pending = place
    if attached:
        how: LiteralString = "FINALIZE" if pending else "CONCURRENTLY"
        _run(
            connection,
            "ALTER TABLE {parent} DETACH PARTITION {name} " + how,
            table,
            day,
            partition(table, day),
        )
    return True


def drop(connection: psycopg.Connection, table: LiteralString, day: int) -> None:
    """Detach, then drop; from wherever an earlier try was cut short."""
    if detach(connection, table, day):
        connection.execute(sql.SQL("DROP TABLE {name}").format(name=partition(table, day)))


def exchange(connection: psycopg.Connection, table: LiteralString, day: int) -> None:
    """What is kept of the day takes the place of the whole; nothing where it has already. In autocommit.

    Between the two halves readers find neither: as long as the transactions last that were open at the detach.
    """
    if connection.execute("SELECT to_regclass(%s)", (f"{table}_k{day}",)).fetchone() == (None,):
        return
    detach(connection, table, day)
    with connection.transaction():
        _run(connection, "DROP TABLE IF EXISTS {name}", table, day, partition(table, day))
        rename = sql.SQL("ALTER TABLE {kept} RENAME TO {name}")
        connection.execute(rename.format(kept=kept(table, day), name=partition(table, day)))
        attach(connection, table, day)


def _run(
    connection: psycopg.Connection,
    statement: LiteralString,
    table: LiteralString,
    day: int,
    name: sql.Identifier,
) -> None:
    named: dict[str, Any] = {"parent": sql.Identifier(table), "name": name, "low": day, "high": day + 1}
    connection.execute(sql.SQL(statement).format(**named))
