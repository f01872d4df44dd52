"""Flows by what their records carry: `order.state=paid` finds the flows of the records with that attribute.

Records are looked at day by day, newest first, under a time limit and a limit of matches; what was left out is said.
A flow is found when a matching record mentions it or descends from one that does. `timeline.queries.listing` then
lists the flows found in its own order.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import monotonic
from typing import Any

import orjson
from django.db import OperationalError, connection, transaction

from timeline.clues import fits
from timeline.queries.clauses import Conditions
from timeline.question import Question
from timeline.search import Equality

TIME_LIMIT_S = 2.0
MAX_RECORDS = 1_000
MAX_MEMBERS = 20_000
MINUTES_A_DAY = 1_440


@dataclass(slots=True)
class Found:
    """Flow ids (trace ids for requests), and sentences about what was not looked at."""

    identities: list[bytes] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Hits:
    """Matching records. Logs without a trace are found by their day."""

    spans: set[tuple[bytes, bytes]] = field(default_factory=set)
    logs: set[tuple[bytes, bytes]] = field(default_factory=set)  # trace id, log id
    loose_days: set[int] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.spans) + len(self.logs)

    @property
    def traces(self) -> list[bytes]:
        return sorted({trace for trace, _ in self.spans | self.logs if trace})


class Clock:
    """How long a search may still take."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = monotonic() + seconds

    def left_ms(self) -> int:
        return int((self._ends_at - monotonic()) * 1000)

    def run(self, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        """The rows; raises TimeoutError when the time is used up."""
        left_ms = self.left_ms()
        if left_ms <= 0:
            raise TimeoutError
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(left_ms)])
                cursor.execute(sql, values)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        except OperationalError as problem:
            if getattr(problem.__cause__, "sqlstate", "") == "57014":
                raise TimeoutError from problem
            raise


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
    hits.spans.update((bytes(trace), bytes(span)) for trace, span in rows)
    logs = _matching(equalities, resources, ("attributes", "body"))
    rows = clock.run(
        f"SELECT trace_id, span_id, log_id FROM log WHERE day = %s AND {logs.told} LIMIT %s",
        [day, *logs.values, MAX_RECORDS],
    )
    for trace, span, log in rows:
        hits.logs.add((bytes(trace), bytes(log)))
        if trace and span:
            hits.spans.add((bytes(trace), bytes(span)))
        elif not trace:
            hits.loose_days.add(day)


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
    """The entities and workflows that the records belong to."""
    clock = Clock(TIME_LIMIT_S)
    flows: set[bytes] = set()
    try:
        if hits.loose_days:
            flows |= _loose_flows(clock, hits)
        if hits.traces:
            flows |= _traced_flows(clock, hits)
    except TimeoutError:
        found.notes.append(
            "Finding the flows of all matching records took too long: name a shorter time range."
        )
    return sorted(flows)


def _traced_flows(clock: Clock, hits: Hits) -> set[bytes]:
    belonging: dict[bytes, set[bytes]] = defaultdict(set)
    for trace, span in _upwards(clock, hits.spans):
        belonging[trace].add(span)
    logs = {log for _, log in hits.logs}
    rows = clock.run(
        "SELECT m.flow_id, m.trace_id, m.span_ids, m.log_ids FROM member m WHERE (m.flow_id, m.trace_id) IN"
        " (SELECT c.flow_id, c.trace_id FROM chapter c WHERE c.trace_id = ANY(%s) AND c.trace_id <> ''::bytea)"
        " LIMIT %s",
        [hits.traces, MAX_MEMBERS],
    )
    return {
        bytes(flow)
        for flow, trace, span_ids, log_ids in rows
        if not belonging[bytes(trace)].isdisjoint(_pieces(span_ids, 8))
        or not logs.isdisjoint(_pieces(log_ids, 16))
    }


def _upwards(clock: Clock, spans: set[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """These spans and all they descend from; UNION ends cycles."""
    ordered = sorted(spans)
    rows = clock.run(
        "WITH RECURSIVE up AS (SELECT * FROM unnest(%s::bytea[], %s::bytea[]) AS hit (trace_id, span_id) UNION"
        " SELECT s.trace_id, s.parent_span_id FROM up JOIN span s USING (trace_id, span_id)"
        " WHERE s.parent_span_id <> ''::bytea) SELECT trace_id, span_id FROM up",
        [[trace for trace, _ in ordered], [span for _, span in ordered]],
    )
    return [(bytes(trace), bytes(span)) for trace, span in rows]


def _loose_flows(clock: Clock, hits: Hits) -> set[bytes]:
    wanted = {log for trace, log in hits.logs if not trace}
    rows = clock.run(
        "SELECT flow_id, log_ids FROM member WHERE day = ANY(%s) AND trace_id = ''::bytea LIMIT %s",
        [sorted(hits.loose_days), MAX_MEMBERS],
    )
    return {bytes(flow) for flow, log_ids in rows if not wanted.isdisjoint(_pieces(log_ids, 16))}


def _pieces(joined: bytes, size: int) -> set[bytes]:
    whole = bytes(joined)
    return {whole[at : at + size] for at in range(0, len(whole), size)}


def _enough(day: int) -> str:
    return (
        f"More than {MAX_RECORDS:,} records match: only the newest days were read, back to {_date(day)}."
        " Name a shorter time range or add a term."
    )


def _too_long(day: int | None) -> str:
    reach = f"reading stopped inside {_date(day)}" if day is not None else "nothing could be read"
    return f"Looking through the records took longer than {TIME_LIMIT_S:.0f} s: {reach}. Name a shorter time range."


def _date(day: int) -> str:
    return (
        (date(1970, 1, 1) + timedelta(days=day)).isoformat() if -700_000 < day < 2_900_000 else f"day {day}"
    )
