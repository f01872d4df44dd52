"""Erases a flow's records wherever they count, in transactions of bounded size, and counts anew whoever shared them.

A crash leaves less to do: the flow's own row goes last, and who is to be counted anew stands in `recount` until it was.
`forgetting` and `scrubbing` take what was said of the flow; `manage.py forget` asks and tells.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from tracing import recounting, rulebook, scrubbing, stored, unused
from tracing.flows import MARK
from tracing.forgetting import count_flows, forget_flows
from tracing.snapshots import cleaning, keeping
from tracing.snapshots.carrying import Records
from tracing.striking import Target
from tracing.thinning import alone

# Records a transaction; a member row holds at most those of one storing transaction.
CHUNK = 2_000
TRIES = 5

_MEMBERS = """
SELECT tableoid::regclass::text, ctid::text, flow_id, day, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid::text
FROM member WHERE flow_id = %s ORDER BY day, trace_id LIMIT 200
"""
# Members of other flows in the same traces; of logs without a trace no index leads to them, and the day is read.
_BESIDE = """
SELECT tableoid::regclass::text, ctid::text, flow_id, day, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid::text
FROM member WHERE flow_id <> %(flow)s AND day = ANY(%(days)s) AND (
    trace_id = ANY(%(traces)s) AND flow_id IN (
        SELECT flow_id FROM chapter WHERE trace_id = ANY(%(traces)s) AND trace_id <> ''::bytea)
    OR %(traceless)s AND trace_id = ''::bytea)
"""
_LOCK = "SELECT 1 FROM flow WHERE flow_id = ANY(%s) ORDER BY flow_id FOR UPDATE"
_DROP_MEMBERS = """
DELETE FROM member m USING unnest(%s::text[], %s::tid[]) AS n(name, place)
WHERE m.tableoid = n.name::regclass AND m.ctid = n.place AND m.day = ANY(%s)
"""
_TRIMMED = """
INSERT INTO member (day, flow_id, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::xid8)
"""
_SPANS = """
DELETE FROM span s USING unnest(%s::bytea[], %s::bytea[], %s::bytea[], %s::int[]) AS n(trace_id, span_id, mark, day)
WHERE s.trace_id = n.trace_id AND s.span_id = n.span_id AND s.day = n.day AND substring(s.digest FOR 4) = n.mark
RETURNING s.trace_id, s.day, s.span_id, s.digest, s.resource_id, s.scope_id
"""
_LOGS = """
DELETE FROM log l USING unnest(%s::bytea[], %s::int[]) AS n(log_id, day) WHERE l.log_id = n.log_id AND l.day = n.day
RETURNING l.trace_id, l.day, l.log_id, l.digest, l.resource_id, l.scope_id
"""
_LINKS = """
DELETE FROM link l USING unnest(%s::bytea[], %s::bytea[], %s::int[]) AS n(trace_id, span_id, day)
WHERE l.trace_id = n.trace_id AND l.span_id = n.span_id AND l.day = n.day
AND NOT EXISTS (SELECT FROM span s WHERE s.trace_id = n.trace_id AND s.span_id = n.span_id) RETURNING 1
"""
_SAID: tuple[LiteralString, ...] = (
    "DELETE FROM assertion WHERE flow_id = ANY(%(scopes)s) AND trace_id = ANY(%(traces)s) AND record_id = ANY(%(records)s)",
    "DELETE FROM stated WHERE flow_id = ANY(%(scopes)s) AND trace_id = ANY(%(traces)s) AND record_id = ANY(%(records)s)",
    "DELETE FROM failure WHERE scope_id = ANY(%(scopes)s) AND trace_id = ANY(%(traces)s) AND record_id = ANY(%(records)s)",
    # A milestone that was among them is none any more, also where nothing else can be asked.
    "UPDATE flow SET step = NULL, step_order = NULL, step_ns = NULL, step_system = NULL"
    " WHERE flow_id = ANY(%(scopes)s) AND substring(step_order FROM 9) = ANY(%(digests)s)",
)
# At once, so that what is kept in part stays right: it cannot be counted anew.
_LESS_REQUEST = "UPDATE request SET spans = spans - %s, logs = logs - %s WHERE trace_id = %s AND day = %s"
_LESS_CHAPTER = """
UPDATE chapter SET spans = spans - %s, logs = logs - %s WHERE flow_id = %s AND trace_id = %s AND service = %s AND day = %s
"""
_TO_COUNT = "INSERT INTO recount (kind, id) SELECT %s, * FROM unnest(%s::bytea[]) ON CONFLICT DO NOTHING"
_PROBLEMS = "SELECT DISTINCT problem_id FROM problem_flow WHERE flow_id = %s AND kind > 0"
_PROBLEM_COUNTS = """
UPDATE problem p SET all_flows = (SELECT count(DISTINCT flow_id) FROM problem_flow f WHERE f.problem_id = p.problem_id),
    flows = (SELECT count(*) FROM problem_flow f WHERE f.problem_id = p.problem_id AND until_ns IS NULL)
