"""What a set of newly stored records adds to requests, chapters, flows, members and states (pure).

`Fold` takes each record once, with what `correlation` read from it, and keeps sums; `storing` adds them to the
rows in the same transaction that inserted the records. Sums, minima and maxima only: the order of arrival never
matters. Exceptions are kept apart, because one told twice counts once and only the database knows the first telling.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from tracing.attempts import is_retry
from tracing.correlation import NOTHING, Assertion, Flow, Reading
from tracing.records import MAX_NS, Event, Log, Span, is_plausible

LATE_NS = 5 * 60 * 1_000_000_000  # stored this long after it happened: late
AHEAD_NS = 5 * 60 * 1_000_000_000  # a sender's clock further ahead than this does not lead a list
MINUTE_NS = 60_000_000_000
ERROR_SEVERITY = 17
SERVER, CONSUMER = 2, 5


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

    def add(self, one: "Sums") -> None:
        self.spans += one.spans
        self.events += one.events
        self.logs += one.logs
        self.errors += one.errors
        self.retries += one.retries
        self.late += one.late
        self.services |= one.services
        self.activity = max(self.activity, one.activity)
        if one.first_ns is not None and (self.first_ns is None or one.first_ns < self.first_ns):
            self.first_ns = one.first_ns
        if one.last_ns is not None and (self.last_ns is None or one.last_ns > self.last_ns):
            self.last_ns = one.last_ns


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


@dataclass(slots=True)
class FlowSums(Sums):
    flow: Flow | None = None
    rule_id: int = 0
    state: Said | None = None
    step: Said | None = None


@dataclass(slots=True)
class MemberIds:
    span_ids: bytearray = field(default_factory=bytearray)
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


class Fold:
    """Sums over records that were not there before. Take each stored record once."""

    def __init__(self, environment: str, received_ns: int) -> None:
        self.requests: dict[RequestKey, RequestSums] = {}
        self.chapters: dict[ChapterKey, Sums] = {}
        self.flows: dict[bytes, FlowSums] = {}
        self.members: dict[MemberKey, MemberIds] = {}
        self.assertions: dict[AssertionRow, None] = {}
        self.states: dict[tuple[bytes, str], Said] = {}
        # Which request or chapter gains an error if this telling is the first: decided by the database.
        self.told: dict[ToldKey, RequestKey | ChapterKey] = {}
        # Arrived again: counted on rows that exist, never a reason for a row.
        self.again_requests: dict[RequestKey, int] = {}
        self.again_chapters: dict[ChapterKey, int] = {}
        self._environment = environment
        # Our clock when the records came; a rule applied to stored ones sets it record by record.
        self.received_ns = received_ns

    def take_span(
        self, span: Span, reading: Reading, *, request: bool = True, known: Container[bytes] = ()
    ) -> None:
        """Add a span.

        `request=False` leaves its request alone (a rule applied to what is stored); `known` are ids of flows that
        count the record already, through another rule: it becomes a member under this rule too and adds nothing.
        """
        if not request and reading is NOTHING:
            return
        sums = self._span_sums(span)
        told = list(span_exceptions(span)) if span.events else []
        day = span.day
        if request:
            key = RequestKey(span.trace_id, day)
            row = self._request(key, span.resource.environment)
            row.add(sums)
            if not span.parent_span_id:
                _choose_root(row, span)
            self._tell(span.trace_id, told, key)
        if reading is not NOTHING:
            step = _span_step(span)
            for chapter in self._mention(
                reading, span.trace_id, "", day, (span.span_id, None), sums, step, known
            ):
                self._tell(chapter.flow_id, told, chapter)
            self._assert(
                reading.assertions, span.resource.service, span.digest, span.trace_id, span.span_id, day
            )

    def take_log(
        self, log: Log, reading: Reading, *, request: bool = True, known: Container[bytes] = ()
    ) -> None:
        """Add a log record; see `take_span`."""
        told = log_exception(log)
        sums = self._log_sums(log, told is None)
        day = log.day
        if request and log.trace_id:
            key = RequestKey(log.trace_id, day)
            self._request(key, log.resource.environment).add(sums)
            self._tell(log.trace_id, told or [], key)
        if reading is not NOTHING:
            service = "" if log.trace_id else log.resource.service
            step = (
                Said(order_of(log.time_ns, log.digest), log.event_name, log.time_ns)
                if log.event_name
                else None
            )
            for chapter in self._mention(
                reading, log.trace_id, service, day, (None, log.log_id), sums, step, known
            ):
                self._tell(chapter.flow_id, told or [], chapter)
            self._assert(reading.assertions, log.resource.service, log.digest, log.trace_id, log.log_id, day)

    def take_again(self, trace_id: bytes, service: str, day: int, reading: Reading) -> None:
        """Note a record that arrived again and changed nothing."""
        if trace_id:
            key = RequestKey(trace_id, day)
            self.again_requests[key] = self.again_requests.get(key, 0) + 1
        for flow_id in {mention.flow.flow_id for mention in reading.mentions}:
            chapter = ChapterKey(flow_id, trace_id, "" if trace_id else service, day)
            self.again_chapters[chapter] = self.again_chapters.get(chapter, 0) + 1

    def _request(self, key: RequestKey, environment: str | None) -> RequestSums:
        row = self.requests.get(key)
        if row is None:
            row = self.requests[key] = RequestSums()
        named = environment or self._environment
        # Of several environments in one trace the first by name is shown: any order of arrival gives the same.
        row.environment = min(row.environment, named) if row.environment else named
        return row

    def _span_sums(self, span: Span) -> Sums:
        end_ns = span.end_ns if is_plausible(span.end_ns) and span.end_ns > span.start_ns else span.start_ns
        sums = self._times(span.start_ns, end_ns)
        sums.spans = 1
        sums.events = len(span.events)
        sums.errors = int(span.status == 2)
        sums.retries = int(is_retry(span.attributes))
        sums.services = {span.resource.service}
        return sums

    def _log_sums(self, log: Log, plain: bool) -> Sums:
        sums = self._times(log.time_ns, log.time_ns)
        sums.logs = 1
        sums.errors = int(plain and log.severity >= ERROR_SEVERITY)
        sums.services = {log.resource.service}
        return sums

    def _times(self, start_ns: int, end_ns: int) -> Sums:
        now = self.received_ns
        # A record without a plausible time counts as active when it arrived, but dates nothing.
        seen_ns = min(end_ns, now + AHEAD_NS) if is_plausible(start_ns) else now
        sums = Sums(
            activity=seen_ns // MINUTE_NS, late=int(is_plausible(start_ns) and now - end_ns > LATE_NS)
        )
        if is_plausible(start_ns):
            sums.first_ns, sums.last_ns = start_ns, end_ns
        return sums

    def _mention(
        self,
        reading: Reading,
        trace_id: bytes,
        service: str,
        day: int,
        ids: tuple[bytes | None, bytes | None],
        sums: Sums,
        step: Said | None,
        known: Container[bytes],
    ) -> Iterable[ChapterKey]:
        chapters: dict[ChapterKey, None] = {}
        for flow, rule_id in reading.mentions:
            member_key = MemberKey(day, flow.flow_id, trace_id, service, rule_id)
            member = self.members.get(member_key)
            if member is None:
                member = self.members[member_key] = MemberIds()
            member.span_ids += ids[0] or b""
            member.log_ids += ids[1] or b""
            if flow.flow_id in known:
                continue
            row = self._flow(flow, rule_id)
            key = ChapterKey(flow.flow_id, trace_id, service, day)
            if key not in chapters:  # two rules may lead one record to one flow: it counts once
                chapters[key] = None
                row.add(sums)
                row.step = later(row.step, step)
                self.chapters.setdefault(key, Sums()).add(sums)
        return chapters

    def _flow(self, flow: Flow, rule_id: int) -> FlowSums:
        row = self.flows.get(flow.flow_id)
        if row is None:
            row = self.flows[flow.flow_id] = FlowSums(flow=flow, rule_id=rule_id)
        row.rule_id = min(row.rule_id, rule_id)
        return row

    def _assert(
        self,
        assertions: Iterable[Assertion],
        system: str,
        digest: bytes,
        trace_id: bytes,
        record_id: bytes,
        day: int,
    ) -> None:
        for flow, rule_id, state, valid_ns in assertions:
            row = AssertionRow(
                flow.flow_id,
                valid_ns,
                system,
                digest,
                state,
                trace_id,
                record_id,
                day,
                rule_id,
                self.received_ns,
            )
            self.assertions[row] = None
            said = Said(order_of(valid_ns, digest, state), state, valid_ns)
            key = (flow.flow_id, system)
            self.states[key] = later(self.states.get(key), said) or said
            owner = self._flow(flow, rule_id)
            owner.state = later(owner.state, said)

    def _tell(self, scope_id: bytes, told: Iterable[bytes], row: RequestKey | ChapterKey) -> None:
        for exception_id in told:
            self.told.setdefault(ToldKey(scope_id, exception_id), row)


def order_of(time_ns: int, digest: bytes, state: str = "") -> bytes:
    """Bytes that sort by time, then by what the record holds. A time in a catch-all range sorts before all others."""
    usable = time_ns if is_plausible(time_ns) else 0
    return usable.to_bytes(8, "big") + digest + state.encode()


def later(one: Said | None, other: Said | None) -> Said | None:
    """The statement that stands."""
    if one is None or other is None:
        return one or other
    return one if one.order >= other.order else other


def span_exceptions(span: Span) -> Iterable[bytes]:
    """An id for each exception event; equal ones in one span are told apart by their ordinal."""
    seen: dict[bytes, int] = {}
    for event in span.events:
        if event.name == "exception":
            said = _exception_text(event)
            seen[said] = seen.get(said, -1) + 1
            yield _exception_id(span.trace_id, span.span_id, said, seen[said])


def log_exception(log: Log) -> list[bytes] | None:
    """The id of the exception an ERROR log tells, in a list; None where it tells none that a span event could tell too."""
    if log.severity < ERROR_SEVERITY or not log.trace_id:
        return None
    if "exception.type" not in log.attributes and "exception.message" not in log.attributes:
        return None
    return [_exception_id(log.trace_id, log.span_id, _exception_text(log), 0)]


def _exception_text(record: Event | Log) -> bytes:
    said = (record.attributes.get("exception.type"), record.attributes.get("exception.message"))
    return "\0".join(_text(part) for part in said).encode("utf-8", "surrogatepass")


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _exception_id(trace_id: bytes, span_id: bytes, said: bytes, ordinal: int) -> bytes:
    return blake2b(trace_id + span_id + said + b"\0%d" % ordinal, digest_size=16).digest()


def _choose_root(row: RequestSums, span: Span) -> None:
    # Of versions the one with the latest end comes first, hence the end counted downwards.
    order = (
        span.start_ns.to_bytes(8, "big")
        + span.span_id
        + (MAX_NS - span.end_ns).to_bytes(8, "big")
        + span.digest
    )
    if row.root is None or order < row.root.order:
        row.root = Root(order, span.span_id, span.name, span.resource.service, span.status)


def _span_step(span: Span) -> Said | None:
    if span.kind not in (SERVER, CONSUMER) and span.parent_span_id:
        return None
    return Said(order_of(span.start_ns, span.digest), span.name, span.start_ns)
