"""Gathers a service's ended spans and emitted logs into large batches and posts them.

It stands where the SDK's batch processors stand: those send on a timer, which would make the batches of two runs
differ; here a batch is full or it is flushed. `post` does the sending.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from tracing.demo.post import Export, Post

BATCH = 1_500

How = Literal["now", "late", "twice"]


class Bag:
    """Records of one service and signal, waiting for a full batch."""

    def __init__(self, sender: str, export: Export, post: Post) -> None:
        self._sender = sender
        self._export = export
        self._post = post
        self._records: list[Any] = []
        self._later: list[Any] = []

    def add(self, record: Any, how: How) -> None:
        if how != "now":
            self._later.append(record)
        if how != "late":
            self._records.append(record)
            if len(self._records) >= BATCH:
                self.flush()

    def flush(self) -> None:
        """Post what has gathered; what was held back stays."""
        if self._records:
            self._post.send(self._sender, self._export, self._records)
            self._records = []

    def flush_later(self) -> None:
        """Post what was held back, or is to be sent again."""
        self._records, self._later = [*self._records, *self._later], []
        self.flush()


class Outbox:
    """Every bag of the shop. `how` decides when what is being recorded is sent."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self.how: How = "now"
        self._bags: list[Bag] = []

    def bag(self, sender: str, export: Export) -> Bag:
        bag = Bag(sender, export, self.post)
        self._bags.append(bag)
        return bag

    @contextmanager
    def sending(self, how: How) -> Iterator[None]:
        """Within, records are held back to the end ("late"), or sent at once and again at the end ("twice")."""
        self.how = how
        try:
            yield
        finally:
            self.how = "now"

    def flush(self) -> None:
        for bag in self._bags:
            bag.flush()

    def finish(self) -> None:
        """Send everything, what was held back last, and wait until all of it was accepted."""
        self.flush()
        self.post.settle()
        for bag in self._bags:
            bag.flush_later()
        self.post.settle()


class GatherSpans(SpanProcessor):
    """Puts ended spans into a bag."""

    def __init__(self, outbox: Outbox, bag: Bag) -> None:
        self._outbox = outbox
        self._bag = bag

    def on_end(self, span: ReadableSpan) -> None:
        self._bag.add(span, self._outbox.how)


class GatherLogs(LogRecordProcessor):
    """Puts emitted logs into a bag."""

    def __init__(self, outbox: Outbox, bag: Bag, resource: Resource) -> None:
        self._outbox = outbox
        self._bag = bag
        self._resource = resource

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        record = ReadableLogRecord(
            log_record=log_record.log_record,
            resource=log_record.resource or self._resource,
            instrumentation_scope=log_record.instrumentation_scope,
            limits=log_record.limits,
        )
        self._bag.add(record, self._outbox.how)

    def shutdown(self) -> None:
        """Nothing is held that `Outbox.finish` does not send."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        return True