WHERE problem_id = ANY(%s)
"""


@dataclass(slots=True)
class _Chunk:
    """Records to erase, and the member rows that named them."""

    rows: list[tuple[Any, ...]]
    spans: set[tuple[bytes, bytes, bytes, int]] = field(default_factory=set)  # trace, span, mark, day
    logs: set[tuple[bytes, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for _, _, _, day, trace_id, _, _, span_ids, marks, log_ids, _ in self.rows:
            pairs = zip(stored.split(span_ids, 8), stored.split(marks, MARK), strict=True)
            self.spans |= {(trace_id, span_id, mark, day) for span_id, mark in pairs}
            self.logs |= {(log_id, day) for log_id in stored.split(log_ids, 16)}

    @property
    def known(self) -> Records:
        """As copies name them."""
        found = Records()
        for _, _, _, _, trace_id, _, _, span_ids, marks, log_ids, _ in self.rows:
            found.add_members(trace_id, span_ids, marks, log_ids)
        return found

    @property
    def days(self) -> list[int]:
        return sorted({row[3] for row in self.rows})

    @property
    def traces(self) -> list[bytes]:
        return sorted({row[4] for row in self.rows})


def erase(connection: psycopg.Connection, target: Target, environment: str) -> Counter[str]:
    """Erase one flow; how many rows of what. `connection` is in autocommit; run again after a crash, it goes on."""
    gone: Counter[str] = Counter()
    rules = rulebook.load(connection, environment)
    with alone(connection, wait=True):
        # Before its own copies go; the store forgets them with the flow.
        problems = cleaning.problems(connection, target.flow_id) | _problems(connection, target.flow_id)
        is_over = False
        while not is_over:
            while _again(lambda: _erase_some(connection, target.flow_id, gone)):
                pass
            newest = cleaning.newest(connection)
            _count(cleaning.erase_carried(connection, target, rules, problems), gone)
            # No copy is made until the flow is gone: it would keep the name for good. Its own copies come after its row:
            # by either a run that was cut short is begun again.
            with keeping.forgetting(connection):
                _count(cleaning.erase_carried(connection, target, rules, problems, newest), gone)
                is_over = _end(connection, target, problems, gone)
                if is_over:
                    gone["frozen copies"] += cleaning.end(connection, target.flow_id)
        gone += finish(connection, environment)
    return gone


def finish(connection: psycopg.Connection, environment: str) -> Counter[str]:
    """Count anew whoever lost records, and drop what no record uses any more, also what a run left that was cut short."""
    told: Counter[str] = Counter()
    with alone(connection, wait=True):
        while _again(lambda: recounting.recount_next(connection, environment)):
            told["counted anew"] += 1
        told["unused"] = unused.drop(connection)
    return told


def _again(work: Callable[[], bool]) -> bool:
    """Ingest may go first."""
    for attempt in range(TRIES):
        try:
            return work()
        except psycopg.errors.DeadlockDetected:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _count(told: cleaning.Erased, gone: Counter[str]) -> None:
    gone["records in other frozen copies"] += told.rows
    gone["texts in frozen copies"] += told.texts


def _problems(connection: psycopg.Connection, flow_id: bytes) -> set[bytes]:
    return {row[0] for row in connection.execute(_PROBLEMS, (flow_id,)).fetchall()}


def _erase_some(connection: psycopg.Connection, flow_id: bytes, gone: Counter[str]) -> bool:
    """One chunk of it; False when nothing is left.

    Nothing is copied meanwhile: a copy that was begun is there and found, one that begins later finds nothing of it. And
    copies come first: after a crash the ids of what is gone already could no longer be told.
    """
    with keeping.forgetting(connection):
        with connection.cursor() as cursor:
            chunk = _next(cursor, flow_id)
        if chunk is None:
            return False
        known = chunk.known
        gone["records in other frozen copies"] += cleaning.erase_known(connection, flow_id, known)
        return _erase_known(connection, flow_id, known, gone)


def _erase_known(connection: psycopg.Connection, flow_id: bytes, known: Records, gone: Counter[str]) -> bool:
    """The transaction of a chunk whose records copies have lost already; False when nothing is left."""
    with connection.transaction(), connection.cursor() as cursor:
        chunk = _next(cursor, flow_id)
        if chunk is None or not chunk.known.within(known):
            return chunk is not None
        asked = {
            "flow": flow_id, "days": chunk.days, "traces": [trace for trace in chunk.traces if trace],
            "traceless": b"" in chunk.traces,
        }  # fmt: skip
        beside = [row for row in cursor.execute(_BESIDE, asked).fetchall() if _shares(row, chunk)]
        neighbours = sorted({row[2] for row in beside})
        cursor.execute(_LOCK, (sorted({flow_id, *neighbours}),))
        told: Counter[str] = Counter()
        spans = cursor.execute(_SPANS, _columns(chunk.spans, 4)).fetchall()
        logs = cursor.execute(_LOGS, _columns(chunk.logs, 2)).fetchall()
        links = {(trace, span, day) for trace, day, span, *_ in spans}
        told["links"] = len(cursor.execute(_LINKS, _columns(links, 3)).fetchall())
        told["spans"], told["logs"] = len(spans), len(logs)
        _take_from_requests(cursor, spans, logs)
        _trim(cursor, beside, chunk)
        _drop_members(cursor, chunk.rows)
        records = [*spans, *logs]
        asked = {
            "scopes": [*neighbours, *chunk.traces], "traces": chunk.traces,
            "records": [row[2] for row in records], "digests": [row[3] for row in records],
        }  # fmt: skip
        for statement in _SAID:
            cursor.execute(statement, asked)
        unused.note(cursor, (row[4] for row in records), (row[5] for row in records))
        cursor.execute(_TO_COUNT, (1, neighbours))
        cursor.execute(_TO_COUNT, (0, [trace for trace in chunk.traces if trace]))
    gone += told
    return True


def _next(cursor: Any, flow_id: bytes) -> _Chunk | None:
    rows: list[tuple[Any, ...]] = []
    records = 0
    for row in cursor.execute(_MEMBERS, (flow_id,)).fetchall():
        if rows and records > CHUNK:
            break
        rows.append(row)
        records += len(row[7]) // 8 + len(row[9]) // 16
    return _Chunk(rows) if rows else None


def _shares(row: tuple[Any, ...], chunk: _Chunk) -> bool:
    return _left(row, chunk) != row[7:10]


def _left(row: tuple[Any, ...], chunk: _Chunk) -> tuple[bytes, bytes, bytes]:
    """A member row's ids without those erased."""
    _, _, _, day, trace_id, _, _, span_ids, marks, log_ids, _ = row
    pairs = zip(stored.split(span_ids, 8), stored.split(marks, MARK), strict=True)
    spans = [(span, mark) for span, mark in pairs if (trace_id, span, mark, day) not in chunk.spans]
    logs = [one for one in stored.split(log_ids, 16) if (one, day) not in chunk.logs]
    return b"".join(span for span, _ in spans), b"".join(mark for _, mark in spans), b"".join(logs)


