"""What a batch tells the watcher beside its sums: failures, what records say of the future, volumes (pure).

`flows` hands over runs of spans and logs that are new; `summing` writes what comes of them. Volumes are tallied by
minute, service and milestone, so that a batch adds a handful of rows whatever its size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tracing import failing, stating
from tracing.attempts import is_retry
from tracing.buckets import bucket_of
from tracing.exceptions import ERROR_SEVERITY
from tracing.facts import ATTEMPT, SAYS
from tracing.failing import Failure
from tracing.lengths import MINUTE_NS
from tracing.mentions import Flow, Mention
from tracing.records import Log, Span, is_milestone, is_plausible
from tracing.values import opened

ERROR = 2
REQUEST = 0
KINDS = {"entity": 1, "workflow": 2}
# Names with ids in them would make a row each; what is more is tallied without a name.
MOST_TALLIES = 300
MAX_OPERATION = MAX_NAME = 200


class TallyKey(NamedTuple):
    minute: int
    arrived: int
    service: str
    environment: str
    operation: str  # a milestone's name; empty for all else


@dataclass(slots=True)
class Tally:
    """Counts, and a byte (its bucket) for each milestone's length and each run's delay."""

    records: int = 0
    errors: int = 0
    retries: int = 0
    lengths: bytes = b""
    delays: bytes = b""


class StatedRow(NamedTuple):
    """One statement about one flow; unique by its first four."""

    flow_id: bytes
    said_ns: int
    digest: bytes
    what: str
    by_ns: int
    step: str
    system: str
    operation: str
    attempt: int | None
    most: int | None
    trace_id: bytes
    record_id: bytes
    day: int
    rule_id: int
    received_ns: int


class Scope(NamedTuple):
    """Whose failure it is: a flow's, or a request's (`kind` 0, a trace id)."""

    scope_id: bytes
    kind: int
    environment: str


class Remarks:
    """Filled by `flows.Fold` with records that were not there before."""

    def __init__(self, environment: str, *, live: bool = True) -> None:
        self._environment = environment
        # What is imported is no traffic: it tallies nothing.
        self._live = live
        self.tallies: dict[TallyKey, Tally] = {}
        # Of each scope, trace and service the first failure.
        self.failures: dict[tuple[Scope, bytes, str], tuple[Failure, int]] = {}
        self.stated: dict[tuple[bytes, int, bytes, str], StatedRow] = {}

    def take_spans(
        self, run: Sequence[Span], mentions: Iterable[Mention], received_ns: int, *, request: bool
    ) -> None:
        """Spans of one trace and resource that mention the same flows; `request=False` tallies nothing."""
        if request and self._live:
            self._tally_spans(run, received_ns)
        for span in run:
            if span.status == ERROR:
                self._fail(failing.of_span(span), span, mentions, received_ns, request)
            if span.facts & SAYS and mentions:
                for saying in stating.of_span(span):
                    record = (span.digest, span.resource.service, span.trace_id, span.span_id, span.day)
                    self._state(saying, mentions, record, received_ns)

    def take_log(self, log: Log, mentions: Iterable[Mention], received_ns: int, *, request: bool) -> None:
        """One log. Its failure counts where it has no trace: a span tells it otherwise."""
        if request and self._live and is_plausible(log.time_ns):
            tally = self._tally(log.time_ns, received_ns, log, "")
            tally.records += 1
            tally.errors += log.severity >= ERROR_SEVERITY
            tally.delays += bytes((bucket_of(max(0, received_ns - log.time_ns)),))
        if not log.trace_id:
            self._fail(failing.of_log(log), log, mentions, received_ns, request=False)
        if mentions:
            for saying in stating.of_log(log):
                record = (log.digest, log.resource.service, log.trace_id, log.log_id, log.day)
                self._state(saying, mentions, record, received_ns)

    def _tally_spans(self, run: Sequence[Span], received_ns: int) -> None:
        first = run[0]
        if not is_plausible(first.start_ns):
            return
        tally = self._tally(first.start_ns, received_ns, first, "")
        tally.records += len(run)
        latest_ns = 0
        for span in run:
            if span.end_ns > latest_ns:
                latest_ns = span.end_ns
            tally.errors += span.status == ERROR
            if span.facts & ATTEMPT:
                tally.retries += is_retry(opened(span.attributes))
            if is_milestone(span):
                self._tally_milestone(span, received_ns)
        if is_plausible(latest_ns):
            tally.delays += bytes((bucket_of(max(0, received_ns - latest_ns)),))

    def _tally_milestone(self, span: Span, received_ns: int) -> None:
        if len(self.tallies) >= MOST_TALLIES or not span.name or not is_plausible(span.start_ns):
            return
        tally = self._tally(span.start_ns, received_ns, span, span.name[:MAX_OPERATION])
        tally.records += 1
        tally.errors += span.status == ERROR
        tally.lengths += bytes((bucket_of(max(0, span.end_ns - span.start_ns)),))

    def _tally(self, time_ns: int, received_ns: int, record: Span | Log, operation: str) -> Tally:
        resource = record.resource
        key = TallyKey(
            time_ns // MINUTE_NS,
            received_ns // MINUTE_NS,
            resource.service[:MAX_NAME],
            (resource.environment or self._environment)[:MAX_NAME],
            operation,
        )
        tally = self.tallies.get(key)
        if tally is None:
            tally = self.tallies[key] = Tally()
        return tally

    def _fail(
        self,
        failure: Failure | None,
        record: Span | Log,
        mentions: Iterable[Mention],
        received_ns: int,
        request: bool,
    ) -> None:
        if failure is None or not is_plausible(failure.at_ns):
            return
        environment = record.resource.environment or self._environment
        scopes = [_scope(one.flow) for one in mentions]
        if request and failure.trace_id:
            scopes.append(Scope(failure.trace_id, REQUEST, environment))
        for scope in scopes:
            key = (scope, failure.trace_id, failure.service)
            known = self.failures.get(key)
            if known is None or (failure.at_ns, failure.record_id) < (known[0].at_ns, known[0].record_id):
                self.failures[key] = failure, received_ns

    def _state(
        self,
        saying: stating.Saying,
        mentions: Iterable[Mention],
        record: tuple[bytes, str, bytes, bytes, int],
        received_ns: int,
    ) -> None:
        digest, system, trace_id, record_id, day = record
        for flow, rule_id in mentions:
            row = StatedRow(
                flow.flow_id, saying.said_ns, digest, saying.what, saying.by_ns, saying.step, system,
                saying.operation, saying.attempt, saying.most, trace_id, record_id, day, rule_id, received_ns,
            )  # fmt: skip
            known = self.stated.get(row[:4])
            if known is None or rule_id < known.rule_id:
                self.stated[row[:4]] = row


def _scope(flow: Flow) -> Scope:
    return Scope(flow.flow_id, KINDS[flow.kind], flow.environment)
