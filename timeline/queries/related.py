"""Flows lead to flows: which other entities and workflows share a flow's chapters, which requests a request links with.

Read for a flow's page only and bounded whatever is stored. `timeline.page` shows them; the links between a flow's own
chapters are `timeline.queries.story`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from timeline.addresses import flow_url
from timeline.kinds import KIND_OF

TRACES = 300  # the first chapters' traces; neighbours of a customer with thousands show in these
SHOWN = 5  # of one type; beyond it only their number is told

# Few rows a trace, through chapter_trace; the limit bounds a batch that handles a hundred thousand orders.
NEIGHBOURS = """
    WITH shared AS (
        SELECT flow_id FROM chapter
        WHERE trace_id = ANY(%(traces)s) AND trace_id <> ''::bytea AND flow_id <> %(own)s LIMIT 20000
    ), counted AS (
        SELECT flow_id, count(*) AS times FROM shared GROUP BY flow_id
    ), ranked AS (
        SELECT kind, type, key, environment, times,
               row_number() OVER (PARTITION BY kind, type ORDER BY times DESC, key, environment) AS place,
               count(*) OVER (PARTITION BY kind, type) AS many
        FROM counted JOIN flow USING (flow_id)
    )
    SELECT kind, type, key, environment, many FROM ranked WHERE place <= %(shown)s
    ORDER BY many, type, place"""


LINKS = 20  # linked requests that are named, each way
LINKS_SOUGHT = 20_000  # spans of a request beyond which its links are shown span by span only
# Inward through link_target; outward from the spans themselves, because links are kept by where they lead.
LINKED = """
    WITH outward AS (
        SELECT DISTINCT decode(told ->> 'trace_id', 'hex') AS trace_id
        FROM span, jsonb_array_elements(links) AS told
        WHERE span.trace_id = %(trace)s AND day = ANY(%(days)s) AND links IS NOT NULL LIMIT %(most)s
    ), inward AS (
        SELECT DISTINCT trace_id FROM link WHERE target_trace_id = %(trace)s LIMIT %(most)s
    ), linked AS (
        SELECT trace_id, 'from' AS way FROM outward UNION ALL SELECT trace_id, 'to' FROM inward
    )
    SELECT way, linked.trace_id, min(root_name), min(first_ns) AS first_ns
    FROM linked LEFT JOIN request USING (trace_id)
    WHERE linked.trace_id <> %(trace)s
    GROUP BY way, linked.trace_id ORDER BY way, first_ns, linked.trace_id"""


@dataclass(frozen=True, slots=True)
class Neighbour:
    title: str
    url: str
    trace_id: bytes = b""  # of a request


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Flows of one type. `more` is how many are not named."""

    kind: str
    type: str
    flows: list[Neighbour]
    more: int


def read_neighbours(own: bytes, traces: Sequence[bytes]) -> list[Neighbours]:
    if not traces:
        return []
    with connection.cursor() as cursor:
        cursor.execute(NEIGHBOURS, {"traces": list(traces[:TRACES]), "own": own, "shown": SHOWN})
        rows = cursor.fetchall()
    groups: dict[tuple[int, str], Neighbours] = {}
    for kind, type, key, environment, many in rows:
        told = groups.setdefault((kind, type), Neighbours(KIND_OF[kind], type, [], many - SHOWN))
        told.flows.append(Neighbour(f"{type} {key}", flow_url(KIND_OF[kind], type, key, environment)))
    return list(groups.values())


def read_linked(trace_id: bytes, days: Sequence[int]) -> list[Neighbour]:
    """The requests whose spans this one links to (←), and those that link to it (→)."""
    with connection.cursor() as cursor:
        cursor.execute(LINKED, {"trace": trace_id, "days": list(days), "most": LINKS})
        rows = cursor.fetchall()
    signs = {"from": "←", "to": "→"}
    return [
        Neighbour(
            f"{signs[way]} {name or 'trace ' + bytes(other).hex()[:8]}",
            flow_url("request", "trace", bytes(other).hex()),
            bytes(other),
        )
        for way, other, name, _ in rows
    ]
