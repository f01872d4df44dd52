"""How much of a flow retention has left: the days of its records against the days that were thinned or dropped.

Chapters outlive their records and tell their days; of a thinned day the members that are left tell whether a chapter
was kept. Of a request the rows leave with their records, so what is left hints at what is gone. `timeline.summaries`
shows the answer, `tracing.retention` thins and drops the days.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from django.db import connection

from tracing.kept import WHOLE_RECORDS
from tracing.records import FIRST_DAY, LAST_DAY, day_of

_GONE = "SELECT day, dropped_ns, thinned_ns FROM day WHERE dropped_ns IS NOT NULL OR thinned_ns IS NOT NULL"
# A chapter is there where the members that are left name as many records as it counts. What two rules grouped stands
# twice and is told apart then. (A chapter that lost some and got as many again would pass.)
_CHAPTERS = """
SELECT c.flow_id, c.day, c.day = ANY(%(dropped)s) OR c.day = ANY(%(thinned)s) AND c.spans + c.logs > CASE
    WHEN left_of.rules < 2 THEN left_of.named ELSE (
        SELECT count(DISTINCT (substr(m.span_ids, at * 8 + 1, 8), substr(m.span_marks, at * 4 + 1, 4)))
        FROM unnest(left_of.spans, left_of.marks) AS m (span_ids, span_marks), generate_series(0, length(m.span_ids) / 8 - 1) at
    ) + (
        SELECT count(DISTINCT substr(ids, at * 16 + 1, 16))
        FROM unnest(left_of.logs) AS ids, generate_series(0, length(ids) / 16 - 1) at
    ) END AS lost
FROM chapter c, LATERAL (
    SELECT count(DISTINCT rule_id) AS rules, coalesce(sum(length(span_ids) / 8 + length(log_ids) / 16), 0) AS named,
        array_agg(span_ids) AS spans, array_agg(span_marks) AS marks, array_agg(log_ids) AS logs
    FROM member m
    WHERE m.flow_id = c.flow_id AND m.trace_id = c.trace_id AND m.service = c.service AND m.day = c.day
    AND m.day = ANY(%(thinned)s)) AS left_of
WHERE c.flow_id = ANY(%(flows)s)
"""
_LOST = f"""
SELECT flow_id, bool_and(lost), array_agg(DISTINCT day) FILTER (WHERE lost) FROM ({_CHAPTERS}) AS told
GROUP BY flow_id HAVING bool_or(lost)
"""
# The days on which a flow was mentioned in a trace, as far as it names flows; of thinned ones those where the request
# has less than was mentioned.
_MENTIONED = """
SELECT c.trace_id, array_agg(DISTINCT c.day) FROM chapter c
LEFT JOIN request r ON r.trace_id = c.trace_id AND r.day = c.day
WHERE c.trace_id = ANY(%(traces)s) AND c.trace_id <> ''::bytea AND (c.day = ANY(%(dropped)s)
    OR c.day = ANY(%(thinned)s) AND (r.trace_id IS NULL OR r.spans < c.spans OR r.logs < c.logs))
GROUP BY c.trace_id
"""
# Large traces are kept in part.
_CUT = """
SELECT r.trace_id, array_agg(r.day) FROM request r
WHERE r.trace_id = ANY(%(traces)s) AND r.day = ANY(%(thinned)s) AND r.spans + r.logs > %(whole)s
AND r.spans > (SELECT count(*) FROM span s WHERE s.trace_id = r.trace_id AND s.day = r.day)
GROUP BY r.trace_id
"""


class Kept(Protocol):
    """What is asked of a flow."""

    @property
    def kind(self) -> str: ...
    @property
    def identity(self) -> bytes: ...
    @property
    def first_ns(self) -> int | None: ...
    @property
    def days(self) -> tuple[int, ...]: ...
    @property
    def has_root(self) -> bool: ...


class Retained(NamedTuple):
    """What is left: `partly` or `summary`; and when the last of what is missing went, our clock."""

    share: str
    went_ns: int


class _Gone(NamedTuple):
    dropped: dict[int, int]
    thinned: dict[int, int]

    @property
    def asked(self) -> dict[str, Any]:
        return {"dropped": sorted(self.dropped), "thinned": sorted(self.thinned), "whole": WHOLE_RECORDS}

    def left(self, share: str, days: Iterable[int]) -> Retained:
        return Retained(share, max(self.dropped.get(day) or self.thinned.get(day, 0) for day in days))


def read_retained(flows: Sequence[Kept]) -> dict[bytes, Retained]:
    """For the flows that retention took something of, by identity."""
    gone = _read_gone()
    if not gone.dropped and not gone.thinned:
        return {}
    requests = [flow for flow in flows if flow.kind == "request"]
    found = {flow.identity: gone.left("partly", days) for flow in requests if (days := _around(flow, gone))}
    for question in (_MENTIONED, _CUT):
        traces = [flow.identity for flow in requests if flow.identity not in found]
        for trace, days in _ask(question, gone, traces=traces) if traces else ():
            found[bytes(trace)] = gone.left("partly", days)
    # A flow that began after the last day that lost something has lost nothing, and its chapters need not be read.
    latest = max((*gone.dropped, *gone.thinned))
    old = [flow.identity for flow in flows if flow.kind != "request" and _began_by(flow, latest)]
    for flow_id, whole, days in _ask(_LOST, gone, flows=old) if old else ():
        found[bytes(flow_id)] = gone.left("summary" if whole else "partly", days)
    return found


def _read_gone() -> _Gone:
    dropped, thinned = {}, {}
    with connection.cursor() as cursor:
        cursor.execute(_GONE)
        for day, dropped_ns, thinned_ns in cursor.fetchall():
            if dropped_ns is not None:
                dropped[day] = dropped_ns
            else:
                thinned[day] = thinned_ns
    return _Gone(dropped, thinned)


def _ask(question: str, gone: _Gone, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, gone.asked | values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _around(flow: Kept, gone: _Gone) -> list[int]:
    """Days that lost something and stand between a request's own or, while its root is missing, beside them."""
    dated = [day for day in flow.days if FIRST_DAY <= day < LAST_DAY]
    if not dated:
        return []
    room = 0 if flow.has_root else 1
    lost: Mapping[int, int] = gone.dropped | {
        day: at for day, at in gone.thinned.items() if day not in flow.days
    }
    return [day for day in lost if min(dated) - room <= day <= max(dated) + room]


def _began_by(flow: Kept, day: int) -> bool:
    return flow.first_ns is None or day_of(flow.first_ns) <= day
