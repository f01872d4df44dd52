"""Adds a `flows.Fold` to the rows of requests, flows, chapters, members and states.

The second half of a storing transaction (`tracing.writing` is the first); a rule applied to what is stored
ends here too. Always in this table order and sorted by key, so that two transactions cannot wait for each other.
Arrays go in binary (%b), packed by `tracing.arrays`.
"""

from collections import Counter
from typing import Any, LiteralString

import psycopg

from tracing import arrays, noting
from tracing.exceptions import errors_of
from tracing.flows import Fold
from tracing.sums import ChapterKey, RequestKey, RequestSums, Said, ToldKey

Cursor = psycopg.Cursor[tuple[Any, ...]]
KINDS = noting.KINDS

# Text is ordered as Python orders it (COLLATE "C"): the database's own order would give another row by another way.
# An event that tells an exception counts once, however many versions of its span repeat it: whoever inserts it counts.
_TELL = """
INSERT INTO told_exception (scope_id, exception_id, day, events, logs)
SELECT *, 1, 0 FROM unnest(%b::bytea[], %b::bytea[], %b::int[]) AS t(scope_id, exception_id, day)
ORDER BY scope_id, exception_id
ON CONFLICT DO NOTHING RETURNING scope_id, exception_id
"""

_HOLD = """
SELECT scope_id, exception_id FROM told_exception
WHERE (scope_id, exception_id) IN (SELECT * FROM unnest(%b::bytea[], %b::bytea[]))
ORDER BY scope_id, exception_id FOR KEY SHARE
"""

# And by how many events and logs each exception is told: `exceptions.errors_of` says what that comes to.
_RETELL = """
INSERT INTO told_exception AS t (scope_id, exception_id, day, events, logs)
SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::int[], %b::int[], %b::int[]) AS n(scope_id, exception_id, day, events, logs)
ORDER BY scope_id, exception_id
ON CONFLICT (scope_id, exception_id) DO UPDATE SET events = t.events + excluded.events, logs = t.logs + excluded.logs
RETURNING scope_id, exception_id, events, logs
"""

_REQUESTS = """
INSERT INTO request AS r (day, trace_id, spans, events, logs, errors, retries, resent, late, first_ns, last_ns,
    root, root_span_id, root_name, root_service, root_status, services, environment, activity, xid)
SELECT day, trace_id, spans, events, logs, errors, retries, 0, late, first_ns, last_ns,
    root, root_span_id, root_name, root_service, root_status, string_to_array(services, E'\\x01'),
    environment, activity, %s::xid8
FROM unnest(%b::int[], %b::bytea[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
    %b::bigint[], %b::bigint[], %b::bytea[], %b::bytea[], %b::text[], %b::text[], %b::smallint[],
    %b::text[], %b::text[], %b::int[])
    AS n(day, trace_id, spans, events, logs, errors, retries, late, first_ns, last_ns,
    root, root_span_id, root_name, root_service, root_status, services, environment, activity)
ORDER BY trace_id, day
ON CONFLICT (trace_id, day) DO UPDATE SET
    spans = r.spans + excluded.spans, events = r.events + excluded.events, logs = r.logs + excluded.logs,
    errors = r.errors + excluded.errors, retries = r.retries + excluded.retries,
    late = r.late + excluded.late,
    first_ns = least(r.first_ns, excluded.first_ns), last_ns = greatest(r.last_ns, excluded.last_ns),
    root = CASE WHEN excluded.root < r.root OR r.root IS NULL THEN excluded.root ELSE r.root END,
    root_span_id = CASE WHEN excluded.root < r.root OR r.root IS NULL THEN excluded.root_span_id ELSE r.root_span_id END,
    root_name = CASE WHEN excluded.root < r.root OR r.root IS NULL THEN excluded.root_name ELSE r.root_name END,
    root_service = CASE WHEN excluded.root < r.root OR r.root IS NULL THEN excluded.root_service ELSE r.root_service END,
    root_status = CASE WHEN excluded.root < r.root OR r.root IS NULL THEN excluded.root_status ELSE r.root_status END,
    services = CASE WHEN r.services @> excluded.services THEN r.services ELSE ARRAY(
        SELECT DISTINCT name COLLATE "C" AS name FROM unnest(r.services || excluded.services) AS s(name) ORDER BY 1) END,
    environment = least(r.environment COLLATE "C", excluded.environment),
    activity = greatest(r.activity, excluded.activity), xid = excluded.xid
"""

