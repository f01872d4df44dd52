"""What a set of newly stored records adds to requests, chapters, flows, members and states (pure).

`Fold` takes each record once, with what `correlation` read from it, and keeps `sums`; `summing` adds them to the
rows in the same transaction that inserted the records. Exceptions are kept apart, because one told twice counts
once and only the database knows the first telling.
"""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from tracing.attempts import is_retry
from tracing.exceptions import ERROR_SEVERITY, Telling, log_exception, span_exceptions
from tracing.facts import ATTEMPT
from tracing.lengths import MINUTE_NS
from tracing.mentions import NOTHING, Assertion, Flow, Mention, Reading
from tracing.records import DAY_NS, FIRST_NS, LAST_NS, MAX_NS, Log, Span, is_milestone, is_plausible
from tracing.remarks import Remarks
from tracing.sums import (
    MAX_STEP,
    AssertionRow,
    ChapterKey,
    Counted,
    FlowSums,
    MemberIds,
    MemberKey,
    RequestKey,
    RequestSums,
    Root,
    Said,
    Sums,
    Told,
    ToldKey,
    later,
    order_of,
)
from tracing.values import opened

LATE_NS = 5 * 60 * 1_000_000_000  # stored this long after it happened: late
AHEAD_NS = 5 * 60 * 1_000_000_000  # a sender's clock further ahead than this does not lead a list
MARK = 4


@dataclass(slots=True)
class _Place:
    """The rows that one mention adds to; `counts` is False where another rule's mention does already."""

    member: MemberIds
    flow: FlowSums
    chapter: ChapterKey
    counts: bool
    sums: Sums | None = None  # the chapter's, once it counts something


