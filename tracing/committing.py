"""Commits decoded batches on a connection of its own: together, alone, or by halves around what is refused.

A transaction that fails for a record's sake is run again without the others, and a record the database refuses is
found by halving and turned away alone. `tracing.storing` brings the batches, `tracing.writing` is the transaction.
"""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from tracing import partitions
from tracing.clock import now_ns
from tracing.partitions import Unready, is_catch_all
from tracing.records import Batch, Log, Outcome, Refusal, Resource, Span
from tracing.writing import DayClosed, Writer, all_records, days_of

DEADLOCK_TRIES = 5
# Classes of SQLSTATE: data exception, integrity (no partition), program limit (too deep, too wide).
RECORD_FAULTS = ("22", "23", "54")


class Committer:
    """Commits on one connection, made when needed and again after it broke. Not shared between threads."""

    def __init__(self, conninfo: str, environment: str, max_days: int, *, live: bool = True) -> None:
        self._link = _Link(conninfo, environment, live)
        self._max_days = max_days
        self._days: set[int] = set()

    def together(self, batches: Sequence[Batch]) -> list[Outcome] | None:
        """All in one transaction; None where that did not go for the sake of a record or a day."""
        spans = [span for batch in batches for span in batch.spans]
        logs = [log for batch in batches for log in batch.logs]
        try:
            if self._missing(spans, logs):
                return None
            again = self._write(spans, logs)
        except Unready:
            return None
        except Exception as error:
            if not _is_fault_of_a_record(error):
                raise
            return None
        repeats = {id(record) for record in again}
        return [_outcome(batch, repeats) for batch in batches]

    def alone(self, batch: Batch) -> Outcome:
        """One batch; what the database refuses of it is in the outcome. Raises Unready, and then it is to come again."""
        outcome = Outcome()
        spans, logs = self._within_days(batch, outcome)
        self._halve(spans, logs, outcome)
        return outcome

    def close(self) -> None:
        self._link.close()

    def _halve(self, spans: Sequence[Span], logs: Sequence[Log], outcome: Outcome) -> None:
        """Store what the database takes; a single record that it does not take is refused."""
        if not spans and not logs:
            return
        try:
            outcome.again.update(record.resource.resource_id for record in self._write(spans, logs))
        except Exception as error:
            if not _is_fault_of_a_record(error):
                raise
            if len(spans) + len(logs) == 1:
                record = next(all_records(spans, logs))
                sentence = f"The database refused this record: {_first_line(error)}"
                outcome.refusals.append(Refusal(1, sentence, record.resource))
                return
            for part in _halves(spans, logs):
                self._halve(*part, outcome)
            return
        outcome.stored_spans += len(spans)
        outcome.stored_logs += len(logs)

    def _write(self, spans: Sequence[Span], logs: Sequence[Log]) -> list[Span | Log]:
        """Store them; those that were there already."""
        for attempt in range(DEADLOCK_TRIES):
            try:
                return self._link.writer().write(spans, logs, now_ns())
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                if attempt == DEADLOCK_TRIES - 1:
                    raise
            except (psycopg.errors.CheckViolation, DayClosed):
                # Retention dropped a day between our look and our write: look again.
                self._days = set()
                self._missing(spans, logs)
                if attempt == DEADLOCK_TRIES - 1:
                    raise
            except psycopg.OperationalError as error:
                # A connection that died while idle says nothing of the database: once, try a new one.
                if attempt or not self._link.lost(error):
                    raise
        raise AssertionError("unreachable")

    def _missing(self, spans: Sequence[Span], logs: Sequence[Log]) -> set[int]:
        """Days of these records that have no partition and get none; those that may are created."""
        wanted = days_of(spans, logs) - self._days
        wanted = {day for day in wanted if not is_catch_all(day)}
        if not wanted:
            return set()
        there: set[int] = self._link.call(
            lambda connection: partitions.ensure(connection, wanted, self._max_days)
        )
        self._days = there
        return wanted - there

    def _within_days(self, batch: Batch, outcome: Outcome) -> tuple[list[Span], list[Log]]:
        missing = self._missing(batch.spans, batch.logs)
        if not missing:
            return batch.spans, batch.logs
        refused = [record for record in all_records(batch.spans, batch.logs) if record.day in missing]
        sentence = (
            f"{self._max_days} different days are stored already and no further day is accepted; check the"
            " sender's clock, or raise THREADLINE_MAX_DAYS."
        )
        for resource, count in _by_resource(refused):
            outcome.refusals.append(Refusal(count, sentence, resource))
        spans = [span for span in batch.spans if span.day not in missing]
        return spans, [log for log in batch.logs if log.day not in missing]


class _Link:
    """A writer's connection, opened when needed and again after it broke."""

    def __init__(self, conninfo: str, environment: str, live: bool) -> None:
        self._conninfo = conninfo
        self._environment = environment
        self._live = live
        self._writer: Writer | None = None

    def writer(self) -> Writer:
        if self._writer is None or self._writer.connection.closed:
            connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2)
            connection.execute("SET plan_cache_mode = force_generic_plan")
            self._writer = Writer(connection, self._environment, live=self._live)
        return self._writer

    def call(self, ask: Callable[[psycopg.Connection], Any]) -> Any:
        """Ask on this connection; once more on a new one if it turns out to be dead."""
        try:
            return ask(self.writer().connection)
        except psycopg.OperationalError as error:
            if not self.lost(error):
                raise
            return ask(self.writer().connection)

    def lost(self, error: psycopg.Error) -> bool:
        """Whether the connection itself is gone; if so it is dropped."""
        if self._writer is not None and self._writer.connection.closed:
            self.close()
            return True
        return False

    def close(self) -> None:
        if self._writer is not None:
            self._writer.connection.close()
            self._writer = None


def _outcome(batch: Batch, repeats: set[int]) -> Outcome:
    """A batch that was stored with others; `repeats` are the `id()`s of records that were there already."""
    outcome = Outcome(len(batch.spans), len(batch.logs))
    if repeats:
        records = all_records(batch.spans, batch.logs)
        outcome.again.update(record.resource.resource_id for record in records if id(record) in repeats)
    return outcome


def _by_resource(records: Sequence[Span | Log]) -> list[tuple[Resource, int]]:
    resources = {record.resource.resource_id: record.resource for record in records}
    counts = Counter(record.resource.resource_id for record in records)
    return [(resource, counts[resource_id]) for resource_id, resource in resources.items()]


def _is_fault_of_a_record(error: Exception) -> bool:
    """Whether a value is to blame: odd data, a limit exceeded, no place for it. All else is the database's trouble.

    Read-only after a failover, not migrated, no rights: senders must keep such batches, not drop them.
    """
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return error.sqlstate[:2] in RECORD_FAULTS
    return isinstance(error, psycopg.DataError | ValueError | OverflowError | struct.error)


def _halves(spans: Sequence[Span], logs: Sequence[Log]) -> list[tuple[Sequence[Span], Sequence[Log]]]:
    if spans and logs:
        return [(spans, ()), ((), logs)]
    if spans:
        middle = len(spans) // 2
        return [(spans[:middle], ()), (spans[middle:], ())]
    middle = len(logs) // 2
    return [((), logs[:middle]), ((), logs[middle:])]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
