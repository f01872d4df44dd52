"""Takes back what a rule grouped: the flows it touched are counted anew from the members other rules left them.

Members decide who counts, not the rules as they read today: a rule may have changed since it grouped.

`tracing.reapply` calls this in chunks once the rule is switched off, `tracing.erasing` where records were erased. Chapters
that retention took keep their sums, because their records can no longer be asked.
"""

from collections.abc import Iterable
from typing import Any, LiteralString

import psycopg

from tracing import rulebook, stored, summing
from tracing.correlation import Rulebook
from tracing.flows import Fold
from tracing.forgetting import forget_flows
from tracing.mentions import Flow, Mention, Reading
from tracing.records import FIRST_NS, LAST_NS, Log, Span

FLOWS_A_CHUNK = 100

_TOUCHED = "SELECT DISTINCT flow_id FROM member WHERE rule_id = %s AND xid < %s::xid8 LIMIT %s"
_REMOVE = "DELETE FROM member WHERE rule_id = %s AND xid < %s::xid8 AND flow_id = ANY(%s)"
_LOCK = "SELECT flow_id FROM flow WHERE flow_id = ANY(%s) ORDER BY flow_id FOR UPDATE"
# Chapters whose records can no longer be asked: of a dropped day, or of a thinned one where the members that are left name
# less than was counted.
_LOST = """
SELECT c.flow_id, c.trace_id, c.service, c.day FROM chapter c JOIN day d USING (day)
WHERE c.flow_id = ANY(%s) AND (d.dropped_ns IS NOT NULL OR d.thinned_ns IS NOT NULL AND c.spans + c.logs > coalesce((
    SELECT sum(length(m.span_ids) / 8 + length(m.log_ids) / 16) FROM member m
    WHERE m.flow_id = c.flow_id AND m.trace_id = c.trace_id AND m.service = c.service AND m.day = c.day), 0))
"""
_CLEAR: tuple[LiteralString, ...] = (
    "DELETE FROM current_state WHERE flow_id = ANY(%s)",
    "DELETE FROM told_exception WHERE scope_id = ANY(%s)",
    "DELETE FROM stated WHERE flow_id = ANY(%s)",
    "DELETE FROM failure WHERE scope_id = ANY(%s)",
    "UPDATE expectation SET looks_ns = 0 WHERE flow_id = ANY(%s)",
)
# All but what is lost, which keeps its sums and statements.
_CLEAR_ASKED: tuple[LiteralString, ...] = (
    "DELETE FROM assertion WHERE flow_id = ANY(%(flows)s) AND (flow_id, trace_id, day) NOT IN"
    " (SELECT f, t, d FROM unnest(%(lost_flows)s::bytea[], %(lost_traces)s::bytea[], %(lost_days)s::int[]) AS l(f, t, d))",
    "DELETE FROM chapter WHERE flow_id = ANY(%(flows)s) AND (flow_id, trace_id, service, day) NOT IN"
    " (SELECT * FROM unnest(%(lost_flows)s::bytea[], %(lost_traces)s::bytea[], %(lost_services)s::text[],"
    " %(lost_days)s::int[]))",
)
# What statements of lost chapters still say, where nothing later is left.
_STATEMENTS: LiteralString = f"""
INSERT INTO current_state AS s (flow_id, system, state, since_ns, state_order)
SELECT DISTINCT ON (flow_id, system) flow_id, system, state, valid_ns, place FROM (
    SELECT *, int8send(CASE WHEN valid_ns >= {FIRST_NS} AND valid_ns < {LAST_NS} THEN valid_ns ELSE 0 END) || digest
        || convert_to(state, 'UTF8') AS place FROM assertion WHERE flow_id = ANY(%s)
) AS said ORDER BY flow_id, system, place DESC
ON CONFLICT (flow_id, system) DO UPDATE
SET state = excluded.state, since_ns = excluded.since_ns, state_order = excluded.state_order
WHERE excluded.state_order > s.state_order
"""
_STATE = """
UPDATE flow f SET state = s.state, state_order = s.state_order, state_since_ns = s.since_ns, state_system = s.system
FROM (SELECT DISTINCT ON (flow_id) * FROM current_state WHERE flow_id = ANY(%s) ORDER BY flow_id, state_order DESC) AS s
WHERE f.flow_id = s.flow_id AND (f.state_order IS NULL OR f.state_order < s.state_order)
"""
_STEPS = "SELECT step, step_order, step_ns, step_system, flow_id FROM flow WHERE flow_id = ANY(%s) AND step IS NOT NULL"
_STEP = """
UPDATE flow SET step = %s, step_order = %s, step_ns = %s, step_system = %s
WHERE flow_id = %s AND (step_order IS NULL OR step_order < %s)
"""
# What the chapters that are lost still say; zero where there are none.
_RESET = """
UPDATE flow f SET spans = k.spans, events = k.events, logs = k.logs, errors = k.errors, retries = k.retries,
    chapters = k.chapters, first_ns = k.first_ns, last_ns = k.last_ns,
    services = CASE WHEN k.chapters = 0 THEN '{}' ELSE f.services END,
    activity = CASE WHEN k.chapters = 0 THEN 0 ELSE coalesce(k.last_ns / 60000000000, f.activity) END,
    rule_id = CASE WHEN k.chapters = 0 THEN 2147483647 ELSE f.rule_id END,
    state = NULL, state_order = NULL, state_since_ns = NULL, state_system = NULL,
    step = NULL, step_order = NULL, step_ns = NULL, step_system = NULL
FROM (
    SELECT n.flow_id, coalesce(sum(c.spans), 0) AS spans, coalesce(sum(c.events), 0) AS events,
        coalesce(sum(c.logs), 0) AS logs, coalesce(sum(c.errors), 0) AS errors, coalesce(sum(c.retries), 0) AS retries,
        count(DISTINCT (c.trace_id, c.service, CASE WHEN c.trace_id = ''::bytea THEN c.day END))
            FILTER (WHERE c.flow_id IS NOT NULL) AS chapters,
        min(c.first_ns) AS first_ns, max(c.last_ns) AS last_ns
    FROM unnest(%s::bytea[]) AS n(flow_id) LEFT JOIN chapter c ON c.flow_id = n.flow_id GROUP BY n.flow_id
) AS k WHERE f.flow_id = k.flow_id
"""
_EMPTY = "DELETE FROM flow WHERE flow_id = ANY(%s) AND chapters = 0 RETURNING flow_id"
_MEMBERS = """
SELECT flow_id, rule_id, day, trace_id, span_ids, span_marks, log_ids FROM member WHERE flow_id = ANY(%(flows)s)
AND (flow_id, trace_id, service, day) NOT IN (SELECT * FROM unnest(%(lost_flows)s::bytea[], %(lost_traces)s::bytea[],
    %(lost_services)s::text[], %(lost_days)s::int[]))
"""
_FLOWS = "SELECT flow_id, kind, type, key, environment FROM flow WHERE flow_id = ANY(%s)"
_SPANS: LiteralString = f"""
SELECT {stored.SPAN_COLUMNS} FROM span
WHERE (trace_id, span_id, day) IN (SELECT * FROM unnest(%s::bytea[], %s::bytea[], %s::int[]))
"""
_LOGS: LiteralString = f"""
SELECT {stored.LOG_COLUMNS} FROM log
WHERE (log_id, day) IN (SELECT * FROM unnest(%s::bytea[], %s::int[]))
"""
_RULES: LiteralString = f"""
SELECT {rulebook.RULE_COLUMNS} FROM tracing_rule
WHERE id IN (SELECT DISTINCT rule_id FROM member WHERE flow_id = ANY(%s)) ORDER BY id
"""


