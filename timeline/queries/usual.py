"""How long operations usually take: from a sample of the latest spans, for all operations at once.

A sample of pages is read at most every ten minutes and kept, so that a page says "usually 200 ms" without a query of its
own. What is seldom is not in it, and nothing is said of it. Operations are hashes as `queries.skeleton` reads them.
"""

import threading
import time
from dataclasses import dataclass

import numpy as np
from django.db import DatabaseError, connection

from timeline.queries.skeleton import SPAN_FIELDS

SAMPLE = 40_000  # spans, about
LEAST = 20  # of one operation, before anybody says what is usual
FRESH_S = 600.0
DAYS = 2  # the latest that hold spans

# `reltuples` is what the last analysis counted; of a day that is young it says nothing, and all of it is small.
SIZES = """
    SELECT day, c.oid::regclass::text, greatest(c.reltuples, 0), pg_relation_size(c.oid)
    FROM day JOIN pg_class c ON c.relname = 'span_d' || day WHERE pg_relation_size(c.oid) > 0
    ORDER BY day DESC LIMIT %s"""
SPANS = (
    f"SELECT {SPAN_FIELDS['operation']}, end_ns - start_ns FROM {{table}} TABLESAMPLE SYSTEM (%s)"
    " WHERE end_ns >= start_ns LIMIT %s"
)
BYTES_A_SPAN = 700


@dataclass(frozen=True, slots=True)
class Usual:
    """Of one operation: the median, what 95 of 100 stay below, and of how many spans."""

    median_ns: int
    p95_ns: int
    count: int


class Usuals:
    """What is usual, renewed now and then; one for all threads of a process."""

    def __init__(self, fresh_s: float = FRESH_S) -> None:
        self._fresh_s = fresh_s
        self._lock = threading.Lock()
        self._read_at = -fresh_s - 1
        self._told: dict[int, Usual] = {}

    def get(self) -> dict[int, Usual]:
        """By the hash of the operation."""
        with self._lock:
            if time.monotonic() - self._read_at > self._fresh_s:
                self._told = read_usual()
                self._read_at = time.monotonic()
            return self._told


def read_usual() -> dict[int, Usual]:
    """Empty where too little is stored; a day that retention takes meanwhile leaves everything unsaid until the next time."""
    rows: list[tuple[bytes, int]] = []
    try:
        with connection.cursor() as cursor:
            cursor.execute(SIZES, [DAYS])
            for _, table, counted, size in cursor.fetchall():
                count = max(counted, size / BYTES_A_SPAN)
                cursor.execute(
                    SPANS.format(table=table), [min(100.0, 100.0 * SAMPLE / max(count, 1.0)), SAMPLE]
                )
                rows += cursor.fetchall()
    except DatabaseError:
        return {}
    return _usual(rows)


def _usual(rows: list[tuple[bytes, int]]) -> dict[int, Usual]:
    if not rows:
        return {}
    operations = np.array([int.from_bytes(bytes(row[0]), "big", signed=True) for row in rows], np.int64)
    lengths = np.array([row[1] for row in rows], np.int64)
    order = np.lexsort((lengths, operations))
    operations, lengths = operations[order], lengths[order]
    begins = np.flatnonzero(np.concatenate(([True], operations[1:] != operations[:-1])))
    counts = np.diff(np.append(begins, len(operations)))
    return {
        int(operations[begin]): Usual(
            int(lengths[begin + count // 2]),
            int(lengths[begin + min(count - 1, count * 95 // 100)]),
            int(count),
        )
        for begin, count in zip(begins.tolist(), counts.tolist(), strict=True)
        if count >= LEAST
    }


USUALS = Usuals()
