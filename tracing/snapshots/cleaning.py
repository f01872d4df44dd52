"""What is forgotten is forgotten in frozen copies too: `manage.py forget` calls this after it erased the records.

A copy of a forgotten flow goes as a whole, and the links to it. From copies of other flows that shared records with it
these records are taken out: laid out on the stage, deleted there, and copied back. So are texts that name it.
"""

import zlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from tracing import scrubbing
from tracing.snapshots import keeping, staging
from tracing.snapshots.copying import ROWS, Part, columns_of, compressed
from tracing.striking import Target, sought

# Copies of one of these flows, alone or beside others: a file that holds it goes as a whole, its records were never stored.
_OWN = """
SELECT id FROM tracing_snapshot WHERE flow_id = ANY(%(flows)s)
UNION SELECT snapshot_id FROM tracing_snapshotmark JOIN tracing_snapshot s ON s.id = snapshot_id
    WHERE mark = ANY(%(flows)s) AND s.subject IN ('comparison', 'file')
"""
_SHARING = (
    "SELECT DISTINCT snapshot_id FROM tracing_snapshotmark WHERE mark = ANY(%(marks)s) ORDER BY snapshot_id"
)
# By table: the column that names whom a row is of.
_NAMING = {
    "flow": "flow_id", "chapter": "flow_id", "member": "flow_id", "assertion": "flow_id", "current_state": "flow_id",
    "expectation": "flow_id", "stated": "flow_id", "flip": "flow_id", "problem_flow": "flow_id", "message": "flow_id",
    "tracing_note": "flow_id", "tracing_closure": "flow_id",
}  # fmt: skip
_SPANS = """
DELETE FROM stage.span_rows r USING unnest(%(traces)s::bytea[], %(spans)s::bytea[]) AS gone(trace_id, span_id)
WHERE r.stage_id = %(stage)s AND r.trace_id = gone.trace_id AND r.span_id = gone.span_id
"""
_ITS_PROBLEMS = "SELECT problem_id FROM stage.problem_flow_rows WHERE stage_id = %s AND flow_id = %s"
_TEXTS = 'SELECT snapshot_id, data FROM tracing_snapshotpart WHERE "table" = ANY(%s)'
_LOGS = "DELETE FROM stage.log_rows WHERE stage_id = %(stage)s AND log_id = ANY(%(logs)s)"


class Erased(NamedTuple):
    """How many copies went, and from how many others records were taken."""

    copies: int
    cleaned: int
    records: int


def erase(
    connection: psycopg.Connection,
    flows: Sequence[bytes],
    spans: Sequence[tuple[bytes, bytes]],
    logs: Sequence[bytes],
) -> Erased:
    """Forget these flows and records (trace and span ids; log ids) in all copies. In autocommit; may be run again."""
    own = [row[0] for row in connection.execute(_OWN, {"flows": list(flows)}).fetchall()]
    keeping.drop(connection, own)
    marks = sorted({*flows, *(trace_id for trace_id, _ in spans), *logs})
    sharing = [row[0] for row in connection.execute(_SHARING, {"marks": marks}).fetchall()]
    cleaned = records = 0
    for snapshot_id in sharing:
        taken = _clean(connection, snapshot_id, flows, spans, logs)
        cleaned += taken > 0
        records += taken
    return Erased(len(own), cleaned, records)


def scrub(connection: psycopg.Connection, target: Target, problems: Sequence[bytes]) -> int:
    """Take the flow's name out of what all copies say of others; how many texts. In autocommit; may be run again."""

    def change(stage_id: int) -> int:
        with connection.cursor() as cursor:
            cursor.execute(_ITS_PROBLEMS, (stage_id, target.flow_id))
            own = [row[0] for row in cursor.fetchall()]
            return scrubbing.scrub(cursor, target, [*problems, *own], stage_id)

    return sum(_changed(connection, one, change) for one in _mentioning(connection, target))


def end(connection: psycopg.Connection) -> None:
    """Nothing that was laid out before is left: what is looked at next is laid out anew. In autocommit."""
    staging.leave_live(connection)
    staging.evict(connection)


def _mentioning(connection: psycopg.Connection, target: Target) -> list[int]:
    """Copies whose texts may name the flow: what is copied is UTF-8 as it stands, JSON too."""
    wanted = [one.encode() for one in sought(target)]
    found: set[int] = set()
    with connection.transaction(), connection.cursor("texts") as cursor:
        cursor.execute(_TEXTS, (list(scrubbing.COPIED),))
        for snapshot_id, data in cursor:
            if snapshot_id not in found:
                content = zlib.decompress(data)
                if any(one in content for one in wanted):
                    found.add(snapshot_id)
    return sorted(found)


def _clean(
    connection: psycopg.Connection,
    snapshot_id: int,
    flows: Sequence[bytes],
    spans: Sequence[tuple[bytes, bytes]],
    logs: Sequence[bytes],
) -> int:
    """Rows that were taken out of a copy."""
    asked = {
        "traces": [trace_id for trace_id, _ in spans],
        "spans": [span_id for _, span_id in spans],
        "logs": list(logs),
        "flows": list(flows),
    }

    def change(stage_id: int) -> int:
        on = asked | {"stage": stage_id}
        rows = connection.execute(_SPANS, on).rowcount + connection.execute(_LOGS, on).rowcount
        for table, column in _NAMING.items():
            statement = sql.SQL("DELETE FROM stage.{} WHERE stage_id = %(stage)s AND {} = ANY(%(flows)s)")
            named = statement.format(sql.Identifier(f"{table}_rows"), sql.Identifier(column))
            rows += connection.execute(named, on).rowcount
        return rows

    return _changed(connection, snapshot_id, change)


def _changed(connection: psycopg.Connection, snapshot_id: int, change: Callable[[int], int]) -> int:
    """Lay a copy out, change its rows there, and keep them instead; how many were."""
    stage_id = staging.staged(
        connection, f"cleaning {snapshot_id}", lambda: keeping.parts(connection, snapshot_id)
    )
    try:
        with connection.transaction():
            rows = change(stage_id)
            if rows:
                keeping.replace_parts(connection, snapshot_id, _parts(connection, stage_id))
        return rows
    finally:
        staging.clear(connection, stage_id)


def _parts(connection: psycopg.Connection, stage_id: int) -> list[Part]:
    """The rows of a stage as the parts of a copy."""
    staging.choose(connection, stage_id)
    columns = columns_of(connection)
    found: list[Part] = []
    for table in ROWS:
        told = sql.SQL(", ").join(map(sql.Identifier, columns[table]))
        statement = sql.SQL("COPY (SELECT {} FROM stage.{}) TO STDOUT (FORMAT binary)").format(
            told, sql.Identifier(table)
        )
        found += compressed(connection, table, columns[table], statement)
    return found
