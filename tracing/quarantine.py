"""What lies in the two catch-all ranges goes by its receipt: no date there means anything.

Records with absurd clocks, and logs without any time, share two partitions that are never dropped; `retention`
calls this beside dropping days. Flows keep their counts, as with any day.
"""

from typing import LiteralString

import psycopg

from tracing.records import FIRST_DAY, LAST_DAY

RANGES: tuple[LiteralString, ...] = ("ancient", "future")

# A request of such a range is active when something of it arrived. Members go when none of their records is left.
_FORGET: tuple[LiteralString, ...] = (
    "DELETE FROM span_{range} WHERE received_ns < %(before_ns)s",
    "DELETE FROM log_{range} WHERE received_ns < %(before_ns)s",
    "DELETE FROM request_{range} WHERE activity < %(before_ns)s / 60000000000",
    "DELETE FROM link_{range} l WHERE NOT EXISTS (SELECT 1 FROM span_{range} s"
    " WHERE s.trace_id = l.trace_id AND s.span_id = l.span_id)",
    "DELETE FROM member_{range} m"
    " WHERE (length(span_ids) = 0 OR NOT EXISTS (SELECT 1 FROM span_{range} s WHERE s.trace_id = m.trace_id))"
    " AND NOT EXISTS (SELECT 1 FROM generate_series(0, length(m.log_ids) / 16 - 1) AS n"
    " JOIN log_{range} l ON l.log_id = substring(m.log_ids FROM n * 16 + 1 FOR 16))",
)
_TOLD = """
DELETE FROM told_exception t WHERE (day < %s OR day >= %s)
AND NOT EXISTS (SELECT 1 FROM flow WHERE flow_id = t.scope_id)
AND NOT EXISTS (SELECT 1 FROM request WHERE trace_id = t.scope_id)
"""


def forget(connection: psycopg.Connection, before_ns: int) -> None:
    """Delete what was received before, our clock. `connection` is in autocommit."""
    for name in RANGES:
        with connection.transaction():
            for statement in _FORGET:
                connection.execute(statement.replace("{range}", name), {"before_ns": before_ns})
    connection.execute(_TOLD, (FIRST_DAY, LAST_DAY))
