"""What a service told us, decoded: resources, scopes, spans and logs, one batch a request.

`otlp.decode` makes these from wire bytes; `correlation` reads flow keys from them, `flows` folds them,
`storing` writes them. Pure values: no Django, no database.

Attribute values are plain JSON values where JSON can say them, and tagged where it can't (see `tracing.values`).
Times are Unix nanoseconds. A time beyond 2^63-1 is cut to that and kept exactly in `exact`.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

DAY_NS = 86_400_000_000_000
MAX_NS = 2**63 - 1
FIRST_DAY = 16_436  # 2015-01-01: earlier days share one range, "ancient"
LAST_DAY = 47_482  # 2100-01-01: this day and later share one range, "future"
FIRST_NS, LAST_NS = FIRST_DAY * DAY_NS, LAST_DAY * DAY_NS

ATTRIBUTES = dict[str, Any]


def day_of(time_ns: int) -> int:
    """The day (since 1970-01-01, UTC) a record belongs to: a pure function of the sender's time."""
    return time_ns // DAY_NS


def is_plausible(time_ns: int) -> bool:
    """Whether a time may set a flow's `first` or `last`: it lies outside the two catch-all ranges."""
    return FIRST_NS <= time_ns < LAST_NS


@dataclass(slots=True, frozen=True)
class Resource:
    """Who sent a record. `resource_id` is a 16-byte hash of everything below it."""

    resource_id: bytes
    attributes: ATTRIBUTES
    attributes_json: bytes  # redacted
    dropped: int
    schema_url: str
    service: str  # `service.name`, or "unknown_service"
    environment: (
        str | None
    )  # `deployment.environment.name` or the old name; None where the sender says nothing


@dataclass(slots=True, frozen=True)
class Scope:
    """The instrumentation library a record came through. `scope_id` is a 16-byte hash of the rest."""

    scope_id: bytes
    name: str
    version: str
    attributes_json: bytes
    dropped: int
    schema_url: str


@dataclass(slots=True)
class Event:
    """A span event. `attributes` are redacted already."""

    time_ns: int
    name: str
    attributes: ATTRIBUTES
    dropped: int = 0


@dataclass(slots=True)
class Link:
    trace_id: bytes
    span_id: bytes


@dataclass(slots=True)
class Span:
    trace_id: bytes  # 16 bytes
    span_id: bytes  # 8 bytes
    parent_span_id: bytes  # 8 bytes, or b"" for a root
    start_ns: int  # 0 where the sender gave none
    end_ns: int
    name: str
    kind: int  # OTLP number, unknown ones kept; 1 internal, 2 server, 3 client, 4 producer, 5 consumer
    status: int  # 0 unset, 1 ok, 2 error
    status_message: str
    trace_state: str
    flags: int
    resource: Resource
    scope: Scope
    attributes: ATTRIBUTES  # redacted, tagged
    attributes_json: bytes
    events: list[Event]
    events_json: (
        bytes | None
    )  # [{"time": "ns", "name": …, "attributes": {…}, "dropped": n}, …]; None where there are none
    links: list[Link]
    links_json: bytes | None  # [{"trace_id", "span_id", "trace_state", "attributes", "dropped", "flags"}, …]
    dropped_attributes: int
    dropped_events: int
    dropped_links: int
    digest: bytes  # 16 bytes over the values before redaction, resource excluded
    redacted: int = 0  # how many values were replaced
    exact: dict[str, str] | None = (
        None  # what the columns could not hold, e.g. {"end": "18446744073709551615"}
    )
    facts: int = -1  # bits of `tracing.facts`

    @property
    def day(self) -> int:
        return self.start_ns // DAY_NS


SERVER, CONSUMER = 2, 5


def is_milestone(span: Span) -> bool:
    """Whether a span is a step of what it mentions: where a service took it up, or where all began."""
    return span.kind == SERVER or span.kind == CONSUMER or not span.parent_span_id


@dataclass(slots=True)
class Log:
    log_id: (
        bytes  # 16 bytes: from `log.record.uid`, else digest plus ordinal among equal records of the request
    )
    trace_id: bytes  # b"" where absent or malformed
    span_id: bytes  # b"" likewise
    time_ns: int  # event time, else observed time, else 0
    time_source: int  # 0 the sender's time, 1 observed time, 2 none: `received_ns` is shown
    observed_ns: int
    severity: int  # severity_number, unknown ones kept; 17 and above are errors
    severity_text: str
    event_name: str
    body: Any  # tagged value, redacted
    body_json: bytes
    attributes: ATTRIBUTES
    attributes_json: bytes
    flags: int
    dropped_attributes: int
    resource: Resource
    scope: Scope
    digest: bytes
    redacted: int = 0
    exact: dict[str, str] | None = None

    @property
    def day(self) -> int:
        return self.time_ns // DAY_NS


@dataclass(slots=True)
class Refusal:
    """Records turned away, with a sentence for the sender; without a resource nobody knows who that is."""

    count: int
    reason: str
    resource: Resource | None = None

    @property
    def service(self) -> str:
        return self.resource.service if self.resource else ""


@dataclass(slots=True)
class Batch:
    """One decoded request."""

    spans: list[Span] = field(default_factory=list)
    logs: list[Log] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    transport: str = "http/protobuf"  # http/protobuf, http/json, grpc, import
    received_ns: int = 0


@dataclass(slots=True)
class Outcome:
    """What became of a batch. `refusals` are the records the store itself turned away.

    `again` counts the records that were there already, by the id of their resource.
    """

    stored_spans: int = 0
    stored_logs: int = 0
    again: Counter[bytes] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
