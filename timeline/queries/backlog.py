"""Flows in motion: how many stand at each step of a type, how long usually, and over the last day.

The watcher counts (`backlog`, `backlog_history`) and learns (`learned`); nothing is counted here, so a page costs the
same however many flows there are. Types with many steps fold to the first few. `timeline.views.now` shows it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from timeline.addresses import flow_url
from timeline.kinds import KIND_OF
from timeline.queries.problems import as_mapping
from timeline.queries.windows import rows_of
from tracing.watch.backlogs import MOST_STEPS

STEPS_A_TYPE = 6
MOST_ROWS = 60
HOURS = 24
QUARTER_NS = 15 * 60 * 1_000_000_000
QUARTERS_AN_HOUR = 4

# Types in which something is wrong first, and of each the steps where most is. What the oldest waits for and how
# long flows usually stay are one probe of a primary key each.
_STEPS = """
SELECT b.kind, b.type, b.environment, b.step, b.open, b.late, b.stuck, b.unknown, b.paused, b.oldest_ns, b.counted_ns,
       b.steps, f.key, e.awaited_step, e.awaited_system, e.source, (e.evidence ->> 'period_ns')::bigint,
       (e.evidence ->> 'within_ns')::bigint, l.passed, l.threshold_ns, l.level, l.is_end, l.facts
FROM (
    SELECT *, row_number() OVER (PARTITION BY type, environment, kind ORDER BY stuck DESC, late DESC, open DESC, step)
                  AS place,
           count(*) OVER whole AS steps, sum(stuck) OVER whole AS all_stuck, sum(late) OVER whole AS all_late,
           sum(open) OVER whole AS all_open
    FROM backlog WHERE open > 0 WINDOW whole AS (PARTITION BY type, environment, kind)
) AS b
LEFT JOIN flow f ON f.flow_id = b.oldest_id
LEFT JOIN expectation e ON e.flow_id = b.oldest_id AND e.step = b.step AND e.verdict <> 'ended'
LEFT JOIN LATERAL (
    SELECT * FROM learned WHERE type = b.type AND environment = b.environment AND step = b.step AND source <> 'series'
    ORDER BY passed DESC LIMIT 1
) AS l ON true
WHERE b.place <= %s
ORDER BY b.all_stuck DESC, b.all_late DESC, b.all_open DESC, b.type, b.environment, b.kind, b.place LIMIT %s
"""
# The headline's numbers, over all types. A type is learned once one of its steps has a deadline.
_TOTALS = """
SELECT coalesce(sum(open), 0), coalesce(sum(late), 0), coalesce(sum(stuck), 0), coalesce(sum(unknown), 0),
       coalesce(sum(paused), 0), max(counted_ns),
       count(DISTINCT type) FILTER (WHERE NOT EXISTS (
           SELECT FROM learned l WHERE l.type = backlog.type AND l.threshold_ns IS NOT NULL))
FROM backlog WHERE open > 0
"""
# The most that were open in each of the last hours. Served by the primary key, step by step.
_HOURS = """
SELECT h.type, h.environment, h.step, (h.quarter - %s) / %s, max(h.open)
FROM unnest(%s::text[], %s::text[], %s::text[]) AS asked (type, environment, step)
JOIN backlog_history h USING (type, environment, step)
WHERE h.quarter >= %s AND h.quarter < %s GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Usual:
    """How long flows usually stay at a step; `within_ns` is None while too few passed it."""

    passed: int
    within_ns: int | None
    level: str | None  # p99, p95, p90
    needed: int  # flows until something is learned
    is_end: bool
    plateau: float  # share that stays for good

    def as_json(self) -> dict[str, Any]:
        within = None if self.within_ns is None else str(self.within_ns)
        return {"within": within, "level": self.level, "passed": self.passed, "needed": self.needed}


@dataclass(frozen=True, slots=True)
class Step:
    """Open flows of one type at one step. `folded` steps of the type are not shown, told at its last row."""

    kind: str
    type: str
    environment: str
    step: str
    open: int
    late: int
    stuck: int
    unknown: int
    paused: int
    oldest_ns: int | None
    oldest_path: str | None
    awaited_step: str
    awaited_system: str
    source: (
        str  # how its deadline is known: stated, rule, heartbeat, learned, type; empty where there is none
    )
    period_ns: int | None  # of a heartbeat
    within_ns: int | None  # allowed by the deadline
    usual: Usual | None
    hours: tuple[
        int | None, ...
    ] = ()  # most open in each of the last 24 hours, oldest first; None: not counted
    folded: int = 0
    is_rest: bool = False  # also the flows of steps beyond those that the watcher counts by name


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all types. `counted_ns` is when (our clock); None where nobody has counted, or nothing is open."""

    open: int
    late: int
    stuck: int
    unknown: int
    paused: int
    counted_ns: int | None
    learning: int  # types without any learned deadline


def totals() -> Totals:
    return Totals(*rows_of(_TOTALS, [])[0])


def steps(at_ns: int) -> list[Step]:
    """The rows of the table, at most `MOST_ROWS`."""
    rows = rows_of(_STEPS, [STEPS_A_TYPE, MOST_ROWS])
    found = [_step(row) for row in rows]
    hours = _hours(found, at_ns)
    told = []
    for place, (step, row) in enumerate(zip(found, rows, strict=True)):
        is_last = place + 1 == len(rows) or rows[place + 1][:3] != row[:3]
        folded = row[11] - STEPS_A_TYPE if is_last and row[11] > STEPS_A_TYPE else 0
        drawn = hours.get((step.type, step.environment, step.step), ())
        told.append(replace(step, hours=drawn, folded=folded, is_rest=not step.step and row[11] > MOST_STEPS))
    return told


def _step(row: Sequence[Any]) -> Step:
    kind, type, environment = KIND_OF[row[0]], row[1], row[2]
    key = row[12]
    path = None if key is None else flow_url(kind, type, key, environment)
    usual = None if row[18] is None else _usual(row[18:23])
    awaited = [row[13] or "", row[14] or "", row[15] or ""]
    told = [kind, type, environment, *row[3:10], path, *awaited, *row[16:18], usual]
    return Step(*told)


def _usual(row: Sequence[Any]) -> Usual:
    passed, threshold_ns, level, is_end, told = row
    facts: Mapping[str, Any] = as_mapping(told)
    # What most flows need; the deadline itself is later, because it allows for what is not known.
    within = facts.get(level or "") if threshold_ns is not None else None
    return Usual(
        passed,
        within if isinstance(within, int) else threshold_ns,
        level,
        int(facts.get("needed") or 29),
        is_end,
        float(facts.get("plateau") or 0.0),
    )


def _hours(found: Sequence[Step], at_ns: int) -> dict[tuple[str, str, str], tuple[int | None, ...]]:
    end = at_ns // QUARTER_NS + 1
    first = end - HOURS * QUARTERS_AN_HOUR
    names = [[getattr(step, name) for step in found] for name in ("type", "environment", "step")]
    told: dict[tuple[str, str, str], list[int | None]] = {}
    for type, environment, step, hour, open in rows_of(_HOURS, [first, QUARTERS_AN_HOUR, *names, first, end]):
        told.setdefault((type, environment, step), [None] * HOURS)[hour] = open
    return {name: tuple(hours) for name, hours in told.items()}