# The hot rows: one upsert each, on a page with room, no index touched but the one by activity, once a minute.
_FLOWS = """
INSERT INTO flow AS f (flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters,
    first_ns, last_ns, services, state, state_order, state_since_ns, state_system,
    step, step_order, step_ns, step_system, activity, xid)
SELECT flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters,
    first_ns, last_ns, string_to_array(services, E'\\x01'), state, state_order, state_ns, state_system,
    step, step_order, step_ns, step_system, activity, %s::xid8
FROM unnest(%b::bytea[], %b::smallint[], %b::text[], %b::text[], %b::text[], %b::int[], %b::bigint[], %b::bigint[],
    %b::bigint[], %b::bigint[], %b::bigint[], %b::int[], %b::bigint[], %b::bigint[], %b::text[], %b::text[], %b::bytea[],
    %b::bigint[], %b::text[], %b::text[], %b::bytea[], %b::bigint[], %b::text[], %b::int[])
    AS n(flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters, first_ns, last_ns,
    services, state, state_order, state_ns, state_system, step, step_order, step_ns, step_system, activity)
ORDER BY flow_id
ON CONFLICT (flow_id) DO UPDATE SET
    rule_id = least(f.rule_id, excluded.rule_id),
    spans = f.spans + excluded.spans, events = f.events + excluded.events, logs = f.logs + excluded.logs,
    errors = f.errors + excluded.errors, retries = f.retries + excluded.retries,
    first_ns = least(f.first_ns, excluded.first_ns), last_ns = greatest(f.last_ns, excluded.last_ns),
    services = CASE WHEN f.services @> excluded.services THEN f.services ELSE ARRAY(
        SELECT DISTINCT name COLLATE "C" AS name FROM unnest(f.services || excluded.services) AS s(name) ORDER BY 1) END,
    state = CASE WHEN excluded.state_order > f.state_order OR f.state_order IS NULL THEN excluded.state ELSE f.state END,
    state_since_ns = CASE WHEN excluded.state_order > f.state_order OR f.state_order IS NULL
        THEN excluded.state_since_ns ELSE f.state_since_ns END,
    state_system = CASE WHEN excluded.state_order > f.state_order OR f.state_order IS NULL
        THEN excluded.state_system ELSE f.state_system END,
    state_order = greatest(f.state_order, excluded.state_order),
    step = CASE WHEN excluded.step_order > f.step_order OR f.step_order IS NULL THEN excluded.step ELSE f.step END,
    step_ns = CASE WHEN excluded.step_order > f.step_order OR f.step_order IS NULL THEN excluded.step_ns ELSE f.step_ns END,
    step_system = CASE WHEN excluded.step_order > f.step_order OR f.step_order IS NULL
        THEN excluded.step_system ELSE f.step_system END,
    step_order = greatest(f.step_order, excluded.step_order),
    activity = greatest(f.activity, excluded.activity), xid = excluded.xid
RETURNING flow_id, (xmax = 0) AS inserted
"""

