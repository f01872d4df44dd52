"""Whether a flow's senders sample: what is missing may then never have been sent.

A sampler's decision is of a whole trace and travels with it, so the first span of each tells it.
"""

from typing import NamedTuple

import numpy as np

from timeline.layout.forest import Forest
from timeline.layout.order import TOP
from timeline.queries.bykey import look_up
from tracing.senders import is_sampled, kept_share

MOST = 50  # traces that are looked at


class Sampling(NamedTuple):
    """Of how many traces that were looked at; `share` is the smallest that is kept, None where nobody says it."""

    traces: int
    sampled: int
    share: float | None


def read_sampling(forest: Forest) -> Sampling:
    tops = np.flatnonzero(forest.kin.parents == TOP)
    _, firsts = np.unique(forest.spans["trace"][tops], return_index=True)
    told = [
        row[1:]
        for row in look_up("trace_state, flags", forest.spans[tops[firsts[:MOST]]], forest.tables.traces)
    ]
    sampled = [state for state, flags in told if is_sampled(state, flags)]
    shares = [share for state in sampled if (share := kept_share(state)) is not None]
    return Sampling(len(told), len(sampled), min(shares, default=None))
