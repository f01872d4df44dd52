"""The store: decoded batches in, "committed" out.

`Store.put` blocks until its batch is on disk: 200 means committed. Batches that arrive together share one
transaction; one that fails is run again alone, and a record the database refuses is found by halving and
turned away alone. `tracing.writing` is the transaction itself.
"""

import logging
import queue
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tracing import partitions
from tracing.clock import now_ns
from tracing.partitions import is_catch_all
from tracing.records import Batch, Log, Refusal, Span
from tracing.writing import DayClosed, Writer, all_records, days_of

logger = logging.getLogger(__name__)

# Measured: 1,000 to 5,000 rows a transaction are best.
ROWS_A_TRANSACTION = 4_000
WRITERS = 2
# A batch that waits longer than this is given back as unavailable: exporters give up after ten seconds.
PATIENCE_S = 8.0
DEADLOCK_TRIES = 5
# Classes of SQLSTATE: data exception, integrity (no partition), program limit (too deep, too wide).
RECORD_FAULTS = ("22", "23", "54")


class Unavailable(Exception):
    """The batch could not be committed and should be sent again. `sentence` says why."""

    def __init__(self, sentence: str, retry_after_s: int = 2) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Outcome:
    """What became of a batch. `refusals` are the records the store itself turned away."""

    stored_spans: int = 0
    stored_logs: int = 0
    resent: int = 0
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Job:
    batch: Batch
    done: threading.Event = field(default_factory=threading.Event)
    outcome: Outcome = field(default_factory=Outcome)
    error: Unavailable | None = None
    abandoned: bool = False

    @property
    def rows(self) -> int:
        return len(self.batch.spans) + len(self.batch.logs)