# A chapter is a trace, whatever days it spans, or the traceless logs of one service and day. A new flow has none but
# ours, and was inserted with their number. Of the others the rows are locked by now and this statement's snapshot is
# younger, so a chapter that another transaction added for the same trace on another day is seen and not counted again.
_CHAPTERS = """
WITH fresh AS (
    INSERT INTO chapter AS c (flow_id, trace_id, service, day, spans, events, logs, errors, retries, resent, late,
        first_ns, last_ns, xid)
    SELECT flow_id, trace_id, service, day, spans, events, logs, errors, retries, 0, late, first_ns, last_ns, %s::xid8
    FROM unnest(%b::bytea[], %b::bytea[], %b::text[], %b::int[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[],
        %b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])
        AS n(flow_id, trace_id, service, day, spans, events, logs, errors, retries, late, first_ns, last_ns)
    ORDER BY flow_id, trace_id, service, day
    ON CONFLICT (flow_id, trace_id, service, day) DO UPDATE SET
        spans = c.spans + excluded.spans, events = c.events + excluded.events, logs = c.logs + excluded.logs,
        errors = c.errors + excluded.errors, retries = c.retries + excluded.retries, late = c.late + excluded.late,
        first_ns = least(c.first_ns, excluded.first_ns), last_ns = greatest(c.last_ns, excluded.last_ns),
        xid = excluded.xid
    RETURNING flow_id, trace_id, service, CASE WHEN trace_id = ''::bytea THEN day END AS day, (xmax = 0) AS inserted
), added AS (
    SELECT flow_id, count(DISTINCT (trace_id, service, day)) AS chapters FROM fresh
    WHERE inserted AND flow_id = ANY(%b::bytea[]) AND (trace_id = ''::bytea OR NOT EXISTS (
        SELECT 1 FROM chapter c WHERE c.flow_id = fresh.flow_id AND c.trace_id = fresh.trace_id))
    GROUP BY flow_id
)
UPDATE flow SET chapters = flow.chapters + added.chapters FROM added WHERE flow.flow_id = added.flow_id
"""

_LOCK_REQUESTS = """
SELECT 1 FROM request WHERE (trace_id, day) IN (SELECT * FROM unnest(%b::bytea[], %b::int[]))
ORDER BY trace_id, day FOR NO KEY UPDATE
"""
_LOCK_FLOWS = "SELECT 1 FROM flow WHERE flow_id = ANY(%b::bytea[]) ORDER BY flow_id FOR NO KEY UPDATE"
_REQUESTS_AGAIN = """
UPDATE request r SET resent = r.resent + n.resent
FROM unnest(%b::bytea[], %b::int[], %b::int[]) AS n(trace_id, day, resent) WHERE r.trace_id = n.trace_id AND r.day = n.day
"""
_CHAPTERS_AGAIN = """
UPDATE chapter c SET resent = c.resent + n.resent
FROM unnest(%b::bytea[], %b::bytea[], %b::text[], %b::int[], %b::int[]) AS n(flow_id, trace_id, service, day, resent)
WHERE (c.flow_id, c.trace_id, c.service, c.day) = (n.flow_id, n.trace_id, n.service, n.day)
"""

_MEMBERS = """
INSERT INTO member (day, flow_id, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid)
SELECT n.*, %s::xid8 FROM unnest(%b::int[], %b::bytea[], %b::bytea[], %b::text[], %b::int[], %b::bytea[], %b::bytea[],
    %b::bytea[]) AS n
"""

_ASSERTIONS = """
INSERT INTO assertion (flow_id, valid_ns, system, digest, state, received_ns, trace_id, record_id, day, rule_id, xid)
SELECT flow_id, valid_ns, system, digest, state, received_ns, trace_id, record_id, day, rule_id, %s::xid8
FROM unnest(%b::bytea[], %b::bigint[], %b::text[], %b::bytea[], %b::text[], %b::bytea[], %b::bytea[], %b::int[], %b::int[],
    %b::bigint[]) AS n(flow_id, valid_ns, system, digest, state, trace_id, record_id, day, rule_id, received_ns)
ORDER BY flow_id, valid_ns, system, digest, state
ON CONFLICT (flow_id, valid_ns, system, digest, state) DO UPDATE SET rule_id = excluded.rule_id
WHERE excluded.rule_id < assertion.rule_id
"""

