"""Which problems may not resolve at this look although they were not found: silence is no recovery.

Asked by `problems` for those that a detector did not find. Where we ourselves were blind, nothing resolves.
"""

from collections.abc import Collection, Iterable

import psycopg

from tracing.lengths import MINUTE_NS
from tracing.watch.blindness import Stretch, gaps, overlap, union
from tracing.watch.turns import Problem

# Receivers say every few seconds that they are there.
BLIND_AFTER_NS = MINUTE_NS
# A source that was heard in none of the last minutes has not shown that it is well.
HEARD_MINUTES = 5
# What is judged by a service's volume, or by nothing new coming from it; all else is told well by a record.
OF_VOLUME = frozenset({"failed", "retry_storm", "slow", "silent_service"})
# As long as arrivals are kept; a service that was silent for longer is no longer there.
FORGOTTEN_NS = 15 * 1_440 * MINUTE_NS

# The way to us was broken, or no receiver was there: the last word of any.
_BLIND = "SELECT EXISTS (SELECT FROM blind WHERE until_ns IS NULL), (SELECT max(until_ns) FROM awake)"
_STRETCHES = "SELECT since_ns, until_ns FROM awake WHERE until_ns > %s AND since_ns < %s"
_BROKEN = (
    "SELECT from_ns, coalesce(until_ns, %s) FROM blind WHERE coalesce(until_ns, %s) > %s AND from_ns < %s"
)
_HEARD = "SELECT DISTINCT service, environment FROM arrival WHERE minute >= %s AND service = ANY(%s)"


def held(
    connection: psycopg.Connection, unseen: Collection[Problem], cut: Collection[str], now_ns: int
) -> set[bytes]:
    """Ids of problems that stay as they are. `cut` are kinds of which not all could be read."""
    if not unseen:
        return set()
    if is_blind(connection, now_ns):
        return {problem.problem_id for problem in unseen}
    of_volume = [one for one in unseen if one.kind in OF_VOLUME and one.last_ns > now_ns - FORGOTTEN_NS]
    heard = _heard(connection, {problem.system for problem in of_volume}, now_ns)
    silent = {one.problem_id for one in of_volume if (one.system, one.environment) not in heard}
    return silent | {problem.problem_id for problem in unseen if problem.kind in cut}


def is_blind(connection: psycopg.Connection, now_ns: int) -> bool:
    """Whether nothing could reach us just now. Before any receiver has ever been, nobody can say, and it counts as no."""
    row = connection.execute(_BLIND).fetchone()
    return row is not None and (row[0] or (row[1] is not None and row[1] < now_ns - BLIND_AFTER_NS))


def blind_stretches(connection: psycopg.Connection, from_ns: int, to_ns: int) -> list[Stretch]:
    """When nothing could reach us between the two (ours); none before the first receiver that ever was."""
    broken = connection.execute(_BROKEN, (to_ns, to_ns, from_ns, to_ns)).fetchall()
    return union([*overlap(from_ns, to_ns, broken), *_away(connection, from_ns, to_ns)])


def _away(connection: psycopg.Connection, from_ns: int, to_ns: int) -> list[Stretch]:
    row = connection.execute("SELECT min(since_ns) FROM awake").fetchone()
    if row is None or row[0] is None:
        return []
    rows = connection.execute(_STRETCHES, (from_ns, to_ns)).fetchall()
    # Where none reaches into it, all after the first ever is a gap.
    awake = [(row[0], row[0] + 1), *((since_ns, until_ns) for since_ns, until_ns in rows)]
    return gaps(awake, from_ns, to_ns, BLIND_AFTER_NS)


def _heard(connection: psycopg.Connection, services: Iterable[str], now_ns: int) -> set[tuple[str, str]]:
    named = list(services)
    if not named:
        return set()
    rows = connection.execute(_HEARD, (now_ns // MINUTE_NS - HEARD_MINUTES, named)).fetchall()
    return {(row[0], row[1]) for row in rows}
