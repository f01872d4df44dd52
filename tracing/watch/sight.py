"""When nothing could reach us: no receiver was there, or all senders' records stopped at once (`sensing`).

One answer for all who ask: the judge, who gives grace; the detectors, who spare; the problems, which do not resolve
meanwhile; the timelines, which draw it. `blindness` has the algebra.
"""

from typing import Any, Protocol

from tracing.lengths import SECOND_NS
from tracing.watch.blindness import Stretch, gaps, overlap, union

# A receiver says every two seconds that it is there, and one that was started anew is back within this.
TOLERANCE_NS = 30 * SECOND_NS

_FIRST = "SELECT min(since_ns) FROM awake"
_AWAKE = "SELECT since_ns, until_ns FROM awake WHERE until_ns > %s AND since_ns < %s ORDER BY since_ns"
_BROKEN = (
    "SELECT from_ns, coalesce(until_ns, %s) FROM blind WHERE coalesce(until_ns, %s) > %s AND from_ns < %s"
)


class Connection(Protocol):
    """psycopg's or Django's."""

    def cursor(self) -> Any: ...


def blind(connection: Connection, from_ns: int, to_ns: int) -> list[Stretch]:
    """The stretches between the two (our clock), in order, none touching another; `to_ns` may be now.

    None before the first receiver that ever was: who was not there yet was not blind. A gap that is no longer than it takes
    to start a receiver anew is none: senders try again for longer.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BROKEN, (to_ns, to_ns, from_ns, to_ns))
        broken = cursor.fetchall()
        cursor.execute(_FIRST)
        first_ns = cursor.fetchone()[0]
        cursor.execute(_AWAKE, (from_ns - TOLERANCE_NS, to_ns + TOLERANCE_NS))
        awake = cursor.fetchall()
    told = overlap(from_ns, to_ns, ((row[0], row[1]) for row in broken))
    if first_ns is None:
        return union(told)
    # Where none reaches into it, all after the first ever is a gap.
    there = [(first_ns, first_ns + 1), *((row[0], row[1]) for row in awake)]
    # A gap is as long as it is, not as long as was asked for. What comes after now nobody knows.
    end_ns = to_ns + TOLERANCE_NS if any(row[0] > to_ns for row in awake) else to_ns
    away = gaps(there, from_ns - TOLERANCE_NS, end_ns, TOLERANCE_NS)
    long = [one for one in away if one[1] - one[0] >= TOLERANCE_NS]
    return union([*told, *overlap(from_ns, to_ns, long)])


def is_blind(connection: Connection, now_ns: int) -> bool:
    """Whether nothing can reach us just now."""
    stretches = blind(connection, now_ns - 2 * TOLERANCE_NS, now_ns)
    return bool(stretches) and stretches[-1][1] >= now_ns
