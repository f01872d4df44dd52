"""Which flows a detector looks at that must see each flow once: a slice of them at each look, from the newest on.

One walk goes through the last quarter of an hour again and again, one more slowly through the day, for what came late or
while no watcher was there. A flow that moves meanwhile is newest again, so no lap misses it. Flows that are in a problem
already are asked for by the detector itself at each look: so a problem resolves rightly, however far the walks are.
"""

from typing import LiteralString, NamedTuple
from weakref import WeakKeyDictionary

import psycopg

from tracing.lengths import MINUTE_NS


class Walk(NamedTuple):
    name: str
    minutes: int  # back from now
    flows: int  # a look


RECENT = Walk("recent", 15, 10_000)
DAY = Walk("day", 1_440, 2_000)

# flow_recent, from where the walk stands.
_NEXT: LiteralString = """
SELECT activity, flow_id FROM flow WHERE activity >= %s AND (activity, flow_id) < (%s, %s)
ORDER BY activity DESC, flow_id DESC LIMIT %s
"""
LAST_MINUTE = 2**31 - 1

# By watcher, then by detector and walk: the last flow it saw of a lap that is not over.
_stands: WeakKeyDictionary[psycopg.Connection, dict[tuple[str, str], tuple[int, bytes]]] = WeakKeyDictionary()


def heard(connection: psycopg.Connection, detector: str, now_ns: int) -> list[bytes]:
    """Ids of the flows that this look is to see; the next one sees those behind them."""
    stands = _stands.setdefault(connection, {})
    found: dict[bytes, None] = {}
    for walk in (RECENT, DAY):
        minute = now_ns // MINUTE_NS
        # A sender whose clock is years ahead is met on the long walk only.
        newest = minute + walk.minutes if walk is RECENT else LAST_MINUTE
        at = stands.pop((detector, walk.name), (newest, b""))
        rows = connection.execute(_NEXT, (minute - walk.minutes, *at, walk.flows)).fetchall()
        if len(rows) == walk.flows:
            stands[detector, walk.name] = rows[-1]
        found |= dict.fromkeys(row[1] for row in rows)
    return list(found)
