"""The rows that a storing transaction adds to, as values: sums of requests, chapters and flows, and their keys (pure).

`flows` fills them in record by record, `summing` adds them to the tables. Sums, minima, maxima and the latest
statement only: whatever the order of arrival, the same comes out.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from tracing.mentions import Flow
from tracing.records import is_plausible

# A milestone's name as a step: what is longer is no name, and no index holds it.
MAX_STEP = 300


@dataclass(slots=True)
class Sums:
    """What records add to a row. `first_ns` and `last_ns` are None while no plausible time was seen."""

    spans: int = 0
    events: int = 0
    logs: int = 0
    errors: int = 0
    retries: int = 0
    late: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    activity: int = 0
    services: set[str] = field(default_factory=set)

    def count(self, one: "Counted") -> None:
        """Add one record."""
        spans, events, logs, errors, retries, late, first_ns, last_ns, activity, service = one
        self.spans += spans
        self.events += events
        self.logs += logs
        self.errors += errors
        self.retries += retries
        self.late += late
        self._stretch(first_ns, last_ns)
        if activity > self.activity:
            self.activity = activity
        self.services.add(service)

    def add(self, other: "Sums") -> None:
        """Add another row's sums."""
        self.spans += other.spans
        self.events += other.events
        self.logs += other.logs
        self.errors += other.errors
        self.retries += other.retries
        self.late += other.late
        self._stretch(other.first_ns, other.last_ns)
        self.activity = max(self.activity, other.activity)
        self.services |= other.services

    def _stretch(self, first_ns: int | None, last_ns: int | None) -> None:
        if first_ns is not None and (self.first_ns is None or first_ns < self.first_ns):
            self.first_ns = first_ns
        if last_ns is not None and (self.last_ns is None or last_ns > self.last_ns):
            self.last_ns = last_ns


# What one record adds, in the order of Sums' fields; the last is its service.
Counted = tuple[int, int, int, int, int, int, int | None, int | None, int, str]


class Root(NamedTuple):
    """The root a request is called after: the earliest start, then the lowest ids."""

    order: bytes
    span_id: bytes
    name: str
    service: str
    status: int


@dataclass(slots=True)
class RequestSums(Sums):
    root: Root | None = None
    environment: str = ""


class Said(NamedTuple):
    """The latest of several statements: `order` decides, whoever came first."""

    order: bytes
    text: str
    at_ns: int
    system: str = ""  # who said so


@dataclass(slots=True)
class FlowSums(Sums):
    flow: Flow | None = None
    rule_id: int = 0
    state: Said | None = None
    step: Said | None = None


@dataclass(slots=True)
class MemberIds:
    span_ids: bytearray = field(default_factory=bytearray)
    # The first bytes of each one's digest: versions of a span share its id, and each is a member of its own.
    span_marks: bytearray = field(default_factory=bytearray)
    log_ids: bytearray = field(default_factory=bytearray)


class RequestKey(NamedTuple):
    trace_id: bytes
    day: int


class ChapterKey(NamedTuple):
    flow_id: bytes
    trace_id: bytes
    service: str
    day: int


class MemberKey(NamedTuple):
    day: int
    flow_id: bytes
    trace_id: bytes
    service: str
    rule_id: int


class AssertionRow(NamedTuple):
    flow_id: bytes
    valid_ns: int
    system: str
    digest: bytes
    state: str
    trace_id: bytes
    record_id: bytes
    day: int
    rule_id: int
    received_ns: int


class ToldKey(NamedTuple):
    scope_id: bytes  # flow id, or trace id for the request
    exception_id: bytes


@dataclass(slots=True)
class Told:
    """Who tells an exception, and whose errors it is."""

    row: RequestKey | ChapterKey
    event_ids: set[bytes] = field(default_factory=set)
    logs: int = 0


def order_of(time_ns: int, digest: bytes, state: str = "") -> bytes:
    """Bytes that sort by time, then by what the record holds. A time in a catch-all range sorts before all others."""
    usable = time_ns if is_plausible(time_ns) else 0
    return usable.to_bytes(8, "big") + digest + state.encode()


def later(one: Said | None, other: Said | None) -> Said | None:
    """The statement that stands."""
    if one is None or other is None:
        return one or other
    return one if one.order >= other.order else other
