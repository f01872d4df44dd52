"""Counts of durations in 80 buckets of equal width on a logarithmic scale (pure).

Bucket 0 holds everything up to 1 ms, zero and negative durations (skewed clocks) too; each further one reaches
1.32 times as far; bucket 79 ends, by name, at 40 days and holds everything longer. A bucket holds its upper edge.
`volume.lengths`, `arrival.delays` and the curves of `survival` are kept in them; counts of two are added place by place.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from tracing.buckets import BUCKETS, EDGES, LONGEST_NS, RATIO, SHORTEST_NS, bucket_of, edge_ns

__all__ = [
    "BUCKETS",
    "EDGES",
    "LONGEST_NS",
    "RATIO",
    "SHORTEST_NS",
    "added",
    "bucket_of",
    "buckets_of",
    "counts_of",
    "edge_ns",
    "quantile_ns",
]

_EDGES = np.array(EDGES, dtype=np.float64)

Counts = Sequence[int] | NDArray[np.int64]
Durations = Sequence[int] | NDArray[np.int64]


def buckets_of(durations_ns: Durations) -> NDArray[np.int64]:
    """`bucket_of` for many at once."""
    found = np.searchsorted(_EDGES, np.asarray(durations_ns, dtype=np.float64), side="left")
    return np.minimum(found, BUCKETS - 1).astype(np.int64)


def counts_of(durations_ns: Durations) -> list[int]:
    """How many of the durations lie in each bucket."""
    counts: list[int] = np.bincount(buckets_of(durations_ns), minlength=BUCKETS).tolist()
    return counts


def added(many: Iterable[Counts]) -> list[int]:
    """The sum of several counts. One that is shorter than 80 counts as zero where it ends; of none, all zero."""
    total = np.zeros(BUCKETS, dtype=np.int64)
    for counts in many:
        total[: len(counts)] += np.asarray(counts, dtype=np.int64)
    summed: list[int] = total.tolist()
    return summed


def quantile_ns(counts: Counts, share: float) -> int | None:
    """The duration within which `share` (0 to 1) of the counted lie, in nanoseconds; None where nothing is counted.

    Exactly: in the first bucket with which at least `share` of the total is reached, the point between its edges that
    lies, on the logarithmic scale, as far as the wanted count lies between the counts before and with that bucket; its
    upper edge where the whole bucket is wanted. So it errs by less than one bucket (a factor of 1.32), never falls
    as `share` rises, and says at most 40 days.
    """
    reached = np.cumsum(np.asarray(counts, dtype=np.float64))
    if not len(reached) or reached[-1] <= 0:
        return None
    wanted = min(max(share, 0.0), 1.0) * reached[-1]
    # Of an empty beginning nothing is wanted: share 0 is the lower edge of the first bucket that holds anything.
    bucket = max(int(np.searchsorted(reached, wanted)), int(np.argmax(reached > 0)))
    before = float(reached[bucket - 1]) if bucket else 0.0
    part = (wanted - before) / (float(reached[bucket]) - before)
    exponent: float = min(max(part, 0.0), 1.0) - 1.0
    return round(EDGES[bucket] * float(RATIO**exponent))
