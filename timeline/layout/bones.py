"""What a layout needs of each record, and no more: ids, times, status.

`timeline.queries.skeleton` reads these in bulk; names and attributes are read later, for the rows of one window only.
Times are Unix nanoseconds as the sender gave them.
"""

from typing import NamedTuple

NO_SPAN = bytes(8)  # "no parent", "no span": OTLP allows no id of zeros


class SpanBone(NamedTuple):
    """Fields stand in the order by which spans are sorted, so that sorting needs no key."""

    start: int
    span_id: bytes
    digest: bytes  # 8 bytes, tells versions apart
    trace_id: bytes
    parent_id: bytes  # NO_SPAN for a root
    end: int
    status: int  # OTLP: 2 is an error
    marked: bool  # matches the filter on services


class Loss(NamedTuple):
    """A span that lacks something: values its sender dropped, values replaced on arrival."""

    trace_id: bytes
    span_id: bytes
    dropped: int
    redacted: int


class EventBone(NamedTuple):
    time: int
    span_id: bytes
    ordinal: int
    digest: bytes  # of its span
    trace_id: bytes
    failed: bool  # an exception; known only while errors are filtered


class LogBone(NamedTuple):
    time: int  # 0 where it has none
    tie: int  # hash of what it says
    log_id: bytes
    trace_id: bytes  # zeros where it has none
    span_id: bytes  # NO_SPAN where it has none
    severity: int
    dropped: int
    redacted: int
    marked: bool
    exception: int = 0  # hash of the exception's type and message, 0 where it tells none


class Told(NamedTuple):
    """Which exception an event tells: read only for spans whose logs tell one too."""

    trace_id: bytes
    span_id: bytes
    digest: bytes
    ordinal: int
    exception: int


class Move(NamedTuple):
    """A transition: where one system's statement changed."""

    time: int
    system: str
    ordinal: int  # among the transitions of its system
    state: str
    before: str | None
    trace_id: bytes  # empty for a log without a trace
    record_id: bytes  # span id or log id
    day: int


def is_failed_log(severity: int) -> bool:
    return severity >= 17