class Fold:
    """Sums over records that were not there before. Take each stored record once."""

    def __init__(self, environment: str, received_ns: int, *, live: bool = True) -> None:
        self.requests: dict[RequestKey, RequestSums] = {}
        self.chapters: dict[ChapterKey, Sums] = {}
        self.flows: dict[bytes, FlowSums] = {}
        self.members: dict[MemberKey, MemberIds] = {}
        self.assertions: dict[AssertionRow, None] = {}
        self.states: dict[tuple[bytes, str], Said] = {}
        # Who tells an exception, and which request or chapter gains its errors: the database knows what was told before.
        self.told: dict[ToldKey, Told] = {}
        self.remarks = Remarks(environment, live=live)
        # What is imported came when somebody chose: that says nothing of its sender.
        self._late_ns = LATE_NS if live else MAX_NS
        # Arrived again: counted on rows that exist, never a reason for a row.
        self.again_requests: dict[RequestKey, int] = {}
        self.again_chapters: dict[ChapterKey, int] = {}
        self._environment = environment
        self._last_name: tuple[tuple[Mention, ...], bytes, str, int] | None = None
        self._last_places: list[_Place] = []
        self._last_request: tuple[bytes, int, str | None] | None = None
        self._last_row = RequestSums()
        # Our clock when the records came; a rule applied to stored ones sets it record by record.
        self.received_ns = received_ns

    def take_span(
        self, span: Span, reading: Reading, *, request: bool = True, known: Container[bytes] = ()
    ) -> None:
        """Add one span; see `take_spans`."""
        self.take_spans((span,), (reading,), request=request, known=known)

    def take_spans(
        self,
        spans: Sequence[Span],
        readings: Sequence[Reading],
        *,
        request: bool = True,
        known: Container[bytes] = (),
    ) -> None:
        """Add spans, each with what was read from it.

        `request=False` leaves their requests alone (a rule applied to what is stored); `known` are ids of flows that
        count them already, through another rule: they become members under this rule too and add nothing.
        """
        begin, last = 0, len(spans) - 1
        for at, span in enumerate(spans):
            # The spans of a trace follow each other, and most of a run say the same: it is added at once.
            if at != last:
                following = spans[at + 1]
                if (
                    span.trace_id == following.trace_id
                    and span.resource is following.resource
                    and readings[at].mentions is readings[at + 1].mentions
                    and span.start_ns // DAY_NS == following.start_ns // DAY_NS
                ):
                    continue
            self._take_run(spans[begin : at + 1], readings[begin : at + 1], request, known)
            begin = at + 1

    def _take_run(
        self, run: Sequence[Span], readings: Sequence[Reading], request: bool, known: Container[bytes]
    ) -> None:
        """Add spans of one trace, day and resource that mention the same flows."""
        mentioning = bool(readings[0].mentions)
        if not request and not mentioning:
            return
        self.remarks.take_spans(run, readings[0].mentions, self.received_ns, request=request)
        counted = self._spans_counted(run)
        told = [telling for span in run if span.events for telling in span_exceptions(span)]
        if request:
            self._take_request(run, counted, told)
        if mentioning:
            self._take_mentions(run, readings, counted, told, known)

    def _take_request(self, run: Sequence[Span], counted: Counted, told: Sequence[Telling]) -> None:
        first, day = run[0], run[0].day
        row = self._request(first.trace_id, day, first.resource.environment)
        row.count(counted)
        for span in run:
            if not span.parent_span_id:
                _choose_root(row, span)
        if told:
            self._tell(first.trace_id, told, RequestKey(first.trace_id, day))

    def _take_mentions(
        self,
        run: Sequence[Span],
        readings: Sequence[Reading],
        counted: Counted,
        told: Sequence[Telling],
        known: Container[bytes],
    ) -> None:
        trace_id, day = run[0].trace_id, run[0].day
        step = _last_step(run)
        ids = b"".join([span.span_id for span in run])
        marks = b"".join([span.digest[:MARK] for span in run])
        for place in self._places(readings[0].mentions, trace_id, "", day):
            place.member.span_ids += ids
            place.member.span_marks += marks
            self._mention(place, counted, step, told, known)
        for span, reading in zip(run, readings, strict=True):
            if reading.assertions:
                record = (span.digest, trace_id, span.span_id, day)
                self._assert(reading.assertions, span.resource.service, *record)

    def take_log(
        self, log: Log, reading: Reading, *, request: bool = True, known: Container[bytes] = ()
    ) -> None:
        """Add a log record; see `take_span`."""
        told = log_exception(log)
        counted = self._log_counted(log, told is None)
        day = log.day
        if request and log.trace_id:
            self._request(log.trace_id, day, log.resource.environment).count(counted)
            self._tell(log.trace_id, told or (), RequestKey(log.trace_id, day))
        self.remarks.take_log(log, reading.mentions, self.received_ns, request=request)
        if reading is not NOTHING:
            service = "" if log.trace_id else log.resource.service
            for place in self._places(reading.mentions, log.trace_id, service, day):
                place.member.log_ids += log.log_id
                self._mention(place, counted, _log_step(log), told or (), known)
            record = (log.digest, log.trace_id, log.log_id, day)
            self._assert(reading.assertions, log.resource.service, *record)

    def take_again(self, trace_id: bytes, service: str, day: int, reading: Reading) -> None:
        """Note a record that arrived again and changed nothing."""
        if trace_id:
            key = RequestKey(trace_id, day)
            self.again_requests[key] = self.again_requests.get(key, 0) + 1
        for flow_id in {mention.flow.flow_id for mention in reading.mentions}:
            chapter = ChapterKey(flow_id, trace_id, "" if trace_id else service, day)
            self.again_chapters[chapter] = self.again_chapters.get(chapter, 0) + 1

    def total_flows(self) -> None:
        """Sum the chapters up into their flows. Once, when every record is taken."""
        for key, sums in self.chapters.items():
            self.flows[key.flow_id].add(sums)

    def _request(self, trace_id: bytes, day: int, environment: str | None) -> RequestSums:
        """The row of a trace's day. The spans of a trace follow each other, so the last row is kept at hand."""
        name = (trace_id, day, environment)
        if name == self._last_request:
            return self._last_row
        key = RequestKey(trace_id, day)
        row = self.requests.get(key)
        if row is None:
            row = self.requests[key] = RequestSums()
        self._last_request, self._last_row = name, row
        named = environment or self._environment
        # Of several environments in one trace the first by name is shown: any order of arrival gives the same.
        if row.environment != named:
            row.environment = min(row.environment, named) if row.environment else named
        return row

    def _spans_counted(self, run: Sequence[Span]) -> Counted:
        """What spans of one resource add, in one pass."""
        now, minute = self.received_ns, 0
        events = errors = retries = late = 0
        first_ns = last_ns = None
        for span in run:
            start_ns, end_ns = span.start_ns, span.end_ns
            events += len(span.events)
            errors += span.status == 2
            if span.facts & ATTEMPT:
                retries += is_retry(opened(span.attributes))
            if not FIRST_NS <= start_ns < LAST_NS:
                # Counts as active when it arrived, but dates nothing.
                minute = max(minute, now // MINUTE_NS)
                continue
            if not start_ns <= end_ns < LAST_NS:
                end_ns = start_ns
            if first_ns is None or start_ns < first_ns:
                first_ns = start_ns
            if last_ns is None or end_ns > last_ns:
                last_ns = end_ns
            late += now - end_ns > self._late_ns
        if last_ns is not None:
            minute = max(minute, min(last_ns, now + AHEAD_NS) // MINUTE_NS)
        service = run[0].resource.service
        return (len(run), events, 0, errors, retries, late, first_ns, last_ns, minute, service)

    def _log_counted(self, log: Log, plain: bool) -> Counted:
        late, first_ns, last_ns, activity = self._times(log.time_ns, log.time_ns)
        errors = int(plain and log.severity >= ERROR_SEVERITY)
        return (0, 0, 1, errors, 0, late, first_ns, last_ns, activity, log.resource.service)

    def _times(self, start_ns: int, end_ns: int) -> tuple[int, int | None, int | None, int]:
        """Whether late, first, last, minute of activity."""
        now = self.received_ns
        if not is_plausible(start_ns):
            # Counts as active when it arrived, but dates nothing.
            return 0, None, None, now // MINUTE_NS
        seen_ns = min(end_ns, now + AHEAD_NS)
        return int(now - end_ns > self._late_ns), start_ns, end_ns, seen_ns // MINUTE_NS

    def _places(self, mentions: tuple[Mention, ...], trace_id: bytes, service: str, day: int) -> list[_Place]:
        """The rows that mentions add to. The spans of a trace follow each other, so the last ones are kept at hand."""
        name = (mentions, trace_id, service, day)
        if name != self._last_name:
            self._last_name = name
            # Two rules may lead one record to one flow: it counts once.
            counted: set[bytes] = set()
            self._last_places = []
            for flow, rule_id in mentions:
                counts = flow.flow_id not in counted
                counted.add(flow.flow_id)
                self._last_places.append(self._place(flow, rule_id, trace_id, service, day, counts))
        return self._last_places

    def _place(
        self, flow: Flow, rule_id: int, trace_id: bytes, service: str, day: int, counts: bool
    ) -> _Place:
        member_key = MemberKey(day, flow.flow_id, trace_id, service, rule_id)
        member = self.members.get(member_key)
        if member is None:
            member = self.members[member_key] = MemberIds()
        chapter = ChapterKey(flow.flow_id, trace_id, service, day)
        return _Place(member, self._flow(flow, rule_id), chapter, counts)

    def _mention(
        self,
        place: _Place,
        counted: Counted,
        step: Said | None,
        told: Sequence[Telling],
        known: Container[bytes],
    ) -> None:
        key = place.chapter
        if not place.counts or key.flow_id in known:
            return
        if place.sums is None:
            place.sums = self.chapters.setdefault(key, Sums())
        place.sums.count(counted)
        if step:
            place.flow.step = later(place.flow.step, step)
        if told:
            self._tell(key.flow_id, told, key)

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
            said = Said(order_of(valid_ns, digest, state), state, valid_ns, system)
            key = (flow.flow_id, system)
            self.states[key] = later(self.states.get(key), said) or said
            owner = self._flow(flow, rule_id)
            owner.state = later(owner.state, said)

    def _tell(self, scope_id: bytes, told: Iterable[Telling], row: RequestKey | ChapterKey) -> None:
        for exception_id, event_id in told:
            exception = self.told.setdefault(ToldKey(scope_id, exception_id), Told(row))
            if event_id is None:
                exception.logs += 1
            else:
                exception.event_ids.add(event_id)


def _choose_root(row: RequestSums, span: Span) -> None:
    # Of versions that start together the one with the latest end comes first, hence the end counted downwards. Of
    # versions that do not, the earliest: a minimum of one order is the same in any order of arrival.
    order = (
        span.start_ns.to_bytes(8, "big")
        + span.span_id
        + (MAX_NS - span.end_ns).to_bytes(8, "big")
        + span.digest
    )
    if row.root is None or order < row.root.order:
        row.root = Root(order, span.span_id, span.name, span.resource.service, span.status)


def _log_step(log: Log) -> Said | None:
    if not log.event_name:
        return None
    name = log.event_name[:MAX_STEP]
    return Said(order_of(log.time_ns, log.digest), name, log.time_ns, log.resource.service)


def _last_step(run: Sequence[Span]) -> Said | None:
    """The latest milestone among spans."""
    step = None
    service = run[0].resource.service
    for span in run:
        if is_milestone(span):
            step = later(
                step,
                Said(order_of(span.start_ns, span.digest), span.name[:MAX_STEP], span.start_ns, service),
            )
    return step
