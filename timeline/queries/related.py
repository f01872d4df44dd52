"""Flows lead to flows: which other entities and workflows share a flow's chapters."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from timeline.addresses import flow_url
from timeline.summaries import KIND_OF

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


@dataclass(frozen=True, slots=True)
class Neighbour:
    title: str
    url: str


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
