"""How much of a flow retention has left: the days of its records against the days that were dropped.

Chapters outlive their records and tell their days. Of a request the rows leave with their days, so what is left hints
at what is gone. `timeline.summaries` shows the answer, `tracing.retention` drops the days.
"""

from collections.abc import Sequence
from typing import Protocol

from django.db import connection

from tracing.records import FIRST_DAY, LAST_DAY, day_of

_GONE = "SELECT day FROM day WHERE dropped_ns IS NOT NULL"
_CHAPTERS = """
SELECT flow_id, bool_and(day = ANY(%(gone)s)) FROM chapter WHERE flow_id = ANY(%(flows)s)
GROUP BY flow_id HAVING bool_or(day = ANY(%(gone)s))
"""
# The days on which a flow was mentioned in a trace, as far as it names flows.
_MENTIONED = """
SELECT DISTINCT trace_id FROM chapter
WHERE trace_id = ANY(%(traces)s) AND trace_id <> ''::bytea AND day = ANY(%(gone)s)
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


def read_retained(flows: Sequence[Kept]) -> dict[bytes, str]:
    """`partly` or `summary` for the flows that retention took something of, by identity."""
    with connection.cursor() as cursor:
        cursor.execute(_GONE)
        gone = {day for (day,) in cursor.fetchall()}
        if not gone:
            return {}
        requests = [flow for flow in flows if flow.kind == "request"]
        found = {flow.identity: "partly" for flow in requests if _is_cut(flow, gone)}
        traces = [flow.identity for flow in requests if flow.identity not in found]
        if traces:
            cursor.execute(_MENTIONED, {"traces": traces, "gone": sorted(gone)})
            found |= {bytes(trace): "partly" for (trace,) in cursor.fetchall()}
        # A flow that began after the last dropped day has lost nothing, and its chapters need not be read.
        old = [flow.identity for flow in flows if flow.kind != "request" and _began_by(flow, max(gone))]
        if old:
            cursor.execute(_CHAPTERS, {"flows": old, "gone": sorted(gone)})
            found |= {bytes(flow): "summary" if whole else "partly" for flow, whole in cursor.fetchall()}
    return found


def _is_cut(flow: Kept, gone: set[int]) -> bool:
    """Whether a request's days stand around or, while its root is missing, beside a dropped one."""
    dated = [day for day in flow.days if FIRST_DAY <= day < LAST_DAY]
    if not dated:
        return False
    room = 0 if flow.has_root else 1
    return any(min(dated) - room <= day <= max(dated) + room for day in gone)


def _began_by(flow: Kept, day: int) -> bool:
    return flow.first_ns is None or day_of(flow.first_ns) <= day
