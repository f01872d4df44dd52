"""Milestones that take longer than they ever do: the median of a quarter of an hour beyond the 99th percentile before.

Twenty samples now and three hundred before are needed. What is usual is learned from the minutes before this time on each
of the days that are kept, this hour left out; once an hour and operation, and kept in the process.
"""

import time
from collections.abc import Iterable, Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.lengths import MINUTE_NS, spoken
from tracing.watch import buckets
from tracing.watch.finding import WARNING, Finding, Unfinished

WINDOW, STALE, HOUR = 15, 15, 60  # minutes
FEWEST_NOW, FEWEST_BEFORE = 20, 300
DAYS, MINUTES_A_DAY, DAY = 14, 60, 1_440
# Learning reads much: a look does some of it, the next goes on.
PATIENCE_S = 1.0
MOST_OPERATIONS = 2_000

# Each operation's latest quarter of an hour by the sender's clock, where that is recent.
_NOW: LiteralString = """
WITH latest AS (
    SELECT service, environment, operation, max(minute) AS last FROM volume
    WHERE operation <> '' AND lengths <> '{}' AND minute > %(now)s - %(stale)s AND minute <= %(now)s + 1
    GROUP BY service, environment, operation LIMIT %(most)s
)
SELECT service, environment, operation, minute, lengths FROM latest JOIN volume USING (service, environment, operation)
WHERE minute > last - %(window)s AND minute <= last AND lengths <> '{}' ORDER BY service, environment, operation, minute
"""
# How long it took before this time of each day, bucket by bucket; where it is rare, in the whole day before.
_BEFORE: LiteralString = """
SELECT n::integer, sum(count)::bigint FROM generate_series(0, %(days)s - 1) AS ago CROSS JOIN LATERAL (
    SELECT lengths FROM volume WHERE service = %(service)s AND environment = %(environment)s
        AND operation = %(operation)s AND minute < %(until)s - ago * %(day)s
        AND minute >= %(until)s - (ago + 1) * %(day)s
    ORDER BY minute DESC LIMIT %(minutes)s
) AS earlier, unnest(lengths) WITH ORDINALITY AS u (count, n) GROUP BY n ORDER BY n
"""


class Step(NamedTuple):
    service: str
    environment: str
    operation: str


class Usual(NamedTuple):
    """`p50_ns` and `p99_ns` of `samples`; None where there are too few."""

    samples: int
    p50_ns: int | None
    p99_ns: int | None


Minutes = list[tuple[int, Sequence[int]]]
# By operation: the hour for which it was learned, and what.
_usual: dict[Step, tuple[int, Usual]] = {}


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    now = now_ns // MINUTE_NS
    asked = {"now": now, "stale": STALE, "window": WINDOW, "most": MOST_OPERATIONS}
    recent: dict[Step, Minutes] = {}
    for service, environment, operation, minute, lengths in connection.execute(_NOW, asked):
        recent.setdefault(Step(service, environment, operation), []).append((minute, lengths))
    enough = {
        step: minutes for step, minutes in recent.items() if sum(sum(one) for _, one in minutes) >= FEWEST_NOW
    }
    learn(connection, enough, now // HOUR)
    found = (judged(step, minutes, _usual[step][1]) for step, minutes in enough.items())
    return [finding for finding in found if finding is not None]


def learn(connection: psycopg.Connection, steps: Iterable[Step], hour: int) -> None:
    """Know what is usual of each before this hour. What is old does until its turn comes; raises Unfinished without any."""
    _forget(hour)
    until = time.monotonic() + PATIENCE_S
    for step in sorted(steps, key=lambda step: _usual.get(step, (0,))[0]):
        if _usual.get(step, (None,))[0] == hour or time.monotonic() > until:
            break
        _usual[step] = hour, learned(_before(connection, step, hour * HOUR - HOUR))
    if any(step not in _usual for step in steps):
        raise Unfinished


def _before(connection: psycopg.Connection, step: Step, until: int) -> list[int]:
    asked = {**step._asdict(), "until": until, "days": DAYS, "day": DAY, "minutes": MINUTES_A_DAY}
    counts = [0] * buckets.BUCKETS
    for place, count in connection.execute(_BEFORE, asked):
        counts[min(place - 1, buckets.BUCKETS - 1)] += count
    return counts


def learned(counts: Sequence[int]) -> Usual:
    samples = sum(counts)
    if samples < FEWEST_BEFORE:
        return Usual(samples, None, None)
    return Usual(samples, buckets.quantile_ns(counts, 0.5), buckets.quantile_ns(counts, 0.99))


def judged(step: Step, minutes: Minutes, usual: Usual) -> Finding | None:
    """A finding where the usual is known and the median of these minutes is beyond it."""
    counts = buckets.added(lengths for _, lengths in minutes)
    median_ns = buckets.quantile_ns(counts, 0.5)
    if usual.p99_ns is None or usual.p50_ns is None or median_ns is None or median_ns <= usual.p99_ns:
        return None
    slow = [minute for minute, lengths in minutes if (buckets.quantile_ns(lengths, 0.5) or 0) > usual.p99_ns]
    since = min(slow, default=minutes[0][0])
    return Finding(
        kind="slow",
        type="",
        environment=step.environment,
        step=step.operation,
        system=step.service,
        title=f"{step.operation} is slow in {step.service}",
        why=f"Half of {sum(counts):,} took longer than {spoken(median_ns)}; before, 99 % of {usual.samples:,} "
        f"took less than {spoken(usual.p99_ns)}, half of them {spoken(usual.p50_ns)}.",
        severity=WARNING,
        since_ns=since * MINUTE_NS,
        last_ns=(minutes[-1][0] + 1) * MINUTE_NS - 1,
        bad_looks=2,
        good_looks=3,
        evidence={
            "median_ns": median_ns,
            "samples": sum(counts),
            "p50_ns": usual.p50_ns,
            "p99_ns": usual.p99_ns,
            "passed": usual.samples,
        },
    )


def _forget(hour: int) -> None:
    for step in [step for step, kept in _usual.items() if not hour - 2 <= kept[0] <= hour]:
        del _usual[step]
