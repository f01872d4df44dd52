"""80 buckets of durations, of equal width on a logarithmic scale (pure).

Bucket 0 holds everything up to 1 ms, zero and negative durations (skewed clocks) too; each further one reaches
1.32 times as far; bucket 79 ends, by name, at 40 days and holds everything longer. A bucket holds its upper edge.
Without numpy, because receivers fill them; `watch.buckets` counts in them.
"""

from bisect import bisect_left

BUCKETS = 80
SHORTEST_NS = 1_000_000
LONGEST_NS = 40 * 86_400 * 1_000_000_000
RATIO = (LONGEST_NS / SHORTEST_NS) ** (1 / (BUCKETS - 1))
EDGES: tuple[int, ...] = (*(round(SHORTEST_NS * RATIO**place) for place in range(BUCKETS - 1)), LONGEST_NS)


def edge_ns(bucket: int) -> int:
    """The upper edge in nanoseconds; of the last one 40 days, although it holds what is longer."""
    return EDGES[bucket]


def bucket_of(duration_ns: int) -> int:
    """The bucket of a duration in nanoseconds."""
    return min(bisect_left(EDGES, duration_ns), BUCKETS - 1)
