"""A copy of everything a view reads: rows of each table as PostgreSQL's binary COPY writes them, compressed.

`belonging` says which records; `keeping` stores a copy, `staging` lays one out so that pages can read it. Where values
are to stay behind, they are replaced before they leave the database.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from tracing.snapshots import belonging, exchanges

CHUNK_BYTES = 4 * 2**20  # before compression
MOST_FLOWS = 500  # of a problem

# Each table's rows of one view. Parameters: ids of flows, requests and problems; what `belonging` found.
ROWS: dict[LiteralString, LiteralString] = {
    "span": """unnest(%(span_traces)s::bytea[], %(span_ids)s::bytea[]) AS w(t, s) CROSS JOIN LATERAL
        (SELECT * FROM span WHERE trace_id = t AND span_id = s AND day = ANY(%(days)s::int[]) OFFSET 0) AS told""",
    "log": """unnest(%(logs)s::bytea[]) AS w(l) CROSS JOIN LATERAL
        (SELECT * FROM log WHERE log_id = l AND day = ANY(%(days)s::int[]) OFFSET 0) AS told""",
    "link": """unnest(%(span_traces)s::bytea[], %(span_ids)s::bytea[]) AS w(t, s)
        JOIN (SELECT * FROM link WHERE target_trace_id = ANY(%(traces)s::bytea[])
            AND trace_id = ANY(%(traces)s::bytea[])) AS told ON told.trace_id = t AND told.span_id = s""",
    "request": "request AS told WHERE trace_id = ANY(%(traces)s::bytea[]) OR trace_id = ANY(%(struck)s::bytea[])",
    "resource": "resource AS told WHERE resource_id = ANY(%(resources)s::bytea[])",
    "scope": "scope AS told WHERE scope_id = ANY(%(scopes)s::bytea[])",
    "day": "day AS told",
    "flow": "flow AS told WHERE flow_id = ANY(%(flows)s::bytea[]) OR flow_id = ANY(%(struck)s::bytea[])",
    "chapter": "chapter AS told WHERE flow_id = ANY(%(flows)s::bytea[])",
    "member": "member AS told WHERE flow_id = ANY(%(flows)s::bytea[])",
    "assertion": "assertion AS told WHERE flow_id = ANY(%(flows)s::bytea[])",
    "current_state": "current_state AS told WHERE flow_id = ANY(%(flows)s::bytea[]) OR flow_id = ANY(%(struck)s::bytea[])",
    "expectation": "expectation AS told WHERE flow_id = ANY(%(flows)s::bytea[]) OR flow_id = ANY(%(struck)s::bytea[])",
    "stated": "stated AS told WHERE flow_id = ANY(%(flows)s::bytea[])",
    "flip": "flip AS told WHERE flow_id = ANY(%(flows)s::bytea[]) OR problem_id = ANY(%(problems)s::bytea[])",
    "problem": """problem AS told WHERE problem_id = ANY(%(problems)s::bytea[]) OR problem_id = ANY(%(parts)s::bytea[])
        OR cause_id = ANY(%(problems)s::bytea[])
        OR problem_id IN (SELECT cause_id FROM problem WHERE problem_id = ANY(%(problems)s::bytea[]))""",
    "problem_flow": """problem_flow AS told WHERE flow_id = ANY(%(own)s::bytea[])
        OR problem_id = ANY(%(problems)s::bytea[]) AND flow_id = ANY(%(struck)s::bytea[])""",
    # Those of a flow's problems were told to its page too.
    "message": """message AS told WHERE flow_id = ANY(%(flows)s::bytea[]) OR problem_id = ANY(%(problems)s::bytea[])
        OR problem_id = ANY(%(parts)s::bytea[])""",
    "awake": """awake AS told WHERE until_ns >= %(from_ns)s AND since_ns <= %(to_ns)s
        OR since_ns = (SELECT min(since_ns) FROM awake)""",
    "blind": "blind AS told WHERE coalesce(until_ns, %(to_ns)s) >= %(from_ns)s AND from_ns <= %(to_ns)s",
    "tracing_note": "tracing_note AS told WHERE flow_id = ANY(%(own)s::bytea[]) OR problem_id = ANY(%(problems)s::bytea[])",
    "tracing_closure": "tracing_closure AS told WHERE flow_id = ANY(%(flows)s::bytea[])",
    "tracing_channel": """tracing_channel AS told WHERE id IN (SELECT channel_id FROM message
        WHERE flow_id = ANY(%(flows)s::bytea[]) OR problem_id = ANY(%(problems)s::bytea[])
        OR problem_id = ANY(%(parts)s::bytea[]))""",
    "tracing_typesettings": """tracing_typesettings AS told
        WHERE type IN (SELECT type FROM flow WHERE flow_id = ANY(%(flows)s::bytea[]))""",
}  # fmt: skip
# What never leaves: where a channel sends to holds secrets, and a message's body and what the next one counts from are no
# part of any page. Rows of a copy are visible to every snapshot, so that a page of it can be gone through by a cursor.
ALWAYS: dict[tuple[str, str], LiteralString] = {
    ("tracing_channel", "address"): "''",
    ("tracing_channel", "error"): "''",
    ("message", "body"): "''",
    ("message", "facts"): "'{}'::jsonb",
}
# Without values: names, states, times and kinds of errors stay.
HIDDEN: dict[tuple[str, str], LiteralString] = {
    ("span", "attributes"): "stage.hidden(attributes)",
    ("span", "events"): "stage.hidden_each(events)",
    ("span", "links"): "stage.hidden_each(links)",
    ("span", "status_message"): "CASE status_message WHEN '' THEN '' ELSE '(hidden)' END",
    ("span", "trace_state"): "''",
    ("span", "exact"): "NULL::jsonb",
    ("log", "attributes"): "stage.hidden(attributes)",
    ("log", "body"): "CASE body WHEN 'null' THEN body ELSE '\"(hidden)\"'::jsonb END",
    ("log", "exact"): "NULL::jsonb",
    ("resource", "attributes"): "stage.hidden(attributes)",
    ("scope", "attributes"): "stage.hidden(attributes)",
    ("problem", "title"): """CASE WHEN kind IN ('failed', 'duplicate', 'conflict')
        THEN kind || ': ' || coalesce(nullif(step, ''), type) ELSE title END""",
    ("problem", "why"): "''",
    ("problem", "evidence"): "'{}'::jsonb",
    # A flow's own, but for those that tell why somebody closed it or paused what it waits for.
    ("flip", "sentence"): """CASE WHEN problem_id IS NULL AND 'paused' NOT IN (coalesce(before, ''), after)
        AND NOT starts_with(sentence, 'Closed by ') THEN sentence ELSE '' END""",
    # What people wrote may name what nobody else is to read: that and when they did stays.
    ("tracing_note", "text"): "'(hidden)'",
    ("tracing_closure", "reason"): "'(hidden)'",
    ("problem", "quieted"): "quieted - 'reason'",
    ("expectation", "evidence"): """jsonb_set(jsonb_set(evidence, '{closed,reason}', '"(hidden)"', false),
        '{paused_by,reason}', '"(hidden)"', false)""",
    ("flip", "evidence"): "NULL::jsonb",
    ("message", "subject"): "'message about ' || CASE WHEN flow_id IS NULL THEN 'a problem' ELSE 'this flow' END",
    ("message", "error"): "''",
}  # fmt: skip

# A day on either side of the records: blindness before and after them is drawn.
_BOUNDS = """
SELECT min(first_ns), max(greatest(last_ns, verdict_since_ns, stuck_ns)) FROM (
    SELECT first_ns, last_ns, verdict_since_ns, stuck_ns FROM flow LEFT JOIN expectation USING (flow_id)
    WHERE flow.flow_id = ANY(%(flows)s)
    UNION ALL SELECT first_ns, last_ns, NULL, NULL FROM request WHERE trace_id = ANY(%(requests)s)) AS every
