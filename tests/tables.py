"""What the store holds, as plain values that two tests can compare.

`everything` leaves out what depends on when records came, not on which: resent, late, received, xid, activity.
An exception told on two days is counted on the day that told it first, so errors are summed over a trace's days.
"""

from typing import Any, LiteralString

import psycopg

Rows = list[tuple[Any, ...]]

QUESTIONS: dict[str, LiteralString] = {
    "flow": "SELECT kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters, first_ns,"
    " last_ns, services, state, state_order, state_since_ns, step, step_order, step_ns FROM flow",
    "chapter": "SELECT f.type, f.key, f.environment, c.trace_id, c.service, c.day, c.spans, c.events, c.logs, c.retries,"
    " c.first_ns, c.last_ns FROM chapter c JOIN flow f USING (flow_id)",
    "chapter errors": "SELECT flow_id, trace_id, service, sum(errors) FROM chapter GROUP BY 1, 2, 3",
    "request": "SELECT trace_id, day, spans, events, logs, retries, first_ns, last_ns, root, root_span_id, root_name,"
    " root_service, root_status, services, environment FROM request",
    "request errors": "SELECT trace_id, sum(errors) FROM request GROUP BY 1",
    "assertion": "SELECT flow_id, valid_ns, system, digest, state, trace_id, record_id, day, rule_id FROM assertion",
    "state": "SELECT flow_id, system, state, since_ns, state_order FROM current_state",
    "told": "SELECT scope_id, exception_id, events, logs FROM told_exception",
    "span": "SELECT trace_id, span_id, start_ns, digest FROM span",
    "log": "SELECT log_id, day FROM log",
    "link": "SELECT day, target_trace_id, target_span_id, trace_id, span_id FROM link",
}
MEMBERS = "SELECT flow_id, day, trace_id, service, rule_id, span_ids, log_ids FROM member"


def ask(conninfo: str, question: LiteralString, *values: Any) -> Rows:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        return connection.execute(question, values).fetchall()


def one(conninfo: str, question: LiteralString, *values: Any) -> Any:
    """The single value of a single row."""
    ((value,),) = ask(conninfo, question, *values)
    return value


def everything(conninfo: str) -> dict[str, Rows]:
    """All rows of all tables that follow from the records alone, sorted."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = {
            table: sorted(connection.execute(question).fetchall(), key=repr)
            for table, question in QUESTIONS.items()
        }
        found["member"] = sorted(
            (*row[:5], kind, ids[at : at + size])
            for row in connection.execute(MEMBERS).fetchall()
            for kind, size, ids in (("span", 8, row[5]), ("log", 16, row[6]))
            for at in range(0, len(ids), size)
        )
    return found


def flow(conninfo: str, key: str, type: str = "order") -> dict[str, Any]:
    """The one flow of this type and key, by column."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute("SELECT * FROM flow WHERE type = %s AND key = %s", (type, key))
        (row,) = cursor.fetchall()
        names = [column.name for column in cursor.description or ()]
    return dict(zip(names, row, strict=True))


def deadlocks(conninfo: str) -> int:
    """Deadlocks the server has seen in this database; exact once its backends have ended or gone idle."""
    return int(one(conninfo, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"))
