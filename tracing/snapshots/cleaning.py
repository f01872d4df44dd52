"""What is forgotten is forgotten in frozen copies too: `manage.py forget` calls this after it erased the records.

A copy of a forgotten flow goes as a whole, and the links to it. From copies of other flows that shared records with it
these records are taken out: laid out on the stage, deleted there, and copied back. So are texts that name it. Which they
are is known from the store while it has them, from then on from the copies (`carrying`).
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from psycopg import sql

from tracing import scrubbing, unused
from tracing.correlation import Rulebook
from tracing.mentions import Flow
from tracing.snapshots import carrying, keeping, staging
from tracing.snapshots.carrying import Records
from tracing.snapshots.copying import ROWS, Part, columns_of, compressed
from tracing.striking import Target, sought

# Copies of the flow, alone or beside others: a file that holds it goes as a whole, its records were never stored.
_OWN = """
SELECT id FROM tracing_snapshot WHERE flow_id = %(flow)s
UNION SELECT snapshot_id FROM tracing_snapshotmark JOIN tracing_snapshot s ON s.id = snapshot_id
    WHERE mark = %(flow)s AND s.subject IN ('comparison', 'file')
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
DELETE FROM stage.span_rows r
USING unnest(%(traces)s::bytea[], %(spans)s::bytea[], %(marks)s::bytea[]) AS gone(trace_id, span_id, mark)
WHERE r.stage_id = %(stage)s AND r.trace_id = gone.trace_id AND r.span_id = gone.span_id
AND substring(r.digest FOR 4) = gone.mark
"""
_LOGS = "DELETE FROM stage.log_rows WHERE stage_id = %(stage)s AND log_id = ANY(%(logs)s)"
_COUNT = """
SELECT (SELECT count(DISTINCT (trace_id, span_id)) FROM stage.span_rows WHERE stage_id = %(stage)s)
    + (SELECT count(*) FROM stage.log_rows WHERE stage_id = %(stage)s)
"""
# What the records say of their sender, where none of the sender's is left.
_UNUSED = """
DELETE FROM stage.{rows} u WHERE stage_id = %(stage)s
AND NOT EXISTS (SELECT FROM stage.span_rows r WHERE r.stage_id = %(stage)s AND r.{id} = u.{id})
AND NOT EXISTS (SELECT FROM stage.log_rows r WHERE r.stage_id = %(stage)s AND r.{id} = u.{id})
"""
_ITS_PROBLEMS = "SELECT problem_id FROM stage.problem_flow_rows WHERE stage_id = %s AND flow_id = %s"
_PINNED_BY = "SELECT problem_id FROM tracing_snapshot WHERE flow_id = %s AND problem_id IS NOT NULL"
_PARTS = "SELECT snapshot_id, data FROM tracing_snapshotpart WHERE snapshot_id > %s"


class Erased(NamedTuple):
    """How many rows were taken out of copies, and in how many the flow's name was struck out."""

    rows: int
    texts: int


def problems(connection: psycopg.Connection, flow_id: bytes) -> set[bytes]:
    """The problems that this flow was part of, as its own copies know them still. In autocommit."""
    found = {row[0] for row in connection.execute(_PINNED_BY, (flow_id,)).fetchall()}
    for snapshot_id in _own(connection, flow_id):
        with _laid_out(connection, snapshot_id, ("problem_flow",)) as stage_id:
            found |= _its_problems(connection, stage_id, flow_id)
    return found


def erase_known(connection: psycopg.Connection, flow_id: bytes, known: Records) -> int:
    """Take these records of the flow out of others' copies; how many rows. In autocommit; may be run again."""
    own = _own(connection, flow_id)
    sharing = [row[0] for row in connection.execute(_SHARING, {"marks": sorted(known.marks)}).fetchall()]
    return sum(
        _changed(connection, one, lambda stage_id: _take_records(connection, stage_id, known))
        for one in sharing
        if one not in own
    )


def erase_carried(
    connection: psycopg.Connection, target: Target, rules: Rulebook, of: set[bytes], after_id: int = 0
) -> Erased:
    """Forget the flow, of these problems, in others' copies after this one. In autocommit; may be run again.

    Nobody knows any more which copies shared its records: all are gone through, one after the other, so that whoever
    wants to read one need not wait for all. Without values no key is told from another: of these copies what others
    know as the flow's records goes. The flow's own copies stay until `end`: they know what the store does not.
    """
    found, texts = Records(), 0

    def take(stage_id: int) -> int:
        nonlocal texts
        struck = _strike(connection, stage_id, target, of)
        carried = carrying.records(connection, stage_id, target.flow_id, rules)
        found.add(carried)
        texts += struck
        taken = _take_records(connection, stage_id, carried)
        return struck + taken + _take_flow(connection, stage_id, target.flow_id)

    own = _own(connection, target.flow_id)
    for snapshot_id in own:
        with _laid_out(connection, snapshot_id, ("member",)) as stage_id:
            found.add(carrying.members(connection, stage_id, target.flow_id))
    wanted = {carrying.sought(target.key), target.flow_id, *(one.encode() for one in sought(target))}
    rows = 0
    for snapshot_id in _holding(connection, wanted, after_id):
        if snapshot_id not in own:
            with keeping.forgetting(connection):
                rows += _changed(connection, snapshot_id, take)
    with keeping.forgetting(connection):
        rows += erase_known(connection, target.flow_id, found)
    return Erased(rows - texts, texts)