"""
# The flows of a problem that its page can show, and the problems that a flow is or was part of.
_STRUCK = """
SELECT flow_id, kind FROM (
    SELECT flow_id, kind, row_number() OVER (PARTITION BY until_ns IS NULL ORDER BY since_ns, flow_id) AS place
    FROM problem_flow WHERE problem_id = ANY(%s)) AS ranked WHERE place <= %s
"""
_PARTS = "SELECT DISTINCT problem_id FROM problem_flow WHERE flow_id = ANY(%s)"
# On which days there is something of it, as what is not thinned with them tells.
_DAYS = """
SELECT day FROM chapter WHERE flow_id = ANY(%(flows)s)
UNION SELECT (since_ns / 86400000000000)::int FROM problem_flow WHERE problem_id = ANY(%(problems)s) AND kind = 0
"""
_COLUMNS = """
SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns
WHERE table_schema = 'stage' AND table_name = ANY(%s) GROUP BY table_name
"""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a view shows: flows by id, requests by trace id, with all records of each; problems by id; or single records."""

    flows: tuple[bytes, ...] = ()
    requests: tuple[bytes, ...] = ()
    problems: tuple[bytes, ...] = ()
    spans: tuple[tuple[bytes, bytes], ...] = ()  # trace id, span id; all versions of it
    logs: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Rows of one table; those of one table follow each other as one stream."""

    table: str
    columns: tuple[str, ...]
    data: bytes  # compressed


@dataclass(slots=True)
class Copy:
    parts: list[Part] = field(default_factory=list)
    records: int = 0
    marks: set[bytes] = field(default_factory=set)  # what of it `forget` may ask for

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


def take(connection: psycopg.Connection, subject: Subject, now_ns: int, *, values: bool = True) -> Copy:
    """Copy it, all as of one moment. `connection` is in autocommit. Raises `belonging.TooLarge`, and `Later`."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        before = exchanges.read(connection)
        found = belonging.read(connection, subject.flows, subject.requests)
        belonging.add_single(connection, found, subject.spans, subject.logs)
        asked = _asked(connection, subject, found, now_ns)
        columns = columns_of(connection)
        copy = Copy(records=len(found.spans) + len(found.logs))
        copy.marks = {*found.marks, *subject.flows, *subject.requests, *subject.problems, *asked["struck"]}
        for table, rows in ROWS.items():
            copy.parts += _table(connection, table, columns[table], rows, asked, values)
    _demand_whole(connection, subject, found, before)
    return copy


