"""The store: decoded batches in, "committed" out.

`Store.put` blocks until its batch is on disk: 200 means committed. Batches that arrive together share one
transaction. `tracing.committing` does the committing, on a connection a thread; here is who waits for whom.
"""

import logging
import queue
import threading
from dataclasses import dataclass, field
from typing import Any

import psycopg

from tracing.committing import Committer
from tracing.partitions import Unready
from tracing.records import Batch, Outcome

__all__ = ["Outcome", "Store", "Unavailable"]

logger = logging.getLogger(__name__)

# Measured: 1,000 to 5,000 rows a transaction are best.
ROWS_A_TRANSACTION = 4_000
WRITERS = 2
# A batch that waits longer than this is given back as unavailable: exporters give up after ten seconds.
PATIENCE_S = 8.0


class Unavailable(Exception):
    """The batch could not be committed and should be sent again. `sentence` says why."""

    def __init__(self, sentence: str, retry_after_s: int = 2) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after_s = retry_after_s


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
    """Writes batches through a few connections of its own. Safe to share between threads.

    `live` is False where the records are an import's: they are stored like any other, but are neither late nor traffic.
    """

    def __init__(
        self,
        conninfo: str,
        environment: str,
        max_days: int = 400,
        writers: int = WRITERS,
        *,
        live: bool = True,
    ) -> None:
        self._live = live
        self._conninfo = conninfo
        self._environment = environment
        self._max_days = max_days
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._digest_key: bytes | None = None
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
        committer = Committer(self._conninfo, self._environment, self._max_days, live=self._live)
        while (job := self._jobs.get()) is not None:
            jobs, last = self._gather(job)
            try:
                _store(committer, jobs)
            except Exception as error:  # whatever happens, nobody is left waiting and the thread lives
                committer.close()
                _give_back(jobs, error)
            if last:
                break
        committer.close()

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


def _store(committer: Committer, jobs: list[_Job]) -> None:
    """Commit and answer: in one transaction if that goes, else one after the other."""
    jobs = [job for job in jobs if not job.abandoned]
    outcomes = committer.together([job.batch for job in jobs]) if len(jobs) > 1 else None
    for number, job in enumerate(jobs):
        try:
            job.outcome = outcomes[number] if outcomes else committer.alone(job.batch)
        except Unready as reason:
            job.error = Unavailable(str(reason), 1)
        job.done.set()


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