def end(connection: psycopg.Connection, flow_id: bytes) -> int:
    """Let go the flow's own copies; how many. What was laid out before is laid out anew. In autocommit."""
    own = _own(connection, flow_id)
    keeping.drop(connection, own)
    staging.leave_live(connection)
    staging.evict(connection)
    return len(own)


def flows(connection: psycopg.Connection, key: str, rules: Rulebook) -> set[Flow]:
    """The flows of this key that copies hold something of, whether or not the store does. In autocommit."""
    found: set[Flow] = set()
    for snapshot_id in _holding(connection, {carrying.sought(key)}):
        with _laid_out(connection, snapshot_id) as stage_id:
            found |= carrying.flows(connection, stage_id, key, rules)
    return found


def newest(connection: psycopg.Connection) -> int:
    """The id of the latest copy; 0 where there was never one."""
    row = connection.execute("SELECT coalesce(max(id), 0) FROM tracing_snapshot").fetchone()
    return int(row[0]) if row else 0


def _own(connection: psycopg.Connection, flow_id: bytes) -> list[int]:
    return [row[0] for row in connection.execute(_OWN, {"flow": flow_id}).fetchall()]


def _its_problems(connection: psycopg.Connection, stage_id: int, flow_id: bytes) -> set[bytes]:
    return {row[0] for row in connection.execute(_ITS_PROBLEMS, (stage_id, flow_id)).fetchall()}


def _holding(connection: psycopg.Connection, wanted: set[bytes], after_id: int = 0) -> list[int]:
    """Copies after this one in whose rows one of these stands: texts are UTF-8 as they stand, JSON too."""
    found: set[int] = set()
    with connection.transaction(), connection.cursor("parts") as cursor:
        # A part may have 4 MB.
        cursor.itersize = 10
        for snapshot_id, data in cursor.execute(_PARTS, (after_id,)):
            if snapshot_id not in found:
                content = zlib.decompress(data)
                if any(one in content for one in wanted):
                    found.add(snapshot_id)
    return sorted(found)


def _strike(connection: psycopg.Connection, stage_id: int, target: Target, of: set[bytes]) -> int:
    """Take the flow's name out of what a copy says of others; how many texts."""
    its = of | _its_problems(connection, stage_id, target.flow_id)
    with connection.cursor() as cursor:
        return scrubbing.scrub(cursor, target, sorted(its), stage_id)


def _take_records(connection: psycopg.Connection, stage_id: int, known: Records) -> int:
    """Take these records out of a copy, and what their senders said where none of them is left; how many records."""
    spans = sorted(known.spans)
    on = {
        "stage": stage_id,
        "traces": [trace_id for trace_id, _, _ in spans],
        "spans": [span_id for _, span_id, _ in spans],
        "marks": [mark for _, _, mark in spans],
        "logs": sorted(known.logs),
    }
    rows = connection.execute(_SPANS, on).rowcount + connection.execute(_LOGS, on).rowcount
    for table, identity in unused.TABLES.values() if rows else ():
        names = {"rows": sql.Identifier(f"{table}_rows"), "id": sql.Identifier(identity)}
        connection.execute(sql.SQL(_UNUSED).format(**names), on)
    return rows


def _take_flow(connection: psycopg.Connection, stage_id: int, flow_id: bytes) -> int:
    """Take what a copy says of the flow itself out of it; how many rows."""
    rows = 0
    for table, column in _NAMING.items():
        statement = sql.SQL("DELETE FROM stage.{} WHERE stage_id = %s AND {} = %s")
        named = statement.format(sql.Identifier(f"{table}_rows"), sql.Identifier(column))
        rows += connection.execute(named, (stage_id, flow_id)).rowcount
    return rows


def _changed(connection: psycopg.Connection, snapshot_id: int, change: Callable[[int], int]) -> int:
    """Lay a copy out, change its rows there, and keep them instead; how many were."""
    with _laid_out(connection, snapshot_id) as stage_id:
        rows = change(stage_id)
        if rows:
            keeping.replace_parts(
                connection, snapshot_id, _parts(connection, stage_id), _records(connection, stage_id)
            )
    return rows


def _records(connection: psycopg.Connection, stage_id: int) -> int:
    """How many spans and logs are laid out; versions of a span are one."""
    row = connection.execute(_COUNT, {"stage": stage_id}).fetchone()
    return int(row[0]) if row else 0


@contextmanager
def _laid_out(
    connection: psycopg.Connection, snapshot_id: int, tables: Sequence[str] = tuple(ROWS)
) -> Iterator[int]:
    """The stage of a copy, in a transaction that ends with it: nobody else sees the stage, so nobody evicts it."""
    with connection.transaction():
        stage_id = staging.staged(
            connection,
            f"cleaning {snapshot_id}",
            lambda: (part for part in keeping.parts(connection, snapshot_id) if part.table in tables),
        )
        yield stage_id
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