def _demand_whole(
    connection: psycopg.Connection, subject: Subject, found: belonging.Belonging, before: exchanges.Exchanges
) -> None:
    """Raises `Later` where a day of it was being thinned meanwhile."""
    rows = connection.execute(_DAYS, {"flows": list(subject.flows), "problems": list(subject.problems)})
    told = {day for (day,) in rows.fetchall()}
    # What is copied of a problem that strikes flows alone stands on no day.
    if told or subject.requests or subject.spans or subject.logs:
        exchanges.demand_none(before, exchanges.read(connection), found.days | told)


def columns_of(connection: psycopg.Connection) -> dict[str, list[str]]:
    """The columns of each table on the stage."""
    return dict(connection.execute(_COLUMNS, (list(ROWS),)).fetchall())


def _asked(
    connection: psycopg.Connection, subject: Subject, found: belonging.Belonging, now_ns: int
) -> dict[str, Any]:
    flows, requests, problems = map(list, (subject.flows, subject.requests, subject.problems))
    own = [*flows, *requests]
    first_ns, last_ns = _bounds(connection, flows, requests)
    struck = connection.execute(_STRUCK, (problems, MOST_FLOWS)).fetchall() if problems else []
    spans = sorted(found.spans)
    return {
        "flows": flows,
        "own": own,
        "problems": problems,
        "struck": [flow_id for flow_id, _ in struck],
        "parts": [row[0] for row in connection.execute(_PARTS, (own,)).fetchall()],
        "span_traces": [trace_id for trace_id, _ in spans],
        "span_ids": [span_id for _, span_id in spans],
        "logs": sorted(found.logs),
        "traces": sorted(found.traces),
        "days": sorted(found.days),
        "resources": sorted(found.resources),
        "scopes": sorted(found.scopes),
        "from_ns": now_ns if first_ns is None else first_ns,
        "to_ns": max(now_ns, last_ns or 0),
    }


def _bounds(
    connection: psycopg.Connection, flows: list[bytes], requests: list[bytes]
) -> tuple[int | None, int | None]:
    row = connection.execute(_BOUNDS, {"flows": flows, "requests": requests}).fetchone()
    return row if row is not None else (None, None)


def _table(
    connection: psycopg.Connection,
    table: LiteralString,
    columns: Sequence[str],
    rows: LiteralString,
    asked: dict[str, Any],
    values: bool,
) -> Iterator[Part]:
    replaced = ALWAYS if values else {**ALWAYS, **HIDDEN}
    told = [
        sql.SQL("'3'::xid8")
        if name == "xid"
        else sql.SQL(replaced[table, name])
        if (table, name) in replaced
        else sql.SQL("told.{}").format(sql.Identifier(name))
        for name in columns
    ]
    statement = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT binary)").format(
        sql.SQL(", ").join(told), sql.SQL(rows)
    )
    return compressed(connection, table, columns, statement, asked)


def compressed(
    connection: psycopg.Connection,
    table: str,
    columns: Sequence[str],
    statement: sql.Composed,
    asked: dict[str, Any] | None = None,
) -> Iterator[Part]:
    """What a COPY … TO STDOUT answers, as parts of this table."""
    with connection.cursor() as cursor, cursor.copy(statement, asked) as stream:
        for chunk in _chunks(bytes(block) for block in stream):
            yield Part(table, tuple(columns), zlib.compress(chunk, 6))


def _chunks(blocks: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
