"""Reads what the judge knows beside the flows (`lore`): learned paces, people's words, blindness, delays.

A few small tables, read whole once a round. One row that cannot be used is left out and logged, the others count.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import psycopg

from tracing.lengths import DAY_NS, SECOND_NS
from tracing.watch import sight, volumes
from tracing.watch.calendars import Calendar
from tracing.watch.customs import Customs
from tracing.watch.lore import Lore, PaceKey, Pause
from tracing.watch.rulings import Ruling
from tracing.watch.standing import Pace, Way

logger = logging.getLogger(__name__)
Value = TypeVar("Value")

# How far back blindness matters: as far as what is learned.
LOOKED_BACK_NS = 15 * DAY_NS
# Delays are counted over a day of minutes: half a minute changes nothing.
COUNTED_NS = 30 * SECOND_NS

_LEARNED = """
SELECT type, environment, step, source, passed, waiting, threshold_ns, level, is_end, facts FROM learned
WHERE source <> 'series'
"""
_LEARNED_VERSION = "SELECT max(learned_ns), count(*), sum(passed + waiting) FROM learned"
_CUSTOMS = "SELECT type, good_ends, bad_ends, owner, answers FROM tracing_typesettings"
_RULES = """
SELECT r.type, r.environment, r.step, r.awaited_step, r.awaited_system, r.within_s, r.grace_s, r.from_start, r.subject,
    c.zone, c.hours, c.holidays
FROM tracing_expectationrule r LEFT JOIN tracing_calendar c ON c.id = r.calendar_id WHERE r.enabled ORDER BY r.id
"""
_PAUSES = """
SELECT service, type, environment, from_ns, until_ns, reason, name FROM tracing_maintenance WHERE until_ns > %s
"""
# Both kinds of sign together: a share of dropped traces beyond a stray flag.
_SAMPLED = """
SELECT service, environment FROM tracing_sender GROUP BY 1, 2
HAVING sum(sampled_spans) > 0.01 * sum(accepted_spans)
"""


class Library:
    """Reads what the judge knows, round by round. What people say is read each time; what is counted, when it may be another."""

    def __init__(self) -> None:
        self._read_ns: int | None = None
        self._delays: dict[tuple[str, str], int] = {}
        self._sampled: frozenset[tuple[str, str]] = frozenset()
        self._learned: tuple[object, ...] = ()
        self._paces: dict[PaceKey, Pace] = {}

    def load(self, connection: psycopg.Connection, now_ns: int) -> Lore:
        """Everything, as of now."""
        if self._read_ns is None or not 0 <= now_ns - self._read_ns < COUNTED_NS:
            self._delays = volumes.delay_p99(connection)
            self._sampled = frozenset((row[0], row[1]) for row in connection.execute(_SAMPLED).fetchall())
            self._read_ns = now_ns
        version = connection.execute(_LEARNED_VERSION).fetchone() or ()
        if version != self._learned:
            self._paces, self._learned = paces(connection), version
        return Lore(
            paces=self._paces,
            custom=customs(connection),
            rulings=rulings(connection),
            pauses=[
                Pause(*row) for row in connection.execute(_PAUSES, (now_ns - LOOKED_BACK_NS,)).fetchall()
            ],
            blind=sight.blind(connection, now_ns - LOOKED_BACK_NS, now_ns),
            delays=self._delays,
            sampled=self._sampled,
        )


def load(connection: psycopg.Connection, now_ns: int) -> Lore:
    """Everything, read anew."""
    return Library().load(connection, now_ns)


def paces(connection: psycopg.Connection) -> dict[PaceKey, Pace]:
    """What was learned, by type, environment, step and source."""
    found: dict[PaceKey, Pace] = {}
    for type, environment, step, source, *rest in connection.execute(_LEARNED).fetchall():
        found[type, environment, step, source] = as_pace(*rest)
    return found


def as_pace(
    passed: int, waiting: int, threshold: int | None, level: str | None, is_end: bool, facts: dict[str, Any]
) -> Pace:
    """A row of `learned` as a value."""
    return Pace(
        passed, waiting,
        p50=facts.get("p50"), p90=facts.get("p90"), p95=facts.get("p95"), p99=facts.get("p99"),
        threshold=threshold, level=level, needed=facts.get("needed", 29), is_end=is_end,
        plateau=facts.get("plateau", 0.0), quiet=facts.get("quiet", False),
        ways=tuple(Way(one["step"], one["system"], one["share"]) for one in facts.get("ways", ())),
    )  # fmt: skip


def customs(connection: psycopg.Connection) -> dict[str, Customs]:
    """What people confirmed of each type."""
    return dict(_usable(connection.execute(_CUSTOMS).fetchall(), _customs))


def _customs(row: tuple[Any, ...]) -> tuple[str, Customs]:
    type, good, bad, owner, answers = row
    return type, Customs(
        None if good is None else frozenset(good), None if bad is None else frozenset(bad), owner, answers
    )


def rulings(connection: psycopg.Connection) -> dict[str, list[Ruling]]:
    """The rules in force, by type."""
    found: dict[str, list[Ruling]] = {}
    for rule in _usable(connection.execute(_RULES).fetchall(), _ruling):
        found.setdefault(rule.type, []).append(rule)
    return found


def _ruling(row: tuple[Any, ...]) -> Ruling:
    type, environment, step, awaited, system, within, grace, from_start, subject, zone, hours, holidays = row
    calendar = None if zone is None else Calendar(zone, hours, tuple(holidays))
    return Ruling(
        type, environment, step, awaited, system, int(within * SECOND_NS), int(grace * SECOND_NS),
        from_start, subject == "series", calendar,
    )  # fmt: skip


def _usable(rows: Iterable[tuple[Any, ...]], make: Callable[[tuple[Any, ...]], Value]) -> list[Value]:
    found = []
    for row in rows:
        try:
            found.append(make(row))
        except (ValueError, TypeError, KeyError):
            logger.exception("what was set for %s cannot be used and is left out", row[0])
    return found