class Store:
    """Writes batches through a few connections of its own. Safe to share between threads."""

    def __init__(self, conninfo: str, environment: str, max_days: int = 400, writers: int = WRITERS) -> None:
        self._conninfo = conninfo
        self._environment = environment
        self._max_days = max_days
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._digest_key: bytes | None = None
        self._days: set[int] = set()
        self._threads = [
            threading.Thread(target=self._run, name=f"writer-{n}", daemon=True) for n in range(writers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def digest_key(self) -> bytes:
        """The installation's key for record digests. Raises Unavailable while the database is away."""
        if self._digest_key is None:
            self._digest_key = self._ask("SELECT digest_key FROM installation")
        return self._digest_key

    def ready(self) -> str | None:
        """None when a batch could be stored now, else the reason in a sentence."""
        try:
            self._digest_key = self._ask("SELECT digest_key FROM installation")
        except Unavailable as trouble:
            return trouble.sentence
        return None

    def put(self, batch: Batch) -> Outcome:
        """Store a batch; returns once it is committed. Raises Unavailable when it is not."""
        job = _Job(batch)
        if not job.rows:
            return job.outcome
        self._jobs.put(job)
        if not job.done.wait(PATIENCE_S):
            job.abandoned = True
            raise Unavailable("The database did not answer in time; send the batch again.", 3)
        if job.error:
            raise job.error
        return job.outcome

    def close(self) -> None:
        """Finish what was begun and close the connections."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _ask(self, question: str) -> Any:
        try:
            with psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2) as connection:
                row = connection.execute(question.encode()).fetchone()
        except psycopg.errors.UndefinedTable:
            raise Unavailable("The database is not migrated yet.", 1) from None
        except psycopg.Error:
            raise Unavailable("The database cannot be reached.", 1) from None
        if row is None:
            raise Unavailable("The database is not migrated yet.", 1)
        return row[0]

    def _run(self) -> None:
        """A writer thread: take what waits, store it, answer."""
        link = _Link(self._conninfo, self._environment)
        while (job := self._jobs.get()) is not None:
            jobs, last = self._gather(job)
            try:
                self._store_together(link, jobs)
            except Exception as error:  # whatever happens, nobody is left waiting and the thread lives
                link.close()
                _give_back(jobs, error)
            if last:
                break
        link.close()

    def _gather(self, job: _Job) -> tuple[list[_Job], bool]:
        """What waits now, up to a transaction's worth; and whether the store is closing."""
        jobs, rows = [job], job.rows
        while rows < ROWS_A_TRANSACTION:
            try:
                following = self._jobs.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return jobs, True
            jobs.append(following)
            rows += following.rows
        return jobs, False

    def _store_together(self, link: "_Link", jobs: list[_Job]) -> None:
        jobs = [job for job in jobs if not job.abandoned]
        if len(jobs) > 1:
            try:
                spans = [span for job in jobs for span in job.batch.spans]
                logs = [log for job in jobs for log in job.batch.logs]
                if not self._missing(link, spans, logs):
                    again = self._write(link, spans, logs)
                    _answer(jobs, again)
                    return
            except Exception as error:
                if not _is_fault_of_a_record(error):
                    raise
        for job in jobs:
            self._store_alone(link, job)

    def _store_alone(self, link: "_Link", job: _Job) -> None:
        outcome = Outcome()
        spans, logs = self._within_days(link, job.batch, outcome)
        self._halve(link, spans, logs, outcome)
        job.outcome = outcome
        job.done.set()

    def _halve(self, link: "_Link", spans: Sequence[Span], logs: Sequence[Log], outcome: Outcome) -> None:
        """Store what the database takes; a single record that it does not take is refused."""
        if not spans and not logs:
            return
        try:
            outcome.resent += self._write(link, spans, logs)
        except Exception as error:
            if not _is_fault_of_a_record(error):
                raise
            if len(spans) + len(logs) == 1:
                record = next(all_records(spans, logs))
                sentence = f"The database refused this record: {_first_line(error)}"
                outcome.refusals.append(Refusal(1, sentence, record.resource.service))
                return
            for part in _halves(spans, logs):
                self._halve(link, *part, outcome)
            return
        outcome.stored_spans += len(spans)
        outcome.stored_logs += len(logs)

    def _write(self, link: "_Link", spans: Sequence[Span], logs: Sequence[Log]) -> int:
        for attempt in range(DEADLOCK_TRIES):
            try:
                return link.writer().write(spans, logs, now_ns())
            except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
                if attempt == DEADLOCK_TRIES - 1:
                    raise
            except (psycopg.errors.CheckViolation, DayClosed):
                # Retention dropped a day between our look and our write: look again.
                self._days = set()
                self._missing(link, spans, logs)
                if attempt == DEADLOCK_TRIES - 1:
                    raise
            except psycopg.OperationalError as error:
                # A connection that died while idle says nothing of the database: once, try a new one.
                if attempt or not link.lost(error):
                    raise
        raise AssertionError("unreachable")

    def _missing(self, link: "_Link", spans: Sequence[Span], logs: Sequence[Log]) -> set[int]:
        """Days of these records that have no partition and get none; those that may are created."""
        wanted = days_of(spans, logs) - self._days
        wanted = {day for day in wanted if not is_catch_all(day)}
        if not wanted:
            return set()
        there: set[int] = link.call(lambda connection: partitions.ensure(connection, wanted, self._max_days))
        self._days = there
        return wanted - there

    def _within_days(self, link: "_Link", batch: Batch, outcome: Outcome) -> tuple[list[Span], list[Log]]:
        missing = self._missing(link, batch.spans, batch.logs)
        if not missing:
            return batch.spans, batch.logs
        refused = [record for record in all_records(batch.spans, batch.logs) if record.day in missing]
        sentence = (
            f"{self._max_days} different days are stored already and no further day is accepted; check the"
            " sender's clock, or raise THREADLINE_MAX_DAYS."
        )
        outcome.refusals.append(Refusal(len(refused), sentence, refused[0].resource.service))
        spans = [span for span in batch.spans if span.day not in missing]
        return spans, [log for log in batch.logs if log.day not in missing]


class _Link:
    """A writer's connection, opened when needed and again after it broke."""

    def __init__(self, conninfo: str, environment: str) -> None:
        self._conninfo = conninfo
        self._environment = environment
        self._writer: Writer | None = None

    def writer(self) -> Writer:
        if self._writer is None or self._writer.connection.closed:
            connection = psycopg.connect(self._conninfo, autocommit=True, connect_timeout=2)
            connection.execute("SET plan_cache_mode = force_generic_plan")
            self._writer = Writer(connection, self._environment)
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


def _is_fault_of_a_record(error: Exception) -> bool:
    """Whether a value is to blame: odd data, a limit exceeded, no place for it. All else is the database's trouble.

    Read-only after a failover, not migrated, no rights: senders must keep such batches, not drop them.
    """
    if isinstance(error, psycopg.Error) and error.sqlstate:
        return error.sqlstate[:2] in RECORD_FAULTS
    return isinstance(error, psycopg.DataError | ValueError | OverflowError | struct.error)


def _give_back(jobs: list[_Job], error: Exception) -> None:
    sentence = "The database cannot be reached; send the batch again."
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        sentence = "The batch could not be stored; send it again."
        logger.error("A batch could not be stored and is asked for again.", exc_info=error)
    for job in jobs:
        if not job.done.is_set():
            job.error = Unavailable(sentence, 2)
            job.error.__cause__ = error
            job.done.set()


def _answer(jobs: list[_Job], again: int) -> None:
    for job in jobs:
        job.outcome = Outcome(len(job.batch.spans), len(job.batch.logs))
        job.done.set()
    # Which request of a shared transaction the repeats came from is not kept; the first one reports them.
    jobs[0].outcome.resent = again


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
