"""The latest milestone in a flow's whole membership, for flows about to be called late.

A record that does not carry the key may still be the flow's: it descends from one that does (`tracing.membership`).
Each trace is read once, whichever flows it belongs to; a trace too large to read for that is left out.
"""

from collections.abc import Iterable, Sequence

import psycopg

from tracing.membership import members
from tracing.records import CONSUMER, MAX_NS, SERVER
from tracing.stored import split

MOST_SPANS = 50_000
MILESTONES = (SERVER, CONSUMER)

_MEMBERS = (
    "SELECT flow_id, trace_id, day, span_ids FROM member WHERE flow_id = ANY(%s) AND trace_id <> ''::bytea"
)
# What was heard last before the flow's last step tells of no progress since.
_SIZES = """
SELECT trace_id, array_agg(day), sum(spans) FROM request WHERE trace_id = ANY(%s) GROUP BY trace_id HAVING max(last_ns) > %s
"""
_SPANS = """
SELECT trace_id, span_id, parent_span_id, kind, start_ns FROM span WHERE trace_id = ANY(%s) AND day = ANY(%s)
"""


def latest_milestones(
    connection: psycopg.Connection, flow_ids: Sequence[bytes], since_ns: int = 0, until_ns: int = MAX_NS
) -> dict[bytes, int]:
    """By flow id the start of the latest server or consumer span that belongs to it; absent where there is none.

    Traces that ended before `since_ns` are not looked at; what begins after `until_ns` is a clock ahead, and no progress.
    """
    mentioned: dict[bytes, dict[bytes, set[bytes]]] = {}  # trace -> flow -> spans
    for flow_id, trace_id, _, span_ids in connection.execute(_MEMBERS, (list(flow_ids),)).fetchall():
        mentioned.setdefault(trace_id, {}).setdefault(flow_id, set()).update(split(span_ids, 8))
    sizes = connection.execute(_SIZES, (list(mentioned), since_ns)).fetchall()
    found: dict[bytes, int] = {}
    for traces, days in _sets(sizes):
        spans: dict[bytes, list[tuple[bytes, bytes, int, int]]] = {}
        for trace_id, *span in connection.execute(_SPANS, (traces, days)).fetchall():
            spans.setdefault(trace_id, []).append((span[0], span[1], span[2], span[3]))
        for trace_id, told in spans.items():
            for flow_id, named in mentioned[trace_id].items():
                latest = _latest(told, named, until_ns)
                if latest is not None:
                    found[flow_id] = max(latest, found.get(flow_id, latest))
    return found


def _sets(sizes: Iterable[tuple[bytes, list[int], int]]) -> Iterable[tuple[list[bytes], list[int]]]:
    """Traces to read at once, with their days."""
    traces: list[bytes] = []
    days: set[int] = set()
    size = 0
    for trace_id, its_days, spans in sizes:
        if spans > MOST_SPANS:
            continue
        if traces and size + spans > MOST_SPANS:
            yield traces, sorted(days)
            traces, days, size = [], set(), 0
        traces.append(trace_id)
        days.update(its_days)
        size += int(spans)
    if traces:
        yield traces, sorted(days)


def _latest(spans: Sequence[tuple[bytes, bytes, int, int]], named: set[bytes], until_ns: int) -> int | None:
    belonging, _ = members([(span_id, parent) for span_id, parent, _, _ in spans], named)
    starts = [
        start
        for span_id, _, kind, start in spans
        if kind in MILESTONES and span_id in belonging and start <= until_ns
    ]
    return max(starts, default=None)
