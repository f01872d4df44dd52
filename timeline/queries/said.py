"""What records say, looked for as text: a line of a log, a message of a failure, a name. For `/find`, when no id helps.

No index holds text, so days are read newest first under a time limit, until one has enough that match.
"""

from typing import Any, NamedTuple

from timeline.queries.clauses import escaped
from timeline.queries.hits import TIME_LIMIT_S, Clock, Hits, date_of

LEAST_TEXT = 4  # characters: shorter text stands in nearly everything
ENOUGH = 50

_BODY = "CASE WHEN jsonb_typeof(body) = 'string' THEN body #>> '{}' ELSE body::text END"
_LOGS = f"""
SELECT trace_id, span_id, log_id FROM log WHERE day = %s AND ({_BODY} ILIKE %s OR event_name ILIKE %s)
ORDER BY time_ns DESC LIMIT %s
"""
_SPANS = """
SELECT trace_id, span_id FROM span WHERE day = %s AND (name ILIKE %s OR status_message ILIKE %s OR events::text ILIKE %s)
ORDER BY start_ns DESC LIMIT %s
"""


class Said(NamedTuple):
    """What was found, and how far back was looked; None where every stored day was."""

    hits: Hits
    back_to: str | None
    is_cut: bool  # more records say it, or may


def find_said(text: str) -> Said:
    """The latest records that say this."""
    clock, hits, reached, is_cut = Clock(TIME_LIMIT_S), Hits(), None, False
    wanted = f"%{escaped(text)}%"
    try:
        for (day,) in clock.run("SELECT day FROM day WHERE dropped_ns IS NULL ORDER BY day DESC", []):
            logs, spans = _rows(clock, _LOGS, day, wanted, 2), _rows(clock, _SPANS, day, wanted, 3)
            hits.add_logs(day, logs)
            hits.add_spans(spans)
            reached = day
            is_cut |= ENOUGH in (len(logs), len(spans))
            if len(hits) >= ENOUGH:
                return Said(hits, date_of(day), True)
    except TimeoutError:
        return Said(hits, date_of(reached) if reached is not None else "part of the newest day", True)
    return Said(hits, None, is_cut)


def _rows(clock: Clock, sql: str, day: int, wanted: str, times: int) -> list[tuple[Any, ...]]:
    return clock.run(sql, [day, *[wanted] * times, ENOUGH])
