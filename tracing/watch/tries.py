"""How long a try takes that was promised: `expecting` allows it as much, because a try is told when it has ended.

The longer of two: what the try took that made the promise, and within what nearly all runs of the operation end, as far
as it is counted (`volumes` counts server and consumer spans and roots).
"""

from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.watch import buckets
from tracing.watch.standing import Course, Stated

DAY_MINUTES = 1_440
NEARLY_ALL = 0.99

# By service, environment and name; the primary key serves it.
_LENGTHS: LiteralString = """
SELECT v.service, v.environment, v.operation, v.lengths FROM unnest(%s::text[], %s::text[], %s::text[])
    AS n(service, environment, operation)
JOIN volume v USING (service, environment, operation) WHERE v.minute > %s AND v.lengths <> '{}'
"""


class Operation(NamedTuple):
    """What a service does, by the name of its spans."""

    service: str
    environment: str
    name: str


def allow(connection: psycopg.Connection, courses: Sequence[Course]) -> None:
    """Give the promised tries of these flows the time that such a try takes."""
    lengths = usual(connection, {_operation(one, course) for course in courses for one in course.stated})
    for course in courses:
        course.stated = [
            one._replace(lasts_ns=max(one.lasts_ns, lengths.get(_operation(one, course), 0)))
            for one in course.stated
        ]


def usual(connection: psycopg.Connection, operations: Iterable[Operation]) -> dict[Operation, int]:
    """Within how many ns 99 % of each operation's runs of the last day ended; absent where none was counted."""
    asked = sorted(one for one in operations if one.name)
    since = now_ns() // MINUTE_NS - DAY_MINUTES
    columns = [list(column) for column in zip(*asked, strict=True)] or [[], [], []]
    counts: dict[Operation, list[list[int]]] = {}
    for *names, lengths in connection.execute(_LENGTHS, (*columns, since)).fetchall():
        counts.setdefault(Operation(*names), []).append(lengths)
    found = {one: buckets.quantile_ns(buckets.added(many), NEARLY_ALL) for one, many in counts.items()}
    return {one: length for one, length in found.items() if length is not None}


def _operation(told: Stated, course: Course) -> Operation:
    return Operation(told.system, course.environment, told.operation)
