"""The garbage collector held back while a large flow is laid out.

Laying out makes hundreds of thousands of small values and no circles among them; looking through them again and again
takes 40 % of the time of a page of 100,000 spans (measured). Counted references free them all the same.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_holding = 0


@contextmanager
def collector_held() -> Iterator[None]:
    """May be entered by several threads at once; the last one out lets the collector go on."""
    global _holding
    with _lock:
        _holding += 1
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            _holding -= 1
            if not _holding:
                gc.enable()
