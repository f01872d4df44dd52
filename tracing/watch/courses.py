"""Reads flows' courses for the judge, a set at a time: where each has been, what it said, when it was heard.

From the flow's own rows; what its traces tell beside that (`memberships`) is read only for those about to be called
late. `judging` decides what to make of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from tracing.flows import AHEAD_NS
from tracing.watch import statements, tries
from tracing.watch.standing import Closed, Course, Stated, Step

# Statements and chapters of one flow that are looked at: enough for a rhythm and for what several systems say.
LATEST_STATEMENTS = 60
LATEST_CHAPTERS = 100
FEWEST_BEATS = 6

_FLOWS = """
SELECT f.flow_id, f.kind, f.type, f.key, f.environment, f.first_ns, f.last_ns, f.chapters, f.state IS NOT NULL,
    f.step, f.step_system, f.step_ns, (f.activity + 1) * 60000000000::bigint
FROM flow f WHERE f.flow_id = ANY(%s)
"""
_STATED = """
SELECT DISTINCT ON (t.flow_id, t.what, t.operation) t.flow_id, t.what, least(t.said_ns, t.received_ns + %s), t.by_ns,
    t.step, t.system, t.operation, t.attempt, t.most, coalesce((
    SELECT max(s.end_ns - s.start_ns) FROM span s
    WHERE t.what = 'retry' AND s.trace_id = t.trace_id AND s.span_id = t.record_id AND s.day = t.day AND s.end_ns > s.start_ns
), 0) FROM stated t WHERE t.flow_id = ANY(%s) ORDER BY t.flow_id, t.what, t.operation, t.said_ns DESC, t.by_ns DESC
"""
_CLOSED = "SELECT flow_id, at_ns, reason, name FROM tracing_closure WHERE flow_id = ANY(%s) ORDER BY at_ns"
_BEATS = """
SELECT c.flow_id, c.first_ns, coalesce(r.root_name, c.service) FROM unnest(%s::bytea[]) AS n(flow_id), LATERAL (
    SELECT flow_id, trace_id, service, day, first_ns FROM chapter WHERE flow_id = n.flow_id AND first_ns IS NOT NULL
    ORDER BY first_ns DESC LIMIT %s
) AS c LEFT JOIN request r ON r.trace_id = c.trace_id AND r.day = c.day ORDER BY c.first_ns
"""
# What flows that promised another try began since: the spans that carry their key. OFFSET 0 keeps it a look-up by primary
# key, whatever the planner knows of today's partition.
_OPERATIONS = """
SELECT m.flow_id, s.name, s.start_ns FROM unnest(%s::bytea[], %s::bigint[]) AS n(flow_id, said_ns)
JOIN member m ON m.flow_id = n.flow_id AND m.day >= n.said_ns / 86400000000000
CROSS JOIN LATERAL generate_series(1, length(m.span_ids), 8) AS place
CROSS JOIN LATERAL (
    SELECT name, start_ns FROM span
    WHERE trace_id = m.trace_id AND span_id = substring(m.span_ids FROM place FOR 8) AND day = m.day OFFSET 0
) AS s WHERE s.start_ns > n.said_ns
"""


def read(connection: psycopg.Connection, flow_ids: Sequence[bytes]) -> dict[bytes, Course]:
    """The courses of these flows; a flow that is gone is absent."""
    rows = connection.execute(_FLOWS, (list(flow_ids),)).fetchall()
    courses = {row[0]: _course(row) for row in rows}
    _add_states(connection, courses, [row[0] for row in rows if row[8]])
    _add_stated(connection, courses)
    for flow_id, *closed in connection.execute(_CLOSED, (list(courses),)).fetchall():
        courses[flow_id].closed = Closed(*closed)
    _add_beats(connection, courses, [row[0] for row in rows if row[7] >= FEWEST_BEATS])
    return courses


def _course(row: tuple[Any, ...]) -> Course:
    flow_id, kind, type, key, environment, first_ns, last_ns, _, _, step, system, step_ns, latest_ns = row
    # A clock that runs ahead does not lead: nobody waits for a year because one record says so.
    steps = (Step(step, system or "", min(step_ns, latest_ns)),) if step is not None else ()
    last_ns = None if last_ns is None else min(last_ns, latest_ns)
    return Course(flow_id, kind, type, key, environment, first_ns, last_ns, steps)


def _add_states(connection: psycopg.Connection, courses: dict[bytes, Course], stating: list[bytes]) -> None:
    for flow_id, steps in statements.read_steps(connection, stating, LATEST_STATEMENTS).items():
        course = courses[flow_id]
        course.source = "state"
        course.steps = steps
        course.states = {step.system: step.name for step in steps}


def _add_stated(connection: psycopg.Connection, courses: dict[bytes, Course]) -> None:
    stated: dict[bytes, list[Stated]] = {}
    # The latest of each kind and operation: what it said before is replaced by it.
    for flow_id, *rest in connection.execute(_STATED, (AHEAD_NS, list(courses))).fetchall():
        stated.setdefault(flow_id, []).append(Stated(*rest))
    for flow_id, told in stated.items():
        courses[flow_id].stated = told
    trying = [course for course in courses.values() if any(one.what == "retry" for one in course.stated)]
    if trying:
        tries.allow(connection, trying)
        _add_operations(connection, trying)


def _add_operations(connection: psycopg.Connection, trying: Sequence[Course]) -> None:
    said = [max(one.said_ns for one in course.stated if one.what == "retry") for course in trying]
    begun: dict[bytes, list[tuple[str, int]]] = {}
    asked = ([course.flow_id for course in trying], said)
    for flow_id, name, at_ns in connection.execute(_OPERATIONS, asked).fetchall():
        begun.setdefault(flow_id, []).append((name, at_ns))
    for course in trying:
        course.operations = begun.get(course.flow_id, ())


def _add_beats(
    connection: psycopg.Connection, courses: dict[bytes, Course], frequent: Iterable[bytes]
) -> None:
    wanted = list(frequent)
    if not wanted:
        return
    begun: dict[bytes, list[tuple[int, str]]] = {}
    for flow_id, first_ns, name in connection.execute(_BEATS, (wanted, LATEST_CHAPTERS)).fetchall():
        begun.setdefault(flow_id, []).append((first_ns, name))
    for flow_id, told in begun.items():
        # A rhythm is one thing that comes again: the life of an order is not, however evenly it is spread.
        last = told[-1][1]
        courses[flow_id].beats = [first_ns for first_ns, name in told if name == last]
