"""Whether a flow's senders sample: what is missing may then never have been sent.

A sampler's decision is of a whole trace and travels with it, so the first span of each tells it.
"""

from typing import NamedTuple

import numpy as np

from timeline.layout.forest import Forest
from timeline.layout.order import TOP
from timeline.queries.bound import fetched
from timeline.queries.links import key_of_row
from tracing import arrays
from tracing.records import day_of
from tracing.senders import is_sampled, kept_share

MOST = 50  # traces that are looked at
# OFFSET 0 as in `timeline.queries.details`.
STATES = """
    SELECT told.trace_state, told.flags
    FROM unnest(%(traces)b::bytea[], %(ids)b::bytea[], %(digests)b::bytea[]) AS wanted(trace_id, span_id, digest)
    CROSS JOIN LATERAL (
        SELECT trace_state, flags FROM span WHERE span.trace_id = wanted.trace_id AND span.span_id = wanted.span_id
            AND substr(span.digest, 1, 8) = wanted.digest AND day = ANY(%(days)s) OFFSET 0
    ) AS told"""


class Sampling(NamedTuple):
    """Of how many traces that were looked at; `share` is the smallest that is kept, None where nobody says it."""

    traces: int
    sampled: int
    share: float | None


def read_sampling(forest: Forest) -> Sampling:
    tops = np.flatnonzero(forest.kin.parents == TOP)
    _, firsts = np.unique(forest.spans["trace"][tops], return_index=True)
    rows = tops[firsts[:MOST]].tolist()
    if not rows:
        return Sampling(0, 0, None)
    packed = arrays.columns("bbb", (key_of_row(forest, row) for row in rows))
    days = sorted({day_of(int(forest.spans[row]["start"])) for row in rows})
    told = fetched(STATES, dict(zip(("traces", "ids", "digests"), packed, strict=True)) | {"days": days})
    sampled = [state for state, flags in told if is_sampled(state, flags)]
    shares = [share for state in sampled if (share := kept_share(state)) is not None]
    return Sampling(len(told), len(sampled), min(shares, default=None))
