"""When nothing could reach us: no receiver was there, or all senders' records stopped at once (`sensing`).

One answer for all who ask: the judge, who gives grace; the detectors, who spare; the problems, which do not resolve
meanwhile; the timelines, which draw it. `blindness` has the algebra.
"""

from typing import Any, Protocol

from tracing.lengths import SECOND_NS
from tracing.watch.blindness import Stretch, gaps, overlap, union

# A receiver says every two seconds that it is there, and one that was started anew is back within this.
TOLERANCE_NS = 30 * SECOND_NS

_STRETCHES = """
SELECT 'broken', from_ns, coalesce(until_ns, %(to)s) FROM blind WHERE coalesce(until_ns, %(to)s) > %(from)s AND from_ns < %(to)s
UNION ALL SELECT 'first', min(since_ns), min(since_ns) + 1 FROM awake HAVING min(since_ns) IS NOT NULL
UNION ALL SELECT 'awake', since_ns, until_ns FROM awake WHERE until_ns > %(from)s - %(near)s AND since_ns < %(to)s + %(near)s
"""


class Connection(Protocol):
    """psycopg's or Django's."""

    def cursor(self) -> Any: ...


def blind(connection: Connection, from_ns: int, to_ns: int) -> list[Stretch]:
    """The stretches between the two (our clock), in order, none touching another; `to_ns` may be now.

    None before the first receiver that ever was: who was not there yet was not blind. A gap that is no longer than it takes
    to start a receiver anew is none: senders try again for longer.
    """
    found: dict[str, list[Stretch]] = {"broken": [], "first": [], "awake": []}
    with connection.cursor() as cursor:
        cursor.execute(_STRETCHES, {"from": from_ns, "to": to_ns, "near": TOLERANCE_NS})
        for kind, since_ns, until_ns in cursor.fetchall():
            found[kind].append((since_ns, until_ns))
    told = overlap(from_ns, to_ns, found["broken"])
    if not found["first"]:
        return union(told)
    # Where none reaches into it, all after the first ever is a gap.
    there = sorted(found["first"] + found["awake"])
    # A gap is as long as it is, not as long as was asked for. What comes after now nobody knows.
    end_ns = to_ns + TOLERANCE_NS if any(since_ns > to_ns for since_ns, _ in found["awake"]) else to_ns
    away = gaps(there, from_ns - TOLERANCE_NS, end_ns, TOLERANCE_NS)
    long = [one for one in away if one[1] - one[0] >= TOLERANCE_NS]
    return union([*told, *overlap(from_ns, to_ns, long)])


def is_blind(connection: Connection, now_ns: int) -> bool:
    """Whether nothing can reach us just now."""
    stretches = blind(connection, now_ns - 2 * TOLERANCE_NS, now_ns)
    return bool(stretches) and stretches[-1][1] >= now_ns
