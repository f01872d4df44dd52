"""Our clock: when something arrived or was judged, never when a sender says it happened.

One function, so that tests and the demo can hold time still; the sender's times come with the records.
"""

import time


def now_ns() -> int:
    """Unix nanoseconds, now."""
    return time.time_ns()
