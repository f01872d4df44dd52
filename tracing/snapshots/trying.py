"""A file laid out without being stored: its records go through the real storing into tables that nobody else sees.

PostgreSQL looks for a table among a session's temporary ones first, so correlation, sums and states come out as they
would in the store, of these records alone. What comes of it is a copy as any other (`copying`), kept for a while.
"""

from collections.abc import Iterable
from typing import LiteralString

import psycopg
from psycopg import sql

from tracing.clock import now_ns
from tracing.records import Batch
from tracing.snapshots import copying
from tracing.snapshots.copying import ROWS, Copy, Subject
from tracing.writing import Writer

# Written beside what a view reads.
WRITTEN: tuple[LiteralString, ...] = ("told_exception", "failure", "tally")
# What people said of types and how messages go out holds for a file as well.
SHARED = ("tracing_typesettings", "tracing_channel")

_FLOWS = "SELECT flow_id FROM flow"
_REQUESTS = "SELECT DISTINCT trace_id FROM request"


def lay_out(conninfo: str, batches: Iterable[Batch], environment: str) -> Copy:
    """A copy of everything that would come of these batches in an empty store. Raises `belonging.TooLarge`."""
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=3) as connection:
        for table in (*ROWS, *WRITTEN):
            if table not in SHARED:
                statement = "CREATE TEMP TABLE {name} (LIKE public.{name} INCLUDING ALL)"
                connection.execute(sql.SQL(statement).format(name=sql.Identifier(table)))
        writer = Writer(connection, environment, live=False)
        for batch in batches:
            if batch.spans or batch.logs:
                writer.write(batch.spans, batch.logs, now_ns())
        flows = tuple(row[0] for row in connection.execute(_FLOWS).fetchall())
        requests = tuple(row[0] for row in connection.execute(_REQUESTS).fetchall())
        return copying.take(connection, Subject(flows=flows, requests=requests), now_ns())