def undo_some(
    connection: psycopg.Connection, cursor: Any, rule_id: int, before_xid: str, environment: str
) -> int:
    """Take the rule's part out of up to a hundred flows; returns how many, 0 when nothing is left to do.

    Only what transactions before `before_xid` grouped: a rule switched on again groups anew.
    """
    rows = cursor.execute(_TOUCHED, (rule_id, before_xid, FLOWS_A_CHUNK)).fetchall()
    flows = sorted(row[0] for row in rows)
    if not flows:
        return 0
    cursor.execute(_LOCK, (flows,))
    lost = cursor.execute(_LOST, (flows,)).fetchall()
    cursor.execute(_REMOVE, (rule_id, before_xid, flows))
    _recount(connection, cursor, flows, lost, environment)
    return len(flows)


def recount(connection: psycopg.Connection, cursor: Any, flows: list[bytes], environment: str) -> None:
    """Count flows, sorted by id, anew from the records that are left. In the caller's transaction."""
    cursor.execute(_LOCK, (flows,))
    _recount(connection, cursor, flows, cursor.execute(_LOST, (flows,)).fetchall(), environment)


def _recount(
    connection: psycopg.Connection,
    cursor: Any,
    flows: list[bytes],
    lost: list[tuple[Any, ...]],
    environment: str,
) -> None:
    asked: dict[str, Any] = {"flows": flows}
    for place, name in enumerate(("flows", "traces", "services", "days")):
        asked[f"lost_{name}"] = [row[place] for row in lost]
    for statement in _CLEAR:
        cursor.execute(statement, (flows,))
    for statement in _CLEAR_ASKED:
        cursor.execute(statement, asked)
    losers = sorted(set(asked["lost_flows"]))
    steps = cursor.execute(_STEPS, (losers,)).fetchall()
    cursor.execute(_RESET, (flows,))
    _count_anew(connection, cursor, asked, environment)
    cursor.execute(_STATEMENTS, (losers,))
    cursor.execute(_STATE, (losers,))
    for step in steps:
        cursor.execute(_STEP, (*step, step[1]))
    gone = cursor.execute(_EMPTY, (flows,)).fetchall()
    forget_flows(cursor, [row[0] for row in gone])


