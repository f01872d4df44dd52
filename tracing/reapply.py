"""Works off rule jobs: a rule applied to what is stored, or undone, a chunk a transaction.

The set a job covers is frozen by its version: records stamped older were committed before it was published, and
none is added. The cursor is saved with each chunk, so a job goes on where a crash left it and counts nothing twice.
"""

from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from tracing import reading, rulebook, stored, summing, undoing
from tracing.correlation import Rulebook
from tracing.flows import Fold
from tracing.mentions import Reading
from tracing.parts import REWRITE_LOCK
from tracing.records import Log, Span

# One job at a time, whichever watcher has it, and none while a day is thinned.
JOB_LOCK = REWRITE_LOCK

_NEXT = """
SELECT j.id, j.action, j.version, j.cursor, j.rule_id FROM tracing_rulejob j
WHERE j.state IN ('waiting', 'running') ORDER BY j.id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_RULE: LiteralString = f"SELECT {rulebook.RULE_COLUMNS} FROM tracing_rule WHERE id = %s"
_SAVE = """
UPDATE tracing_rulejob SET state = 'running', cursor = %s, processed = processed + %s, grouped = grouped + %s
WHERE id = %s
"""
# Counted once, at the end: no index leads from a rule to its members, so it is a pass over all of them.
_DONE = """
UPDATE tracing_rulejob SET state = 'done', total = processed, finished_at = now(),
    flows = (SELECT count(DISTINCT flow_id) FROM member WHERE rule_id = tracing_rulejob.rule_id) WHERE id = %s
"""
_FAILED = "UPDATE tracing_rulejob SET state = 'failed', message = %s, finished_at = now() WHERE id = %s"
_MEMBERS = """
SELECT flow_id, rule_id, day, trace_id, span_ids, span_marks, log_ids FROM member
WHERE flow_id = ANY(%s) AND trace_id = ANY(%s)
"""


def work(connection: psycopg.Connection, environment: str = "production") -> bool:
    """Do one chunk of the oldest open job; False when there is none, or another watcher has it."""
    job_id = None
    try:
        with connection.transaction(), connection.cursor() as cursor:
            locked = cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (JOB_LOCK,)).fetchone()
            job = cursor.execute(_NEXT).fetchone() if locked and locked[0] else None
            if job is None:
                return False
            job_id = job[0]
            step = _apply_chunk if job[1] == "apply" else _undo_chunk
            step(connection, cursor, job, environment)
    except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
        return True  # ingest went first; the chunk is tried again
    except psycopg.OperationalError:
        raise
    except Exception as error:
        if job_id is None:
            raise
        if isinstance(error, psycopg.errors.UndefinedTable):
            return True  # retention took the partition in the middle; the next try passes it by
        # A job that cannot go on says so on the page; the loop and the other jobs live on.
        connection.execute(_FAILED, (str(error)[:500], job_id))
    return True


def _apply_chunk(connection: psycopg.Connection, cursor: Any, job: tuple[Any, ...], environment: str) -> None:
    job_id, _, version, position, rule_id = job
    table, name, after = _position(connection, position)
    if not name:
        cursor.execute(_DONE, (job_id,))
        return
    rows = reading.chunk(connection, table, name, after, version)
    more = len(rows) == reading.CHUNK
    records = list(reading.values(table, rows, stored.Resources(connection)))
    rule = rulebook.as_rule(*cursor.execute(_RULE, (rule_id,)).fetchone())
    grouped = _fold(connection, cursor, Rulebook([rule], environment, version), records, environment)
    last = reading.key_of(table, rows[-1]) if more else None
    saved = {"table": table, "name": name, "after": _as_json(last), "done": last is None}
    cursor.execute(_SAVE, (Jsonb(saved), len(rows), grouped, job_id))


def _undo_chunk(connection: psycopg.Connection, cursor: Any, job: tuple[Any, ...], environment: str) -> None:
    job_id, _, _, position, rule_id = job
    flows = undoing.undo_some(connection, cursor, rule_id, position["before_xid"], environment)
    if not flows:
        cursor.execute(_DONE, (job_id,))
        return
    cursor.execute(_SAVE, (Jsonb(position), flows, flows, job_id))


def _position(connection: psycopg.Connection, saved: Any) -> tuple[str, str, tuple[Any, ...] | None]:
    """Where the next chunk begins: table, partition, key after which; no partition when all is done."""
    # A partition that retention took since the last chunk is done.
    if saved and not saved["done"] and saved["name"] in reading.partition_names(connection, saved["table"]):
        return saved["table"], saved["name"], _from_json(saved["after"])
    for table in ("span", "log"):
        if saved and saved["table"] == "log" and table == "span":
            continue
        for name in reading.partition_names(connection, table):
            if not saved or saved["table"] != table or name > saved["name"]:
                return table, name, None
    return "", "", None


def _fold(
    connection: psycopg.Connection,
    cursor: Any,
    book: Rulebook,
    records: list[tuple[Span | Log, int]],
    environment: str,
) -> int:
    """Fold one rule's mentions of these records, each flow counting a record once, whichever rule came first."""
    readings = [(record, received, _read(book, record)) for record, received in records]
    speaking = [(record, received, said) for record, received, said in readings if said.mentions]
    if not speaking:
        return 0
    by_rule, by_any = _memberships(connection, speaking, book.rules[0].rule_id)
    row = cursor.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    fold = Fold(environment, 0)
    grouped = 0
    for record, received, said in speaking:
        where = (record.day, record.trace_id, stored.member_id(record))
        new = [one for one in said.mentions if (one.flow.flow_id, *where) not in by_rule]
        if not new:
            continue
        known = {one.flow.flow_id for one in new if (one.flow.flow_id, *where) in by_any}
        fold.received_ns = received
        grouped += 1
        fresh = Reading(tuple(new), said.assertions)
        if isinstance(record, Span):
            fold.take_span(record, fresh, request=False, known=known)
        else:
            fold.take_log(record, fresh, request=False, known=known)
    summing.add(cursor, fold, row[0])
    return grouped


def _read(book: Rulebook, record: Span | Log) -> Reading:
    return book.read_span(record) if isinstance(record, Span) else book.read_log(record)


_Memberships = set[tuple[bytes, int, bytes, bytes]]


def _memberships(
    connection: psycopg.Connection, speaking: list[tuple[Span | Log, int, Reading]], rule_id: int
) -> tuple[_Memberships, _Memberships]:
    """(flow, day, trace, member id) that are members already: under this rule, and under any."""
    flows = list({one.flow.flow_id for _, _, said in speaking for one in said.mentions})
    traces = list({record.trace_id for record, _, _ in speaking})
    by_rule: _Memberships = set()
    by_any: _Memberships = set()
    for flow_id, made_by, day, trace_id, *packed in connection.execute(_MEMBERS, (flows, traces)).fetchall():
        ids = {(flow_id, day, trace_id, one) for one in stored.member_ids(*packed)}
        by_any |= ids
        if made_by == rule_id:
            by_rule |= ids
    return by_rule, by_any


def _as_json(key: tuple[Any, ...] | None) -> list[Any] | None:
    return None if key is None else [part.hex() if isinstance(part, bytes) else part for part in key]


def _from_json(key: list[Any] | None) -> tuple[Any, ...] | None:
    return (
        None if key is None else tuple(bytes.fromhex(part) if isinstance(part, str) else part for part in key)
    )
