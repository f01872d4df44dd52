"""What a layout needs of each record, and no more: ids, times, status.

`timeline.queries.skeleton` reads these in bulk; names and attributes are read later, for the rows of one window only.
Times are Unix nanoseconds as the sender gave them.
"""

from typing import NamedTuple

NO_SPAN = bytes(8)  # "no parent", "no span": OTLP allows no id of zeros


class SpanBone(NamedTuple):
    trace_id: bytes
    span_id: bytes
    parent_id: bytes  # NO_SPAN for a root
    start: int
    end: int
    status: int  # OTLP: 2 is an error
    tie: int  # hash of the name: orders versions that share start and end the same way in every installation
    digest: bytes  # 8 bytes, tells versions apart
    dropped: int
    redacted: int
    marked: bool  # matches the filter on services


class EventBone(NamedTuple):
    trace_id: bytes
    span_id: bytes
    digest: bytes  # of its span
    ordinal: int
    time: int
    failed: bool  # an exception; known only while errors are filtered


class LogBone(NamedTuple):
    trace_id: bytes
    span_id: bytes  # NO_SPAN where it has none
    log_id: bytes
    time: int  # 0 where it has none
    severity: int
    tie: int
    dropped: int
    redacted: int
    marked: bool


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
