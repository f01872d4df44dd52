"""All detectors, and one look of each: what is wrong now, as findings.

A detector is a noun a file with `find(connection, now_ns) -> list[Finding]`. It keeps nothing, reads what it may read
within a few seconds, and says in `evidence["cut"]` where that was not all. One that fails stops no other.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from weakref import WeakKeyDictionary

import psycopg

from tracing.lengths import SECOND_NS
from tracing.watch.detectors import (
    conflict,
    duplicate,
    failed,
    orphan_message,
    retry_storm,
    series,
    silent_service,
    slow,
    waits,
)
from tracing.watch.finding import Finding, Unfinished

logger = logging.getLogger(__name__)

PATIENCE_MS = 5_000
# A look that took longer rests for ten times as long: in an outage much is wrong, and each look reads it all.
LONG_S, LONGER = 0.5, 10

Find = Callable[[psycopg.Connection, int], list[Finding]]


class Detector(NamedTuple):
    """`kinds` are those of its findings, all of them: what it does not find of these is not there."""

    name: str
    kinds: tuple[str, ...]
    find: Find
    every_s: float = 0.0  # asked no more often; what reads much is asked seldom


DETECTORS: tuple[Detector, ...] = (
    Detector("waits", ("late", "stuck", "abandoned_retry"), waits.find),
    Detector("series", ("late", "stuck"), series.find),
    Detector("failed", ("failed",), failed.find, every_s=4.0),
    Detector("conflict", ("conflict",), conflict.find, every_s=10.0),
    Detector("silent_service", ("silent_service",), silent_service.find, every_s=20.0),
    Detector("retry_storm", ("retry_storm",), retry_storm.find, every_s=20.0),
    Detector("slow", ("slow",), slow.find, every_s=60.0),
    Detector("duplicate", ("duplicate",), duplicate.find, every_s=60.0),
    Detector("orphan_message", ("orphan_message",), orphan_message.find, every_s=60.0),
)


@dataclass(slots=True)
class Answers:
    """`kinds` were looked for; of those in `cut` more was found than could be read."""

    findings: list[Finding] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)


# By watcher and name: when it was asked last (our clock). And which failed last time: each failure is told once.
_asked: WeakKeyDictionary[psycopg.Connection, dict[str, int]] = WeakKeyDictionary()
_failing: set[str] = set()
# By watcher and name: from when to when it rests (our clock).
_resting: WeakKeyDictionary[psycopg.Connection, dict[str, tuple[int, int]]] = WeakKeyDictionary()


def ask(connection: psycopg.Connection, now_ns: int, detectors: Sequence[Detector] = DETECTORS) -> Answers:
    """Every detector whose time has come. `connection` is in autocommit."""
    answers = Answers()
    left: set[str] = set()
    asked = _asked.setdefault(connection, {})
    for detector in detectors:
        if not 0 <= now_ns - asked.get(detector.name, -1) < detector.every_s * SECOND_NS:
            found = _look(connection, detector, now_ns)
            if found is None:
                left |= set(detector.kinds)
            else:
                asked[detector.name] = now_ns
                answers.findings += found
                answers.kinds |= set(detector.kinds)
                if any(finding.evidence.get("cut") for finding in found):
                    answers.cut |= set(detector.kinds)
    # What two look for is known only where both looked.
    answers.kinds -= left
    return answers


def _look(connection: psycopg.Connection, detector: Detector, now_ns: int) -> list[Finding] | None:
    """None where it rests, was not finished or failed: then nothing is known of its kinds."""
    resting = _resting.setdefault(connection, {})
    since_ns, until_ns = resting.get(detector.name, (0, 0))
    if since_ns <= now_ns < until_ns:
        return None
    began = time.monotonic()
    found = _try(connection, detector, now_ns)
    took_s = time.monotonic() - began
    if took_s > LONG_S:
        resting[detector.name] = now_ns, now_ns + round(took_s * LONGER * SECOND_NS)
    return found


def _try(connection: psycopg.Connection, detector: Detector, now_ns: int) -> list[Finding] | None:
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL statement_timeout = {PATIENCE_MS}".encode())
            found = detector.find(connection, now_ns)
    except Unfinished:
        return None
    except Exception as error:
        if connection.closed:
            raise
        if detector.name not in _failing:
            away = isinstance(error, psycopg.OperationalError)
            logger.error(
                "The detector %s failed; its problems stay as they are: %s",
                detector.name,
                error,
                exc_info=not away,
            )
        _failing.add(detector.name)
        return None
    _failing.discard(detector.name)
    return found
