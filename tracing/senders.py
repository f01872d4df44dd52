"""Who sends to us: counted in memory on arrival, written to the table of senders every two seconds.

`otlp.receiving` notes each request; the page under Settings reads the table and answers "why is my data not
here". Noting never delays or fails a request: what cannot be written now is added to what is written next.
"""

import atexit
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

import orjson
import psycopg

from tracing.clock import now_ns
from tracing.records import FIRST_NS, LAST_NS, Batch, Log, Refusal, Resource, Span, is_plausible
from tracing.storing import Outcome
from tracing.values import opened, plain, storable

logger = logging.getLogger(__name__)

FLUSH_S = 2.0
# Identities that wait to be written; a service that names itself anew each time must not fill the memory.
_MOST_WAITING = 500
_MOST_SENTENCES = 20
_LONGEST_SENTENCE = 300
# The transport of what comes from a file: its sender is somebody's choice of when, so it tells no clock.
IMPORT = "import"

# OTLP's flags hold the W3C trace flags in their lowest byte.
_W3C_FLAGS, _SAMPLED = 0xFF, 0x01

Identity = tuple[str, str, str, str]  # service, environment, SDK, transport


@dataclass(slots=True)
class Seen:
    """What was seen of one sender since the last write."""

    first_ns: int
    last_ns: int
    spans: int = 0
    logs: int = 0
    resent: int = 0
    sampled: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    offset_ns: int | None = None

    def add(self, other: "Seen") -> None:
        self.first_ns = min(self.first_ns, other.first_ns)
        self.last_ns = max(self.last_ns, other.last_ns)
        self.spans += other.spans
        self.logs += other.logs
        self.resent += other.resent
        self.sampled += other.sampled
        self.refusals.update(other.refusals)
        offsets = [offset for offset in (self.offset_ns, other.offset_ns) if offset is not None]
        self.offset_ns = min(offsets, default=None)


def is_sampled(trace_state: str, flags: int = 0) -> bool:
    """Whether a span shows that a sampler drops traces.

    The trace state tells by its threshold (`ot=th:…`; `th:0` keeps all), the W3C byte of the flags by what it
    sets without `sampled`. A byte of zero tells nothing: Python's SDK never writes it.
    """
    if flags & _W3C_FLAGS and not flags & _SAMPLED:
        return True
    for member in trace_state.split(","):
        vendor, _, value = member.strip().partition("=")
        if vendor == "ot":
            return any(part.startswith("th:") and part[3:].strip("0") for part in value.split(";"))
    return False


def kept_share(trace_state: str) -> float | None:
    """Which share of all traces a sampler of this threshold keeps, 0 to 1; None where no sound one is told."""
    for member in trace_state.split(","):
        vendor, _, value = member.strip().partition("=")
        told = [part[3:] for part in value.split(";") if part.startswith("th:")] if vendor == "ot" else []
        if told and re.fullmatch("[0-9a-f]{1,14}", told[0]):
            return 1 - int(told[0].ljust(14, "0"), 16) / 2**56
    return None


def sdk_of(resource: Resource) -> str:
    attributes = opened(resource.attributes)
    told = (attributes.get(f"telemetry.sdk.{part}") for part in ("language", "name", "version"))
    return storable(" ".join(str(plain(value)) for value in told if value))[:200]


def seen_in(batch: Batch, outcome: Outcome, environment: str) -> dict[Identity, Seen]:
    """What one stored request says about its senders. Pure."""
    found: dict[Identity, Seen] = {}
    by_resource: dict[bytes, Seen] = {}

    def seen_for(resource: Resource) -> Seen:
        seen = by_resource.get(resource.resource_id)
        if seen is None:
            identity = _identity(resource, environment, batch.transport)
            seen = found.setdefault(identity, Seen(batch.received_ns, batch.received_ns))
            by_resource[resource.resource_id] = seen
        return seen

    newest: dict[int, int] = {}
    _count_spans(batch.spans, seen_for, newest)
    _count_logs(batch.logs, seen_for, newest)
    for seen in found.values():
        latest_ns = newest.get(id(seen), 0)
        live = batch.transport != IMPORT
        seen.offset_ns = batch.received_ns - latest_ns if latest_ns and live else None
    for refusal in batch.refusals:
        _refuse(found, refusal, batch, environment)
    for refusal in outcome.refusals:
        seen = _refuse(found, refusal, batch, environment)
        # These were counted as accepted above.
        seen.spans, seen.logs = _less(seen.spans, refusal, batch.spans), _less(seen.logs, refusal, batch.logs)
    for resource_id, count in outcome.again.items() if batch.transport != IMPORT else ():
        by_resource[resource_id].resent += count
    return found


def _less(count: int, refusal: Refusal, records: list[Span] | list[Log]) -> int:
    return max(count - refusal.count, 0) if records else count


_RESOURCE_ID = attrgetter("resource.resource_id")


def _count_spans(spans: Iterable[Span], seen_for: Callable[[Resource], Seen], newest: dict[int, int]) -> None:
    # The spans of a resource follow each other: one look-up a run.
    for _, run in groupby(spans, key=_RESOURCE_ID):
        of_one = list(run)
        seen = seen_for(of_one[0].resource)
        seen.spans += len(of_one)
        seen.sampled += sum(
            1
            for span in of_one
            if (span.trace_state or span.flags & _W3C_FLAGS) and is_sampled(span.trace_state, span.flags)
        )
        ends = [span.end_ns for span in of_one if FIRST_NS <= span.end_ns < LAST_NS]
        newest[id(seen)] = max([newest.get(id(seen), 0), *ends])


