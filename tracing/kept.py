"""Which records of a day outlive the retention of healthy flows: the exceptions, and the traces that tell of them.

`thinning` copies them into partitions of their own. Whatever else makes a flow or a request worth keeping joins
`FLOWS` or `TRACES`, and nothing else need know.
"""

from typing import LiteralString

import psycopg
from psycopg import sql

from tracing.parts import TABLES
from tracing.parts import kept as kept_name

# A trace of more records than this on a day is kept in part: what carries the keys of the flows kept, all below it, and the
# path up to the root. A batch of 100,000 spans does not stay whole for the one order that was late.
WHOLE_RECORDS = 20_000

# Each a SELECT of flow ids. A problem of severity 1 is grey and told to nobody.
FLOWS: tuple[LiteralString, ...] = (
    "SELECT flow_id FROM problem_flow JOIN problem USING (problem_id) WHERE problem_flow.kind > 0 AND severity >= 2",
    "SELECT flow_id FROM expectation WHERE verdict IN ('late', 'stuck')",
    "SELECT flow_id FROM tracing_note WHERE flow_id IS NOT NULL",
)
# Each a SELECT of trace ids: requests that are kept whole, however large.
TRACES: tuple[LiteralString, ...] = (
    "SELECT flow_id FROM problem_flow JOIN problem USING (problem_id) WHERE problem_flow.kind = 0 AND severity >= 2",
    # Of a request's note this is the trace.
    "SELECT flow_id FROM tracing_note WHERE flow_id IS NOT NULL",
)

