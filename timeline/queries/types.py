"""Types of entities and workflows as the watcher sees them: how many flows, where they stand, what is learned.

All of it is counted by the watcher (`tracing.watch.backlogs`, `.learning`) but the flows themselves, which are counted
here as far as `MOST_FLOWS` of a type. `timeline.views.types` shows it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import connection

from timeline.kinds import KIND_OF
from tracing.watch.standing import Way

MAX_TYPES = 200
MOST_FLOWS = 5_000

# A loose scan finds the types with one index probe each; then the newest flows of each are counted.
_FLOWS = """
WITH RECURSIVE types AS (
    (SELECT type FROM flow WHERE type = coalesce(%(type)s, type) ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT f.type FROM flow f WHERE f.type > types.type AND %(type)s::text IS NULL ORDER BY f.type LIMIT 1)
    FROM types WHERE types.type IS NOT NULL
)
SELECT newest.type, newest.environment, newest.kind, count(*), sum(count(*)) OVER (PARTITION BY newest.type) >= %(flows)s
FROM (SELECT type FROM types WHERE type IS NOT NULL LIMIT %(types)s) AS one, LATERAL (
    SELECT f.type, f.environment, f.kind FROM flow f WHERE f.type = one.type
    ORDER BY f.activity DESC, f.flow_id DESC LIMIT %(flows)s
) AS newest
GROUP BY 1, 2, 3
"""
# /types: where flows stand, by type.
_STANDING = """
SELECT type, environment, kind, sum(open), sum(late), sum(stuck), sum(open + ended), min(oldest_ns)
FROM backlog GROUP BY 1, 2, 3
"""
# /types: of how many steps enough is known. A beginning of a series is no step.
_LEARNED = """
SELECT type, environment, count(*), count(*) FILTER (WHERE is_end OR threshold_ns IS NOT NULL)
FROM learned WHERE step <> '' AND source <> 'series' GROUP BY 1, 2
"""
# /types/<type>: its steps.
_STEPS = """
SELECT step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns
FROM learned WHERE type = %s AND environment = %s
"""
# /types/<type>: who stands where, and who has stood there longest.
_BACKLOG = """
SELECT b.step, b.kind, b.open, b.ended, b.late, b.stuck, b.unknown, b.paused, b.oldest_ns, b.counted_ns, f.key
FROM backlog b LEFT JOIN flow f ON f.flow_id = b.oldest_id
WHERE b.type = %s AND b.environment = %s
"""


@dataclass(frozen=True, slots=True)
class TypeLine:
    """One type in one environment. `flows` is a least number where `is_cut`; None: the watcher has not counted yet."""

    type: str
    environment: str
    kind: str
    flows: int
    is_cut: bool
    open: int | None
    late: int | None
    stuck: int | None
    oldest_ns: int | None
    steps: int
    learned: int


@dataclass(frozen=True, slots=True)
class LearnedStep:
    """What is learned of a step, or of the type as a whole (empty `step`). Durations in nanoseconds."""

    step: str
    source: str  # state, milestone, series
    passed: int
    waiting: int
    threshold_ns: int | None
    level: str | None
    is_end: bool
    learned_ns: int
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ways(self) -> tuple[Way, ...]:
        told = self.facts.get("ways") or ()
        return tuple(Way(str(one["step"]), str(one["system"]), float(one["share"])) for one in told)

    @property
    def system(self) -> str:
        return str(self.facts.get("system") or "")

    @property
    def plateau(self) -> float:
        return float(self.facts.get("plateau") or 0.0)

    @property
    def share(self) -> float | None:
        share = self.facts.get("share")
        return None if share is None else float(share)

    @property
    def position(self) -> float | None:
        position = self.facts.get("position")
        return None if position is None else float(position)

    def length(self, name: str) -> int | None:
        """A duration of the facts: p50, p90, p95, p99, period_ns."""
        told = self.facts.get(name)
        return None if told is None else int(told)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many flows stand at a step, as the watcher counted them; the oldest's key, if it is still stored."""

    step: str
    kind: str
    open: int
    ended: int  # that ended there
    late: int
    stuck: int
    unknown: int
    paused: int
    oldest_ns: int | None
    counted_ns: int
    oldest_key: str | None


def type_lines(type: str | None = None) -> list[TypeLine]:
    """All types, or one, by environment; what waits longest overdue first, then by name."""
    with connection.cursor() as cursor:
        cursor.execute(_FLOWS, {"type": type, "types": MAX_TYPES, "flows": MOST_FLOWS})
        flows = {row[:3]: row[3:] for row in cursor.fetchall()}
        cursor.execute(_STANDING)
        standing = {row[:3]: row[3:] for row in cursor.fetchall() if type in (None, row[0])}
        cursor.execute(_LEARNED)
        learned = {row[:2]: row[2:] for row in cursor.fetchall()}
    lines = [
        _line(place, flows.get(place), standing.get(place), learned.get(place[:2], (0, 0)))
        for place in flows.keys() | standing.keys()
    ]
    return sorted(
        lines, key=lambda line: (-(line.stuck or 0), -(line.late or 0), line.type, line.environment)
    )


def _line(
    place: tuple[str, str, int],
    flows: Sequence[Any] | None,
    standing: Sequence[Any] | None,
    learned: Sequence[int],
) -> TypeLine:
    type, environment, kind = place
    count, is_cut = flows or (0, False)
    open, late, stuck, judged = (
        None if value is None else int(value) for value in (standing or (None,) * 4)[:4]
    )
    if is_cut and judged is not None and judged >= count:
        # The judge has a row of every flow.
        count, is_cut = judged, False
    oldest_ns = standing[4] if standing else None
    return TypeLine(
        type, environment, KIND_OF[kind], count, is_cut, open, late, stuck, oldest_ns, learned[0], learned[1]
    )


def learned_steps(type: str, environment: str) -> list[LearnedStep]:
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [type, environment])
        rows = cursor.fetchall()
    return [
        LearnedStep(
            step, source, passed, waiting, threshold_ns, level, is_end, learned_ns, orjson.loads(facts)
        )
        for step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns in rows
    ]


def standings(type: str, environment: str) -> list[Standing]:
    with connection.cursor() as cursor:
        cursor.execute(_BACKLOG, [type, environment])
        return [Standing(row[0], KIND_OF[row[1]], *row[2:]) for row in cursor.fetchall()]
