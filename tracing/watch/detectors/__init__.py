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

from tracing.watch.detectors import (
    conflict,
    duplicate,
    failed,
    orphan_message,
    retry_storm,
    silent_service,
    slow,
    waits,
)
from tracing.watch.finding import Finding, Unfinished

logger = logging.getLogger(__name__)

PATIENCE_MS = 5_000
SECOND_NS = 1_000_000_000
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


# By watcher and name: when it is asked next, and not before (our clock). And which failed last time: each failure is told once.
_waiting: WeakKeyDictionary[psycopg.Connection, dict[str, tuple[int, int]]] = WeakKeyDictionary()
_failing: set[str] = set()


def ask(connection: psycopg.Connection, now_ns: int, detectors: Sequence[Detector] = DETECTORS) -> Answers:
    """Every detector whose time has come. `connection` is in autocommit."""
    answers = Answers()
    waiting = _waiting.setdefault(connection, {})
    for detector in detectors:
        since_ns, until_ns = waiting.get(detector.name, (0, 0))
        if not since_ns <= now_ns < until_ns:
            began = time.monotonic()
            found = _look(connection, detector, now_ns)
            pause_s = max(detector.every_s, _rest_s(time.monotonic() - began))
            if found is not None:
                waiting[detector.name] = now_ns, now_ns + round(pause_s * SECOND_NS)
                answers.findings += found
                answers.kinds |= set(detector.kinds)
                if any(finding.evidence.get("cut") for finding in found):
                    answers.cut |= set(detector.kinds)
    return answers


def _rest_s(took_s: float) -> float:
    """How long a look that took long is followed by none: in an outage much is wrong, and each look reads it all."""
    return took_s * LONGER if took_s > LONG_S else 0.0


def _look(connection: psycopg.Connection, detector: Detector, now_ns: int) -> list[Finding] | None:
    """None where it failed: then nothing is known of its kinds."""
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
