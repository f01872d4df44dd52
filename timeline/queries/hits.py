"""Records that a search found, and the flows they belong to; all of it under a time limit.

A flow is found when a matching record mentions it or descends from one that does. `timeline.queries.attributes` searches
by attributes, `timeline.queries.said` by what records say.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from time import monotonic
from typing import Any

from django.db import OperationalError, connection, transaction

TIME_LIMIT_S = 2.0
MAX_MEMBERS = 20_000


@dataclass(slots=True)
class Hits:
    """Matching records. Logs without a trace are found by their day."""

    spans: set[tuple[bytes, bytes]] = field(default_factory=set)
    logs: set[tuple[bytes, bytes]] = field(default_factory=set)  # trace id, log id
    loose_days: set[int] = field(default_factory=set)

    def add_spans(self, rows: Iterable[Sequence[Any]]) -> None:
        """Rows of (trace id, span id)."""
        self.spans.update((bytes(trace), bytes(span)) for trace, span in rows)

    def add_logs(self, day: int, rows: Iterable[Sequence[Any]]) -> None:
        """A day's rows of (trace id, span id, log id)."""
        for trace, span, log in rows:
            self.logs.add((bytes(trace), bytes(log)))
            if trace and span:
                self.spans.add((bytes(trace), bytes(span)))
            elif not trace:
                self.loose_days.add(day)

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


def flows_of(hits: Hits) -> tuple[list[bytes], bool]:
    """The entities and workflows that the records belong to, and whether there was time for all of them."""
    clock = Clock(TIME_LIMIT_S)
    flows: set[bytes] = set()
    try:
        if hits.loose_days:
            flows |= _loose_flows(clock, hits)
        if hits.traces:
            flows |= _traced_flows(clock, hits)
    except TimeoutError:
        return sorted(flows), False
    return sorted(flows), True


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


def date_of(day: int) -> str:
    return (
        (date(1970, 1, 1) + timedelta(days=day)).isoformat() if -700_000 < day < 2_900_000 else f"day {day}"
    )