def _count_anew(connection: psycopg.Connection, cursor: Any, asked: dict[str, Any], environment: str) -> None:
    flows: list[bytes] = asked["flows"]
    rules = [rulebook.as_rule(*row) for row in cursor.execute(_RULES, (flows,)).fetchall()]
    book = Rulebook(rules, environment)
    row = cursor.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    members = cursor.execute(_MEMBERS, asked).fetchall()
    mentions = _mentions(members, _flows(cursor, flows))
    fold = Fold(environment, 0)
    for record, received in _records(connection, cursor, members):
        left = mentions.get((record.day, record.trace_id, stored.member_id(record)))
        if left:
            fold.received_ns = received
            said = book.read_span(record) if isinstance(record, Span) else book.read_log(record)
            about = tuple(one for one in said.assertions if Mention(one.flow, one.rule_id) in left)
            _take(fold, record, Reading(tuple(sorted(left)), about))
    # The members that are left stand already.
    fold.members.clear()
    summing.add(cursor, fold, row[0])


def _flows(cursor: Any, flows: list[bytes]) -> dict[bytes, Flow]:
    kinds = {number: name for name, number in summing.KINDS.items()}
    return {
        row[0]: Flow(row[0], kinds[row[1]], *row[2:]) for row in cursor.execute(_FLOWS, (flows,)).fetchall()
    }


def _mentions(
    members: list[tuple[Any, ...]], flows: dict[bytes, Flow]
) -> dict[tuple[int, bytes, bytes], set[Mention]]:
    """What each member record still mentions, by day, trace and member id."""
    found: dict[tuple[int, bytes, bytes], set[Mention]] = {}
    for flow_id, rule_id, day, trace_id, *packed in members:
        # A flow that retention forgot may have members left in the catch-all ranges.
        for one in stored.member_ids(*packed) if flow_id in flows else ():
            found.setdefault((day, trace_id, one), set()).add(Mention(flows[flow_id], rule_id))
    return found


def _take(fold: Fold, record: Span | Log, reading: Reading) -> None:
    if isinstance(record, Span):
        fold.take_span(record, reading, request=False)
    else:
        fold.take_log(record, reading, request=False)


def _records(
    connection: psycopg.Connection, cursor: Any, members: list[tuple[Any, ...]]
) -> list[tuple[Span | Log, int]]:
    resources = stored.Resources(connection)
    spans = {
        (trace_id, one, day)
        for _, _, day, trace_id, span_ids, _, _ in members
        for one in stored.split(span_ids, 8)
    }
    logs = {(one, day) for _, _, day, _, _, _, log_ids in members for one in stored.split(log_ids, 16)}
    found: list[tuple[Span | Log, int]] = []
    if spans:
        rows = cursor.execute(_SPANS, _columns(spans)).fetchall()
        found += stored.spans(rows, resources)
    if logs:
        rows = cursor.execute(_LOGS, _columns(logs)).fetchall()
        found += stored.logs(rows, resources)
    return found


def _columns(keys: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*sorted(keys), strict=True)]
