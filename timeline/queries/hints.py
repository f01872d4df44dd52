"""The attributes and events of the few spans that say which try they are, what they deliver or since when they waited.

`tracing.facts` marked them when they were stored; `timeline.layout.hints` understands them.
"""

from collections.abc import Sequence

import numpy as np
import orjson

from timeline.layout.hints import Hint, hint_of
from timeline.layout.tables import Table
from timeline.queries.bound import fetched
from tracing import arrays
from tracing.facts import ATTEMPT, DELIVERY, OUTCOME, PENDING, WAIT
from tracing.values import plain

TELLING = ATTEMPT | DELIVERY | OUTCOME | PENDING | WAIT
MOST = 50_000  # spans of one flow; what the rest would tell is left unsaid

# These spans were read as of a snapshot already, and a record never changes; OFFSET 0 as in `timeline.queries.details`.
HINTS = """
    SELECT nth - 1, told.attributes, told.events, told.start_ns
    FROM unnest(%(traces)b::bytea[], %(ids)b::bytea[], %(digests)b::bytea[]) WITH ORDINALITY
        AS wanted(trace_id, span_id, digest, nth)
    CROSS JOIN LATERAL (
        SELECT attributes, events, start_ns FROM span WHERE span.trace_id = wanted.trace_id
            AND span.span_id = wanted.span_id AND substr(span.digest, 1, 8) = wanted.digest AND day = ANY(%(days)s) OFFSET 0
    ) AS told"""


def read_hints(spans: Table, traces: Sequence[bytes], days: Sequence[int]) -> dict[int, Hint]:
    """Hints by row, of those spans that give one."""
    rows = np.flatnonzero((spans["facts"] & TELLING) != 0)[:MOST]
    if not len(rows):
        return {}
    packed = arrays.columns(
        "bbb",
        (
            (traces[trace], int(span_id).to_bytes(8, "big"), int(digest).to_bytes(8, "big"))
            for trace, span_id, digest in spans[rows][["trace", "span_id", "digest"]].tolist()
        ),
    )
    asked = dict(zip(("traces", "ids", "digests"), packed, strict=True))
    found = {}
    for nth, attributes, events, start_ns in fetched(HINTS, asked | {"days": list(days)}):
        told = [(str(one.get("name")), int(one["time"])) for one in orjson.loads(events)] if events else []
        hint = hint_of(plain(orjson.loads(attributes)), told, start_ns)
        if any(hint):
            found[int(rows[nth])] = hint
    return found
