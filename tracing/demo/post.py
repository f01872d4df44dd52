"""Hands batches to the SDK's exporters on a few threads and notices when one could not be delivered.

`outbox` fills the batches. The exporters retry as they do in any service (503, Retry-After, UNAVAILABLE);
what they give up on is tried once more, then it ends the demo with a sentence.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.trace.export import SpanExportResult

THREADS = 3
AHEAD = 8  # batches that may wait: memory stays flat when the receiver is the slower side
TRIES = 3

Export = Callable[[Sequence[Any]], SpanExportResult | LogRecordExportResult]


class NotDelivered(Exception):
    """An exporter gave up on a batch; the text names the service."""


class Post:
    """A bounded queue of exports, and a count of the records that were accepted."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="demo-post")
        self._room = threading.BoundedSemaphore(AHEAD)
        self._under_way: set[Future[int]] = set()
        self.delivered = 0

    def send(self, sender: str, export: Export, records: Sequence[Any]) -> None:
        """Queue one batch; waits while too many are queued. Raises NotDelivered for an earlier failure."""
        self._collect(block=False)
        self._room.acquire()
        future = self._pool.submit(self._export, sender, export, records)
        self._under_way.add(future)

    def settle(self) -> None:
        """Wait until everything queued was accepted."""
        self._collect(block=True)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _export(self, sender: str, export: Export, records: Sequence[Any]) -> int:
        try:
            for _ in range(TRIES):
                if export(records).name == "SUCCESS":
                    return len(records)
            raise NotDelivered(f"The demo's {sender} could not deliver {len(records)} records")
        finally:
            self._room.release()

    def _collect(self, block: bool) -> None:
        done = wait(self._under_way, timeout=None if block else 0, return_when=FIRST_EXCEPTION).done
        self._under_way -= done
        for future in done:
            self.delivered += future.result()
