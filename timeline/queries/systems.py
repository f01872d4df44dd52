"""What each system says of a flow's state, and since when: the first of its latest statements that agree.

The latest statement stands in `current_state`; those before it that say the same only repeat it. The order is that of
`tracing.sums.order_of`, in which a time in a catch-all range comes before all others. `timeline.layout.moves` draws
the same from all statements of one flow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection

from tracing.records import FIRST_NS, LAST_NS, is_plausible

_USABLE = f"CASE WHEN a.valid_ns >= {FIRST_NS} AND a.valid_ns < {LAST_NS} THEN a.valid_ns ELSE 0 END"
# Read backwards from the latest, a state holds as long as no statement says another one. Times that date nothing say
# no beginning, unless there is no other.
_SYSTEMS = f"""
SELECT flow_id, system, said, coalesce(min(nullif(usable_ns, 0)) FILTER (WHERE NOT ended), since_ns)
FROM (
    SELECT s.flow_id, s.system, s.state AS said, s.since_ns, {_USABLE} AS usable_ns, bool_or(a.state <> s.state) OVER (
        PARTITION BY s.flow_id, s.system ORDER BY {_USABLE} DESC, a.digest DESC, a.state COLLATE "C" DESC) AS ended
    FROM current_state s LEFT JOIN LATERAL (
        SELECT * FROM assertion WHERE flow_id = s.flow_id ORDER BY valid_ns DESC LIMIT %(latest)s
    ) AS a ON a.system = s.system
    WHERE s.flow_id = ANY(%(flows)s)
) AS statement
GROUP BY flow_id, system, said, since_ns ORDER BY system
"""


@dataclass(slots=True, frozen=True)
class System:
    """What one service says about a flow's state, and since when."""

    system: str
    state: str
    since_ns: int


def read_systems(flow_ids: Sequence[bytes], latest: int | None = None) -> dict[bytes, tuple[System, ...]]:
    """What is said of these flows, by flow id. `latest` bounds the statements of a flow that are looked at."""
    systems: dict[bytes, tuple[System, ...]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SYSTEMS, {"flows": list(flow_ids), "latest": latest})
        for flow_id, system, state, since_ns in cursor.fetchall():
            systems[bytes(flow_id)] = (*systems.get(bytes(flow_id), ()), System(system, state, since_ns))
    return systems


def read_owners(types: Iterable[str]) -> dict[str, str]:
    """The system whose word counts, by type; without those of which nobody named one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type, owner FROM tracing_typesettings WHERE owner <> '' AND type = ANY(%s)", [list(types)]
        )
        return dict(cursor.fetchall())


def begun_ns(systems: Iterable[System], state: str | None) -> int | None:
    """When the first of the systems that say this state began to; None where none says it."""
    told = (one.since_ns for one in systems if one.state == state)
    return min(told, key=lambda time_ns: (not is_plausible(time_ns), time_ns), default=None)
