"""Flows by what their records carry: `order.state=paid` finds the flows of the records with that attribute.

Records are looked at day by day, newest first, under a time limit and a limit of matches; what was left out is said.
`timeline.queries.hits` finds the flows of what matched, `timeline.queries.listing` lists them in its own order.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection

from timeline.clues import fits
from timeline.queries.clauses import Conditions
from timeline.queries.hits import TIME_LIMIT_S, Clock, Hits, date_of, flows_of
from timeline.question import Question
from timeline.search import Equality

MAX_RECORDS = 1_000
MINUTES_A_DAY = 1_440


@dataclass(slots=True)
class Found:
    """Flow ids (trace ids for requests), and sentences about what was not looked at."""

    identities: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(question: Question) -> Found:
    """The flows with a record that holds all the equalities."""
    clock, found, hits = Clock(TIME_LIMIT_S), Found(), Hits()
    reached: int | None = None
    try:
        resources = [_resources(clock, equality) for equality in question.equalities]
        for day in _days(clock, question):
            reached = day
            _look(clock, question.equalities, resources, day, hits)
            if len(hits) >= MAX_RECORDS:
                found.notes.append(_enough(day))
                break
    except TimeoutError:
        found.notes.append(_too_long(reached))
    found.identities = hits.traces if question.of_requests else _flows(hits, found)
    if len(question.equalities) == 1 and not question.of_requests:
        found.identities += _named(question.equalities[0])
    return found


def _named(equality: Equality) -> list[bytes]:
    """The flows that `order.id=4711` names by itself: found however old, and before the records were read."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT flow_id, type FROM flow WHERE lower(key) = lower(%s) AND key = %s LIMIT 100",
            [equality.value, equality.value],
        )
        return [bytes(flow) for flow, type in cursor.fetchall() if fits(equality.name, type)]


def _look(
    clock: Clock, equalities: Iterable[Equality], resources: list[list[bytes]], day: int, hits: Hits
) -> None:
    """Adds a day's matching records."""
    spans = _matching(equalities, resources, ("attributes", "events"))
    rows = clock.run(
        f"SELECT trace_id, span_id FROM span WHERE day = %s AND {spans.told} LIMIT %s",
        [day, *spans.values, MAX_RECORDS],
    )
    hits.add_spans(rows)
    logs = _matching(equalities, resources, ("attributes", "body"))
    rows = clock.run(
        f"SELECT trace_id, span_id, log_id FROM log WHERE day = %s AND {logs.told} LIMIT %s",
        [day, *logs.values, MAX_RECORDS],
    )
    hits.add_logs(day, rows)


def _matching(
    equalities: Iterable[Equality], resources: list[list[bytes]], columns: tuple[str, ...]
) -> Conditions:
    conditions = Conditions()
    for equality, resource_ids in zip(equalities, resources, strict=True):
        tests, values = ["resource_id = ANY(%s)"], [resource_ids]
        for column in columns:
            for value in _documents(equality, column):
                tests.append(f"{column} @> %s::jsonb")
                values.append(value)
        conditions.add(f"({' OR '.join(tests)})", *values)
    return conditions


def _documents(equality: Equality, column: str) -> list[Any]:
    for_values: list[Any] = [{equality.name: value} for value in equality.values()]
    if column == "events":
        for_values = [[{"attributes": one}] for one in for_values]
    return [orjson.dumps(one).decode() for one in for_values]


def _resources(clock: Clock, equality: Equality) -> list[bytes]:
    documents = _documents(equality, "attributes")
    tests = " OR ".join("attributes @> %s::jsonb" for _ in documents)
    rows = clock.run(f"SELECT resource_id FROM resource WHERE {tests} LIMIT 5000", documents)
    return [bytes(resource) for (resource,) in rows]


def _days(clock: Clock, question: Question) -> Iterator[int]:
    """The stored days in the asked range, newest first."""
    conditions = Conditions()
    conditions.add("dropped_ns IS NULL")
    if question.from_minute is not None:
        # A flow last active in the range may have begun a little before it.
        conditions.add("day >= %s", question.from_minute // MINUTES_A_DAY - 1)
    if question.to_minute is not None:
        conditions.add("day <= %s", question.to_minute // MINUTES_A_DAY)
    rows = clock.run(f"SELECT day FROM day {conditions.where} ORDER BY day DESC", conditions.values)
    return (day for (day,) in rows)


def _flows(hits: Hits, found: Found) -> list[bytes]:
    flows, whole = flows_of(hits)
    if not whole:
        found.notes.append(
            "Finding the flows of all matching records took too long: name a shorter time range."
        )
    return flows


def _enough(day: int) -> str:
    return (
        f"More than {MAX_RECORDS:,} records match: only the newest days were read, back to {date_of(day)}."
        " Name a shorter time range or add a term."
    )


def _too_long(day: int | None) -> str:
    reach = f"reading stopped inside {date_of(day)}" if day is not None else "nothing could be read"
    return f"Looking through the records took longer than {TIME_LIMIT_S:.0f} s: {reach}. Name a shorter time range."