def _count_logs(logs: Iterable[Log], seen_for: Callable[[Resource], Seen], newest: dict[int, int]) -> None:
    for log in logs:
        seen = seen_for(log.resource)
        seen.logs += 1
        if log.time_ns > newest.get(id(seen), 0) and is_plausible(log.time_ns):
            newest[id(seen)] = log.time_ns


def _identity(resource: Resource, environment: str, transport: str) -> Identity:
    return (
        resource.service[:200],
        (resource.environment or environment)[:100],
        sdk_of(resource),
        transport,
    )


def _refuse(found: dict[Identity, Seen], refusal: Refusal, batch: Batch, environment: str) -> Seen:
    unknown = ("", "", "", batch.transport)
    identity = (
        _identity(refusal.resource, environment, batch.transport) if refusal.resource is not None else unknown
    )
    seen = found.setdefault(identity, Seen(batch.received_ns, batch.received_ns))
    seen.refusals[storable(refusal.reason)[:_LONGEST_SENTENCE]] += refusal.count
    return seen


class Senders:
    """What waits to be written, and the thread that writes it. Safe to share between threads."""

    def __init__(self, conninfo: Callable[[], str], environment: str) -> None:
        self._conninfo = conninfo
        self._environment = environment
        self._waiting: dict[Identity, Seen] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="senders", daemon=True)
        self._thread.start()

    def note(self, batch: Batch, outcome: Outcome) -> None:
        try:
            self._add(seen_in(batch, outcome, self._environment))
        except Exception:
            logger.exception("a sender could not be noted")

    def note_refused(self, transport: str, sentence: str) -> None:
        """A request refused whole: its sender is not known."""
        now = now_ns()
        seen = Seen(now, now, refusals=Counter({storable(sentence)[:_LONGEST_SENTENCE]: 1}))
        self._add({("", "", "", transport): seen})

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._stop.set()
        self._thread.join(5)

    def _add(self, found: dict[Identity, Seen]) -> None:
        with self._lock:
            for identity, seen in found.items():
                known = self._waiting.get(identity)
                if known is not None:
                    known.add(seen)
                elif len(self._waiting) < _MOST_WAITING:
                    self._waiting[identity] = seen

    def _run(self) -> None:
        stopping = False
        while not stopping:
            stopping = self._stop.wait(FLUSH_S)
            self.flush()

    def flush(self) -> None:
        """Write what waits; what cannot be written waits on."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        if not taken:
            return
        try:
            write(self._conninfo(), taken)
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedTable):
            # Away, or not migrated yet.
            self._add(taken)
        except Exception:
            logger.exception("the senders could not be written")


# Serves the page of senders. Refusals of both are added up and the most frequent sentences kept; the offset
# follows a smaller one at once and a larger one slowly, because only the quickest arrival shows the clock.
_UPSERT = f"""
INSERT INTO tracing_sender AS known (service, environment, sdk, transport, first_seen_ns, last_seen_ns,
    accepted_spans, accepted_logs, resent, refused, refusals, clock_offset_ns, sampled_spans)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (service, environment, sdk, transport) DO UPDATE SET
    first_seen_ns = least(known.first_seen_ns, EXCLUDED.first_seen_ns),
    last_seen_ns = greatest(known.last_seen_ns, EXCLUDED.last_seen_ns),
    accepted_spans = known.accepted_spans + EXCLUDED.accepted_spans,
    accepted_logs = known.accepted_logs + EXCLUDED.accepted_logs,
    resent = known.resent + EXCLUDED.resent,
    refused = known.refused + EXCLUDED.refused,
    refusals = (
        SELECT coalesce(jsonb_object_agg(sentence, times), '{{}}') FROM (
            SELECT key AS sentence, sum(value::bigint) AS times FROM (
                SELECT * FROM jsonb_each_text(known.refusals)
                UNION ALL SELECT * FROM jsonb_each_text(EXCLUDED.refusals)
            ) AS both_of_them GROUP BY key ORDER BY times DESC, key LIMIT {_MOST_SENTENCES}
        ) AS most_frequent),
    clock_offset_ns = CASE
        WHEN EXCLUDED.clock_offset_ns IS NULL THEN known.clock_offset_ns
        WHEN known.clock_offset_ns IS NULL OR EXCLUDED.clock_offset_ns < known.clock_offset_ns
            THEN EXCLUDED.clock_offset_ns
        ELSE known.clock_offset_ns + (EXCLUDED.clock_offset_ns - known.clock_offset_ns) / 16 END,
    sampled_spans = known.sampled_spans + EXCLUDED.sampled_spans
"""


def write(conninfo: str, found: dict[Identity, Seen]) -> None:
    """Add what was seen to the table, in key order, so that two writers never wait for each other."""
    rows = [_row(identity, found[identity]) for identity in sorted(found)]
    with psycopg.connect(conninfo, connect_timeout=2) as connection:
        connection.cursor().executemany(_UPSERT.encode(), rows)


def _row(identity: Identity, seen: Seen) -> tuple[object, ...]:
    sentences = dict(seen.refusals.most_common(_MOST_SENTENCES))
    return (
        *identity,
        seen.first_ns,
        seen.last_ns,
        seen.spans,
        seen.logs,
        seen.resent,
        seen.refusals.total(),
        orjson.dumps(sentences).decode(),
        seen.offset_ns,
        seen.sampled,
    )


_lock = threading.Lock()
_shared: Senders | None = None


def shared() -> Senders:
    """The one of this process, writing to Django's default database; closed when the process ends."""
    global _shared
    with _lock:
        if _shared is None:
            from django.conf import settings

            from tracing.database import conninfo

            _shared = Senders(conninfo, settings.ENVIRONMENT)
            atexit.register(_shared.close)
        return _shared