# The day stands in the text, not in a parameter: the planner sees one partition then.
_CHOICE: tuple[LiteralString, ...] = (
    "CREATE TEMP TABLE kept_flow (flow_id bytea PRIMARY KEY) ON COMMIT DROP",
    "INSERT INTO kept_flow " + " UNION ".join(FLOWS),
    "ANALYZE kept_flow",
    # Of the traces that were there on the day; one that mentions the flow on another day is told whole all the same.
    "CREATE TEMP TABLE kept_trace ON COMMIT DROP AS"
    " SELECT r.trace_id, r.spans + r.logs <= {whole} OR asked.trace_id IS NOT NULL AS whole FROM request r"
    " LEFT JOIN (" + " UNION ".join(TRACES) + ") AS asked (trace_id) ON asked.trace_id = r.trace_id"
    " WHERE r.day = {day} AND (asked.trace_id IS NOT NULL"
    " OR r.trace_id IN (SELECT c.trace_id FROM chapter c JOIN kept_flow USING (flow_id)))",
    "ALTER TABLE kept_trace ADD PRIMARY KEY (trace_id)",
    "ANALYZE kept_trace",
    # The large ones, over all their days: which spans carry a kept key, what hangs below them, and what leads to them.
    "CREATE TEMP TABLE large_member ON COMMIT DROP AS SELECT m.trace_id, m.span_ids, m.log_ids FROM member m"
    " JOIN kept_flow USING (flow_id) JOIN kept_trace t ON t.trace_id = m.trace_id AND NOT t.whole",
    "CREATE TEMP TABLE large_span ON COMMIT DROP AS SELECT DISTINCT s.trace_id, s.span_id, s.parent_span_id FROM span s"
    " WHERE s.trace_id IN (SELECT trace_id FROM kept_trace WHERE NOT whole)",
    "CREATE INDEX ON large_span (trace_id, parent_span_id)",
    "CREATE INDEX ON large_span (trace_id, span_id)",
    "ANALYZE large_span",
    "CREATE TEMP TABLE kept_span ON COMMIT DROP AS WITH RECURSIVE carrying AS ("
    " SELECT DISTINCT m.trace_id, substring(m.span_ids FROM n * 8 + 1 FOR 8) AS span_id"
    " FROM large_member m, generate_series(0, length(m.span_ids) / 8 - 1) AS n"
    "), below AS ("
    " SELECT trace_id, span_id FROM carrying UNION"
    " SELECT s.trace_id, s.span_id FROM below b JOIN large_span s"
    " ON s.trace_id = b.trace_id AND s.parent_span_id = b.span_id"
    "), told AS ("
    " SELECT l.trace_id, l.span_id FROM large_member m"
    " CROSS JOIN LATERAL generate_series(0, length(m.log_ids) / 16 - 1) AS n"
    " JOIN log l ON l.log_id = substring(m.log_ids FROM n * 16 + 1 FOR 16)"
    "), above AS ("
    " SELECT * FROM carrying UNION SELECT * FROM told UNION"
    " SELECT s.trace_id, s.parent_span_id FROM above a JOIN large_span s"
    " ON s.trace_id = a.trace_id AND s.span_id = a.span_id WHERE s.parent_span_id <> ''::bytea"
    ") SELECT * FROM below UNION SELECT * FROM above",
    "ALTER TABLE kept_span ADD PRIMARY KEY (trace_id, span_id)",
    "ANALYZE kept_span",
    "CREATE TEMP TABLE kept_log ON COMMIT DROP AS"
    " SELECT DISTINCT substring(m.log_ids FROM n * 16 + 1 FOR 16) AS log_id FROM member m JOIN kept_flow USING (flow_id)"
    " CROSS JOIN LATERAL generate_series(0, length(m.log_ids) / 16 - 1) AS n WHERE m.day = {day}",
    "ALTER TABLE kept_log ADD PRIMARY KEY (log_id)",
    "ANALYZE kept_log",
)
_OF_A_TRACE: LiteralString = (
    "INSERT INTO {name} SELECT x.* FROM {table} x JOIN kept_trace t USING (trace_id) WHERE x.day = {day}"
)
# A request keeps its row, and its counts, also where the trace is kept in part. Members are kept of every flow in a whole
# trace; of one kept in part, and of logs without a trace, the kept flows' own.
_COPY: dict[str, tuple[LiteralString, ...]] = {
    "span": (
        _OF_A_TRACE + " AND t.whole",
        "INSERT INTO {name} SELECT x.* FROM span x JOIN kept_span k USING (trace_id, span_id)"
        " JOIN kept_trace t USING (trace_id) WHERE x.day = {day} AND NOT t.whole",
    ),
    "log": (
        "INSERT INTO {name} SELECT x.* FROM log x LEFT JOIN kept_trace t USING (trace_id) WHERE x.day = {day}"
        " AND (t.whole OR x.log_id IN (SELECT log_id FROM kept_log)"
        " OR (NOT t.whole AND (x.trace_id, x.span_id) IN (SELECT trace_id, span_id FROM kept_span)))",
    ),
    "link": (
        _OF_A_TRACE + " AND t.whole",
        "INSERT INTO {name} SELECT x.* FROM link x JOIN kept_span k USING (trace_id, span_id)"
        " JOIN kept_trace t USING (trace_id) WHERE x.day = {day} AND NOT t.whole",
    ),
    "request": (_OF_A_TRACE,),
    "member": (
        "INSERT INTO {name} SELECT x.* FROM member x LEFT JOIN kept_trace t USING (trace_id) WHERE x.day = {day}"
        " AND (t.whole OR x.flow_id IN (SELECT flow_id FROM kept_flow))",
    ),
}


def choose(connection: psycopg.Connection, day: int) -> None:
    """Find what is kept of the day, into temporary tables of the caller's transaction."""
    for statement in _CHOICE:
        connection.execute(sql.SQL(statement).format(day=day, whole=WHOLE_RECORDS))


def copy(connection: psycopg.Connection, day: int) -> None:
    """Fill the tables made for it. After `choose`, in the same transaction."""
    for table in TABLES:
        for statement in _COPY[table]:
            named = {"table": sql.Identifier(table), "name": kept_name(table, day), "day": sql.Literal(day)}
            connection.execute(sql.SQL(statement).format(**named))
