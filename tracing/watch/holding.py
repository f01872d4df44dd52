"""Which problems may not resolve at this look although they were not found: silence is no recovery.

Asked by `problems` for those that a detector did not find. Where we ourselves were blind, nothing resolves.
"""

from collections.abc import Collection, Iterable

import psycopg

from tracing.lengths import MINUTE_NS
from tracing.watch.sight import is_blind
from tracing.watch.turns import Problem

# A source that was heard in none of the last minutes has not shown that it is well.
HEARD_MINUTES = 5
# What is judged by a service's volume, or by nothing new coming from it; all else is told well by a record.
OF_VOLUME = frozenset({"failed", "retry_storm", "slow", "silent_service"})
# As long as arrivals are kept; a service that was silent for longer is no longer there.
FORGOTTEN_NS = 15 * 1_440 * MINUTE_NS

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


def _heard(connection: psycopg.Connection, services: Iterable[str], now_ns: int) -> set[tuple[str, str]]:
    named = list(services)
    if not named:
        return set()
    rows = connection.execute(_HEARD, (now_ns // MINUTE_NS - HEARD_MINUTES, named)).fetchall()
    return {(row[0], row[1]) for row in rows}