def _trim(cursor: Any, beside: list[tuple[Any, ...]], chunk: _Chunk) -> None:
    """Take the erased records out of other flows' members, and of their chapters' counts, each once."""
    lost: dict[tuple[bytes, bytes, str, int], tuple[set[bytes], set[bytes]]] = {}
    _drop_members(cursor, beside)
    for row in beside:
        left = _left(row, chunk)
        if left[0] or left[2]:
            cursor.execute(_TRIMMED, (row[3], row[2], row[4], row[5], row[6], *left, row[10]))
        spans, logs = lost.setdefault((row[2], row[4], row[5], row[3]), (set(), set()))
        spans |= set(stored.member_ids(row[7], row[8], b"")) - set(stored.member_ids(left[0], left[1], b""))
        logs |= set(stored.split(row[9], 16)) - set(stored.split(left[2], 16))
    for key, (spans, logs) in sorted(lost.items()):
        cursor.execute(_LESS_CHAPTER, (len(spans), len(logs), *key))


def _drop_members(cursor: Any, rows: list[tuple[Any, ...]]) -> None:
    names, places = [row[0] for row in rows], [row[1] for row in rows]
    cursor.execute(_DROP_MEMBERS, (names, places, sorted({row[3] for row in rows})))


def _take_from_requests(cursor: Any, spans: list[tuple[Any, ...]], logs: list[tuple[Any, ...]]) -> None:
    of_spans = Counter((row[0], row[1]) for row in spans)
    of_logs = Counter((row[0], row[1]) for row in logs if row[0])
    for key in sorted({*of_spans, *of_logs}):
        cursor.execute(_LESS_REQUEST, (of_spans[key], of_logs[key], *key))


def _columns(keys: Iterable[tuple[Any, ...]], width: int) -> list[list[Any]]:
    rows = sorted(keys)
    return [[row[place] for row in rows] for place in range(width)]


def _end(connection: psycopg.Connection, target: Target, of: set[bytes], gone: Counter[str]) -> bool:
    """Forget what was said of the flow, part of these problems, then the flow; False where records of it are left, or came."""
    flow_id = target.flow_id
    told: Counter[str] = Counter()
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_LOCK, ([flow_id],))
        if cursor.execute("SELECT 1 FROM member WHERE flow_id = %s LIMIT 1", (flow_id,)).fetchone():
            return False
        problems = sorted(_problems(connection, flow_id))
        told["texts"] = scrubbing.scrub(cursor, target, [*of, *problems])
        told["flows"] = len(
            cursor.execute("DELETE FROM flow WHERE flow_id = %s RETURNING 1", (flow_id,)).fetchall()
        )
        cursor.execute("UPDATE backlog SET oldest_id = NULL WHERE oldest_id = %s", (flow_id,))
        told += count_flows(cursor, [flow_id])
        forget_flows(cursor, [flow_id])
        unused.note_naming(cursor, target.key)
        cursor.execute(_PROBLEM_COUNTS, (problems,))
    gone += told
    return True
