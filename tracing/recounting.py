"""Counts a request or a flow anew from the records that are left, one a transaction, as `recount` asks for it.

`erasing` asks after it took records away; `undoing` does the flows.
"""

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg

from tracing import stored, summing, undoing
from tracing.flows import Fold
from tracing.mentions import NOTHING
from tracing.records import Log, Span

STEP = 2_000

# Requests and flows; `unused` has the other kinds.
_NEXT = "SELECT kind, id FROM recount WHERE kind IN (0, 1) ORDER BY kind, id LIMIT 1 FOR UPDATE"
_DONE = "DELETE FROM recount WHERE kind = %s AND id = %s"
_LOCK = "SELECT day, spans, logs, resent FROM request WHERE trace_id = %s ORDER BY day FOR UPDATE"
_LEFT: dict[str, LiteralString] = {
    "span": "SELECT day, count(*) FROM span WHERE trace_id = %s GROUP BY day",
    "log": "SELECT day, count(*) FROM log WHERE trace_id = %s AND trace_id <> ''::bytea GROUP BY day",
}
_CLEAR: tuple[LiteralString, ...] = (
    "DELETE FROM request WHERE trace_id = %s",
    "DELETE FROM told_exception WHERE scope_id = %s",
    "DELETE FROM failure WHERE scope_id = %s AND kind = 0",
)
_RECORDS: dict[str, LiteralString] = {
    "span": f"SELECT {stored.SPAN_COLUMNS} FROM span WHERE trace_id = %s",
    "log": f"SELECT {stored.LOG_COLUMNS} FROM log WHERE trace_id = %s AND trace_id <> ''::bytea",
}
_RESENT = "UPDATE request SET resent = %s WHERE trace_id = %s AND day = %s"


def recount_next(connection: psycopg.Connection, environment: str) -> bool:
    """Count the next one anew; False when nobody is left. `connection` is in autocommit."""
    with connection.transaction(), connection.cursor() as cursor:
        row = cursor.execute(_NEXT).fetchone()
        if row is None:
            return False
        kind, identity = row
        if kind:
            undoing.recount(connection, cursor, [identity], environment)
        else:
            _recount_request(connection, cursor, identity, environment)
        cursor.execute(_DONE, row)
    return True


def _recount_request(connection: psycopg.Connection, cursor: Any, trace_id: bytes, environment: str) -> None:
    rows = cursor.execute(_LOCK, (trace_id,)).fetchall()
    spans, logs = (dict(cursor.execute(_LEFT[table], (trace_id,)).fetchall()) for table in ("span", "log"))
    if any(told > spans.get(day, 0) or said > logs.get(day, 0) for day, told, said, _ in rows):
        return  # kept in part: the rest cannot be asked, and what was erased is taken from its counts already
    for statement in _CLEAR:
        cursor.execute(statement, (trace_id,))
    fold = Fold(environment, 0)
    for record, received in _records(connection, trace_id):
        fold.received_ns = received
        if isinstance(record, Span):
            fold.take_span(record, NOTHING)
        else:
            fold.take_log(record, NOTHING)
    # They were tallied when they came.
    fold.remarks.tallies.clear()
    xid = cursor.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    summing.add(cursor, fold, xid[0])
    for day, _, _, resent in rows:
        cursor.execute(_RESENT, (resent, trace_id, day))


def _records(connection: psycopg.Connection, trace_id: bytes) -> Iterator[tuple[Span | Log, int]]:
    resources = stored.Resources(connection)
    for table, question in _RECORDS.items():
        # On the server, a part at a time: a trace may be of a million records.
        with connection.cursor(f"recount_{table}") as reading:
            reading.execute(question, (trace_id,))
            while rows := reading.fetchmany(STEP):
                yield from stored.spans(rows, resources) if table == "span" else stored.logs(rows, resources)
