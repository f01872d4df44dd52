"""A file into the store: what `reading` makes of it, stored like everything received, and what became of it.

The same records again change nothing, so an import that was interrupted is simply repeated. What it says of its senders
is noted, their clocks are not: a file comes when somebody chooses.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

import psycopg

from tracing import rulebook, senders
from tracing.clock import now_ns
from tracing.correlation import Rulebook
from tracing.files.account import Account
from tracing.files.reading import batches
from tracing.files.unpacking import Stream
from tracing.mentions import Flow
from tracing.otlp.decode import Decoding
from tracing.records import Batch
from tracing.redaction import Redaction
from tracing.storing import Outcome, Store, Unavailable

# A database that restarts is back within a minute.
TRIES, PAUSE_S = 12, 5.0
# Different flows that are counted; what a file of a million orders holds beyond is not named.
MOST_FLOWS = 10_000


@dataclass(slots=True)
class Kept:
    """What became of a file. `account` has what was read and refused."""

    account: Account = field(default_factory=Account)
    stored: int = 0
    again: int = 0  # there already, or twice in the file
    flows: Counter[Flow] = field(
        default_factory=Counter
    )  # entities and workflows, by how many records name them
    traces: Counter[bytes] = field(default_factory=Counter)

    @property
    def told(self) -> str:
        """For the audit."""
        return f"{self.stored:,} records stored, {self.again:,} already there"

    def add(self, batch: Batch, outcome: Outcome) -> None:
        again = outcome.again.total()
        self.stored += outcome.stored_spans + outcome.stored_logs - again
        self.again += again
        for refusal in outcome.refusals:
            self.account.refuse(refusal.reason, count=refusal.count)

    def name(self, batch: Batch, rules: Rulebook) -> None:
        """Count the flows these records belong to."""
        readings = (*map(rules.read_span, batch.spans), *map(rules.read_log, batch.logs))
        for flow in (one.flow for reading in readings for one in reading.mentions):
            if flow in self.flows or len(self.flows) < MOST_FLOWS:
                self.flows[flow] += 1
        traces = (*(span.trace_id for span in batch.spans), *(log.trace_id for log in batch.logs))
        for trace in traces:
            if trace and (trace in self.traces or len(self.traces) < MOST_FLOWS):
                self.traces[trace] += 1


class Importer:
    """Stores files, with a store of its own; close it when done."""

    def __init__(self, conninfo: str, environment: str, max_days: int, redaction: Redaction) -> None:
        self._store = Store(conninfo, environment, max_days, writers=1, live=False)
        self._conninfo, self._environment = conninfo, environment
        self._redaction = redaction

    def keep(self, stream: Stream, kept: Kept, most_bytes: int = 0, tries: int = TRIES) -> None:
        """Store a file. Raises `Unreadable`, and `Unavailable` when the database stays away; `kept` says how far it came."""
        how = Decoding("json", self._store.digest_key, now_ns(), self._redaction, senders.IMPORT)
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            rules = rulebook.load(connection, self._environment)
        for batch in batches(stream, how, kept.account, most_bytes):
            outcome = self._put(batch, tries)
            kept.add(batch, outcome)
            kept.name(batch, rules)
            senders.shared().note(batch, outcome)

    def close(self) -> None:
        self._store.close()

    def _put(self, batch: Batch, tries: int) -> Outcome:
        for left in range(tries - 1, -1, -1):
            try:
                return self._store.put(batch)
            except Unavailable:
                if not left:
                    raise
                time.sleep(PAUSE_S)
        raise AssertionError("unreachable")
