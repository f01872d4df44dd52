"""Spans looked up by what tells them apart: trace, span id and the beginning of the digest.

The few spans behind some rows of a table that `queries.skeleton` has read. They were read as of a snapshot already, and
a record never changes, so here no snapshot is asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from timeline.layout.tables import Table
from timeline.queries.bound import fetched
from tracing import arrays
from tracing.records import DAY_NS

Key = tuple[bytes, bytes, bytes]  # trace id, span id, first 8 bytes of the digest

# OFFSET 0 keeps this a look-up by primary key for each span, whatever the planner knows of today's partition.
LOOK_UP = """
    SELECT nth - 1, told.*
    FROM unnest(%(traces)b::bytea[], %(ids)b::bytea[], %(digests)b::bytea[]) WITH ORDINALITY
        AS wanted(trace_id, span_id, digest, nth)
    CROSS JOIN LATERAL (
        SELECT {columns} FROM span WHERE span.trace_id = wanted.trace_id AND span.span_id = wanted.span_id
            AND substr(span.digest, 1, 8) = wanted.digest AND day = ANY(%(days)s) OFFSET 0
    ) AS told"""


def keys(spans: Table, traces: Sequence[bytes]) -> Iterator[Key]:
    """The key of each row; `traces` are what its column `trace` counts."""
    for trace, span_id, digest in spans[["trace", "span_id", "digest"]].tolist():
        yield traces[trace], int(span_id).to_bytes(8, "big"), int(digest).to_bytes(8, "big")


def look_up(columns: str, spans: Table, traces: Sequence[bytes]) -> list[tuple[Any, ...]]:
    """For each of these rows its place among them and the columns asked for, jsonb as text; none for records that are gone."""
    if not len(spans):
        return []
    packed = arrays.columns("bbb", keys(spans, traces))
    asked: dict[str, Any] = dict(zip(("traces", "ids", "digests"), packed, strict=True))
    days = np.unique(spans["start"] // DAY_NS).tolist()
    return fetched(LOOK_UP.format(columns=columns), asked | {"days": days})