_STATES = """
INSERT INTO current_state AS s (flow_id, system, state, since_ns, state_order)
SELECT * FROM unnest(%b::bytea[], %b::text[], %b::text[], %b::bigint[], %b::bytea[])
    AS n(flow_id, system, state, since_ns, state_order)
ORDER BY flow_id, system
ON CONFLICT (flow_id, system) DO UPDATE
SET state = excluded.state, since_ns = excluded.since_ns, state_order = excluded.state_order
WHERE excluded.state_order > s.state_order
"""


def add(cursor: Cursor, fold: Fold, xid: int, ending: LiteralString = "") -> None:
    """Write all of a fold, inside the caller's transaction; `ending` is sent along as the last statement."""
    _count_exceptions(cursor, fold)
    fold.total_flows()
    # The database works on one statement while the rows of the next are put together, and is asked for an answer twice.
    with cursor.connection.pipeline(), cursor.connection.cursor() as flows:
        _add_requests(cursor, fold, xid)
        _add_members(cursor, fold, xid)
        _add_flows(flows, fold, xid)
        chapters = _chapter_columns(fold)
        grown = [flow_id for flow_id, inserted in flows if not inserted] if fold.flows else []
        noting.expect(cursor, fold, grown)
        if fold.chapters:
            cursor.execute(_CHAPTERS, [str(xid), *chapters, arrays.array("b", grown)])
        _add_states(cursor, fold, xid)
        noting.add(cursor, fold.remarks, xid)
        if ending:
            cursor.execute(ending)


def _count_exceptions(cursor: Cursor, fold: Fold) -> None:
    if not fold.told:
        return
    events = {
        (key.scope_id, event): told.row.day for key, told in fold.told.items() for event in told.event_ids
    }
    fresh = _first_told(cursor, events)
    new = {
        key: sum((key.scope_id, event) in fresh for event in told.event_ids)
        for key, told in fold.told.items()
    }
    rows = [
        (*key, told.row.day, new[key], told.logs) for key, told in fold.told.items() if new[key] or told.logs
    ]
    cursor.execute(_RETELL, arrays.columns("bbiii", sorted(rows)))
    for scope_id, exception_id, by_events, by_logs in cursor.fetchall():
        key = ToldKey(scope_id, exception_id)
        told = fold.told[key]
        errors = errors_of(by_events, by_logs) - errors_of(by_events - new[key], by_logs - told.logs)
        if isinstance(told.row, ChapterKey):
            fold.chapters[told.row].errors += errors
        else:
            fold.requests[told.row].errors += errors


def _first_told(cursor: Cursor, events: dict[tuple[bytes, bytes], int]) -> set[tuple[bytes, bytes]]:
    """Those of these events, each with its day, that nobody told before."""
    left, fresh = dict(events), set()
    while left:
        cursor.execute(_TELL, arrays.columns("bbi", ((*key, day) for key, day in sorted(left.items()))))
        first = set(cursor.fetchall())
        fresh |= first
        left = {key: day for key, day in left.items() if key not in first}
        if left:
            # What was told before is told again if an undo takes that back: held, so that it cannot from here on.
            cursor.execute(_HOLD, arrays.columns("bb", sorted(left)))
            for held in cursor.fetchall():
                del left[held]
    return fresh


def _joined(services: set[str]) -> str:
    return "\x01".join(sorted(services))


def _add_requests(cursor: Cursor, fold: Fold, xid: int) -> None:
    if fold.requests:
        rows = [_request_row(key, sums) for key, sums in sorted(fold.requests.items())]
        cursor.execute(_REQUESTS, [str(xid), *arrays.columns("ibqqqqqqqqbbtthtti", rows)])


def _request_row(key: RequestKey, sums: RequestSums) -> tuple[Any, ...]:
    root = sums.root or (None,) * 5
    # fmt: off
    return (
        key.day, key.trace_id, sums.spans, sums.events, sums.logs, sums.errors, sums.retries, sums.late,
        sums.first_ns, sums.last_ns, *root, _joined(sums.services), sums.environment, sums.activity,
    )
    # fmt: on


