"""Open problems that a route would tell and that its channel never heard of: a route that came later tells none by itself.

Telling them makes their opening an untold flip again, and the watcher (`tracing.watch.telling`) does the rest: whoever
was told of an opening is not told again.
"""

from collections.abc import Sequence

from django.db import connection

from timeline.queries.windows import rows_of
from tracing.people import Route
from tracing.watch import routes, routing
from tracing.watch.routing import Matter

# A word that ended a mute is no opening: made untold it would be told again where the opening was told.
_OPEN = """
SELECT p.problem_id, o.flip_id, p.kind, p.type, p.environment, p.severity, p.state,
       coalesce(c.state NOT IN ('resolved', 'forming'), false), p.all_flows
FROM problem p LEFT JOIN problem c ON c.problem_id = p.cause_id
CROSS JOIN LATERAL (
    SELECT f.flip_id FROM flip f WHERE f.problem_id = p.problem_id AND f.after IN ('open', 'reopened')
    AND f.before IS DISTINCT FROM 'muted' ORDER BY f.at_ns DESC, f.judged_ns DESC LIMIT 1
) AS o
WHERE p.state = 'open' AND p.severity > 1
"""
# Those whose last message on the channel is no all-clear, as the watcher sees it.
_TOLD = """
SELECT problem_id, channel_id FROM (
    SELECT DISTINCT ON (problem_id, channel_id) problem_id, channel_id, phase FROM message
    WHERE problem_id = ANY(%s) AND state <> 'dropped' AND phase <> 'test'
    ORDER BY problem_id, channel_id, at_ns DESC, message_id
) AS last WHERE phase <> 'resolved'
"""


def openings(known: Sequence[Route]) -> dict[int, list[bytes]]:
    """By route id, the opening flips of the open problems that it leads to its channel and that were not told there."""
    rows = rows_of(_OPEN, []) if known else []
    if not rows:
        return {}
    told = {(bytes(one), channel) for one, channel in rows_of(_TOLD, [[row[0] for row in rows]])}
    values = [routes.as_value(route) for route in known]
    found: dict[int, list[bytes]] = {}
    for problem, flip, *matter in rows:
        for way in routing.ways(Matter(*matter), values):
            if (bytes(problem), way.channel_id) not in told:
                found.setdefault(way.route_id, []).append(bytes(flip))
    return found


def tell(flips: Sequence[bytes]) -> None:
    """The watcher tells these within seconds."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE flip SET told = false WHERE flip_id = ANY(%s)", [list(flips)])
