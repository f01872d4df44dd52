"""Milestones that take longer than they ever do: the median of a quarter of an hour beyond the 99th percentile before.

Twenty samples now and three hundred before are needed. What is usual is learned from the latest minutes before this
hour, up to fifteen days back, once an hour and operation, and kept in the process.
"""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

import psycopg

from tracing.watch import buckets
from tracing.watch.finding import WARNING, Finding
from tracing.watch.titles import lasting

MINUTE_NS = 60_000_000_000
WINDOW, STALE, HOUR = 15, 15, 60  # minutes
FEWEST_NOW, FEWEST_BEFORE = 20, 300
MINUTES_BEFORE = 3_000
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
# How long it took before this hour, bucket by bucket.
_BEFORE: LiteralString = """
SELECT n::integer, sum(count)::bigint FROM (
    SELECT lengths FROM volume WHERE service = %(service)s AND environment = %(environment)s
        AND operation = %(operation)s AND minute < %(until)s ORDER BY minute DESC LIMIT %(minutes)s
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
    found = []
    for step, minutes in recent.items():
        if sum(sum(lengths) for _, lengths in minutes) >= FEWEST_NOW:
            finding = judged(step, minutes, usual_of(connection, step, now // HOUR))
            found += [finding] if finding else []
    _forget(now // HOUR)
    return found


def usual_of(connection: psycopg.Connection, step: Step, hour: int) -> Usual:
    """What the operation took before this hour began; learned once an hour."""
    kept = _usual.get(step)
    if kept is None or kept[0] != hour:
        asked = {**step._asdict(), "until": hour * HOUR - HOUR, "minutes": MINUTES_BEFORE}
        counts = [0] * buckets.BUCKETS
        for place, count in connection.execute(_BEFORE, asked):
            counts[min(place - 1, buckets.BUCKETS - 1)] += count
        kept = _usual[step] = hour, learned(counts)
    return kept[1]


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
        why=f"Half of {sum(counts):,} took longer than {_words(median_ns)}; before, 99 % of {usual.samples:,} "
        f"took less than {_words(usual.p99_ns)}, half of them {_words(usual.p50_ns)}.",
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


def _words(duration_ns: int) -> str:
    return lasting(duration_ns) if duration_ns >= 10**9 else f"{max(1, round(duration_ns / 10**6))} ms"


def _forget(hour: int) -> None:
    for step in [step for step, kept in _usual.items() if kept[0] != hour]:
        del _usual[step]