def _add_flows(cursor: Cursor, fold: Fold, xid: int) -> None:
    """Leaves (flow id, whether it is new) to be fetched."""
    if not fold.flows:
        return
    rows = []
    chapters = Counter(key.flow_id for key in {_whole(key) for key in fold.chapters})
    for flow_id, sums in sorted(fold.flows.items()):
        assert sums.flow is not None
        state, step = sums.state, sums.step
        # fmt: off
        rows.append((
            flow_id, KINDS[sums.flow.kind], sums.flow.type, sums.flow.key, sums.flow.environment, sums.rule_id,
            sums.spans, sums.events, sums.logs, sums.errors, sums.retries, chapters[flow_id], sums.first_ns, sums.last_ns,
            _joined(sums.services), *_said(state), *_said(step), sums.activity,
        ))
        # fmt: on
    cursor.execute(_FLOWS, [str(xid), *arrays.columns("bhtttiqqqqqiqqttbqttbqti", rows)])


def _whole(key: ChapterKey) -> ChapterKey:
    """A chapter without its day where it is a trace: the days of one trace are one chapter."""
    return key._replace(day=0) if key.trace_id else key


def _said(said: Said | None) -> tuple[str | None, bytes | None, int | None, str | None]:
    return (None,) * 4 if said is None else (said.text, said.order, said.at_ns, said.system)


def _chapter_columns(fold: Fold) -> list[arrays.Packed]:
    # fmt: off
    rows = [
        (*key, sums.spans, sums.events, sums.logs, sums.errors, sums.retries, sums.late,
         sums.first_ns, sums.last_ns)
        for key, sums in sorted(fold.chapters.items())
    ]
    # fmt: on
    return arrays.columns("bbtiqqqqqqqq", rows)


def add_again(cursor: Cursor, fold: Fold) -> None:
    """Count what arrived again, in a transaction after the one that stored.

    In the same one its locks would come out of order: two batches that each repeat what the other brings would
    wait for each other. Rows are locked first, in order: an UPDATE … FROM locks in the order of its plan.
    """
    if fold.again_requests:
        rows = [(*key, count) for key, count in sorted(fold.again_requests.items())]
        cursor.execute(_LOCK_REQUESTS, arrays.columns("bi", [row[:2] for row in rows]))
        cursor.execute(_REQUESTS_AGAIN, arrays.columns("bii", rows))
    if fold.again_chapters:
        again = [(*key, count) for key, count in sorted(fold.again_chapters.items())]
        cursor.execute(_LOCK_FLOWS, [arrays.array("b", [row[0] for row in again])])
        cursor.execute(_CHAPTERS_AGAIN, arrays.columns("bbtii", again))


def _add_members(cursor: Cursor, fold: Fold, xid: int) -> None:
    if fold.members:
        # fmt: off
        rows = [
            (*key, bytes(ids.span_ids), bytes(ids.span_marks), bytes(ids.log_ids))
            for key, ids in sorted(fold.members.items())
        ]
        # fmt: on
        cursor.execute(_MEMBERS, [str(xid), *arrays.columns("ibbtibbb", rows)])


def _add_states(cursor: Cursor, fold: Fold, xid: int) -> None:
    if fold.assertions:
        # Through two rules, or told by equal log lines, a statement is made once: the lowest stands.
        once = {row[:5]: row for row in sorted(fold.assertions, reverse=True)}
        cursor.execute(_ASSERTIONS, [str(xid), *arrays.columns("bqtbtbbiiq", once.values())])
    if fold.states:
        rows = [
            (flow_id, system, said.text, said.at_ns, said.order)
            for (flow_id, system), said in sorted(fold.states.items())
        ]
        cursor.execute(_STATES, arrays.columns("bttqb", rows))
