"""What a receiving process knows of senders' keys, so that a request is let in or refused before its body is read.

A thread reads the table every second and writes back what was used; asking costs a request a hash and a look-up. Pages and
commands make the keys (`tracing.senderkeys`), `otlp.http` and `otlp.grpc` ask. Where the database is away what was known
last holds: the door neither opens nor shuts.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg

from tracing.allowance import Allowance
from tracing.clock import now_ns
from tracing.oneway import digest

logger = logging.getLogger(__name__)

EVERY_S = 1.0
# A key made a moment ago is looked for at once, but not at every guess.
LEAST_S = 0.05
MOST_STRANGE = 10_000
# How long a request waits for a look it needs.
PATIENCE_S = 1.0
USED_EVERY_NS = 60 * 1_000_000_000
# Of the threads that answer, so many may wait for a look: whoever guesses keys takes the others from nobody.
MOST_WAITING = 4
# Exporters give up on a longer wait.
LONGEST_WAIT_S = 9

_READ = "SELECT id, digest, name, per_second, revoked_ns IS NOT NULL, until_ns, spent FROM tracing_senderkey"
_USED = """
UPDATE tracing_senderkey SET used_ns = greatest(coalesce(used_ns, 0), %s), spent = spent + %s WHERE id = %s
"""
NO_KEY = "no key: this Threadline asks for one, as Authorization: Bearer tlk_… or x-threadline-key (Settings → Keys)"
STRANGE = "an unknown key: it was not made here, or was copied wrong (Settings → Keys)"
CROWDED = "many unknown keys are tried at once, so this one could not be looked for; send it again"
NOT_YET = "whose keys are valid is not known yet, because the database does not answer; send it again"


class Refused(Exception):
    """Not let in. `retry_after_s` is set where sending again later will help."""

    def __init__(self, sentence: str, retry_after_s: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after_s = retry_after_s


class Key:
    """A key as this process knows it, over all looks: what it may still send, and what was not written yet."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = ""
        self.is_revoked = False
        self.until_ns: int | None = None
        self.allowance: Allowance | None = None
        self.used_ns = 0  # since the last write; 0 where nobody came
        self.written_ns = 0
        self.unwritten = 0
        self.spent: int | None = None  # by all processes, as read last
        self._lock = threading.Lock()

    def admit(self) -> None:
        """Raises Refused."""
        if self.is_revoked:
            raise Refused(f"revoked key {self.name}")
        if self.until_ns is not None and self.until_ns <= now_ns():
            raise Refused(f"the key {self.name} is over")
        wait_s = self.allowance.wait_s() if self.allowance else 0
        if wait_s and self.allowance:
            sentence = (
                f"the key {self.name} is over its limit of {self.allowance.per_second} records a second"
            )
            raise Refused(sentence, min(wait_s, LONGEST_WAIT_S))
        self.used_ns = now_ns()

    def spend(self, records: int) -> None:
        if self.allowance is not None:
            self.allowance.spend(records)
            with self._lock:
                self.unwritten += records

    def read(
        self, name: str, per_second: int | None, is_revoked: bool, until_ns: int | None, spent: int, own: int
    ) -> None:
        """What the table says now; `own` of what was spent since is ours and paid for already."""
        self.name, self.is_revoked, self.until_ns = name, is_revoked, until_ns
        if per_second is None:
            self.allowance = None
        elif self.allowance is None or self.allowance.per_second != per_second:
            self.allowance = Allowance(per_second)
        elif self.spent is not None:
            self.allowance.spend(max(spent - self.spent - own, 0))
        self.spent = spent

    def due(self, at_ns: int) -> int | None:
        """Records to write down as spent; None where there is nothing to write."""
        with self._lock:
            if not self.unwritten and (not self.used_ns or at_ns - self.written_ns < USED_EVERY_NS):
                return None
            taken, self.unwritten = self.unwritten, 0
        return taken

    def give_back(self, records: int) -> None:
        with self._lock:
            self.unwritten += records


class Keyring:
    """All keys, and the thread that keeps them true. Safe to share between threads."""

    def __init__(self, conninfo: Callable[[], str], is_reachable: Callable[[], bool]) -> None:
        self._conninfo = conninfo
        self._is_reachable = is_reachable
        self._keys: dict[bytes, Key] | None = None
        self._looked = 0.0  # when the last look began that came to an end
        self._connection: psycopg.Connection | None = None
        self._lock = threading.Lock()
        # Once strange, always strange: a key is in the table before anybody can know it. So one that is wrong is looked
        # for once, however often its sender tries.
        self._strange: set[bytes] = set()
        self._news = threading.Condition()
        self._waiting = threading.BoundedSemaphore(MOST_WAITING)
        self._wanted = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="keys", daemon=True)

    def start(self) -> "Keyring":
        self._thread.start()
        return self

    def close(self) -> None:
        """Write what was used and end the thread."""
        self._stop = True
        self._wanted.set()
        self._thread.join(5)

    def admit(self, secret: str) -> Key | None:
        """The key of a request, None where none is asked for; never waits. Raises Refused."""
        keys = self._keys
        if keys is None:
            raise Refused(NOT_YET, 2)
        if not keys and not self._is_reachable():
            return None
        if not secret:
            raise Refused(NO_KEY)
        found = keys.get(digest(secret))
        if found is None:
            raise Refused(STRANGE)
        found.admit()
        return found

    def admit_patiently(self, secret: str) -> Key | None:
        """The same; what cannot be told from what is known is looked up first. Raises Refused."""
        try:
            return self.admit(secret)
        except Refused as refused:
            if refused.sentence not in (STRANGE, NOT_YET) or digest(secret) in self._strange:
                raise
            looked = self._look_for_it() if refused.sentence == STRANGE else self._await_look()
        try:
            return self.admit(secret)
        except Refused as refused:
            if looked and refused.sentence == STRANGE:
                self._remember(digest(secret))
            raise

    def _remember(self, strange: bytes) -> None:
        if len(self._strange) >= MOST_STRANGE:
            self._strange.clear()
        self._strange.add(strange)

    def _look_for_it(self) -> bool:
        if not self._waiting.acquire(blocking=False):
            raise Refused(CROWDED, 2)
        try:
            return self._await_look()
        finally:
            self._waiting.release()

    def _await_look(self) -> bool:
        """Until a look has ended that began from now on; False where none did in a moment."""
        asked = time.monotonic()
        self._wanted.set()
        with self._news:
            return self._news.wait_for(lambda: self._looked >= asked, PATIENCE_S)

    def _run(self) -> None:
        while not self._stop:
            self.look()
            time.sleep(LEAST_S)
            self._wanted.wait(EVERY_S - LEAST_S)
            self._wanted.clear()
        self.look()
        self._leave()

    def look(self) -> None:
        """Write what was used, read what is valid."""
        began = time.monotonic()
        try:
            with self._lock:
                self._read(self._written())
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.UndefinedTable):
            # Away, or not migrated yet: what was known holds.
            self._leave()
        except Exception:
            logger.exception("the keys could not be read")
            self._leave()
        else:
            with self._news:
                self._looked = began
                self._news.notify_all()

    def _connected(self) -> psycopg.Connection:
        if self._connection is None:
            self._connection = psycopg.connect(self._conninfo(), autocommit=True, connect_timeout=2)
        return self._connection

    def _written(self) -> dict[int, int]:
        """What each key spent here since the last look, now in the table."""
        at_ns, written = now_ns(), {}
        for key in list((self._keys or {}).values()):
            records = key.due(at_ns)
            if records is None:
                continue
            try:
                self._connected().execute(_USED, (key.used_ns, records, key.number))
            except Exception:
                key.give_back(records)
                raise
            key.written_ns, key.used_ns = at_ns, 0
            written[key.number] = records
        return written

    def _read(self, written: dict[int, int]) -> None:
        known = {key.number: key for key in (self._keys or {}).values()}
        found: dict[bytes, Key] = {}
        row: Any
        for row in self._connected().execute(_READ).fetchall():
            number, hashed, name, per_second, is_revoked, until_ns, spent = row
            key = known.get(number) or Key(number)
            key.read(name, per_second, is_revoked, until_ns, spent, written.get(number, 0))
            found[bytes(hashed)] = key
        self._keys = found

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


_lock = threading.Lock()
_shared: Keyring | None = None


def shared() -> Keyring:
    """The one of this process, on Django's default database; closed when the process ends."""
    global _shared
    with _lock:
        if _shared is None:
            from tracing import guarding
            from tracing.database import conninfo

            _shared = Keyring(conninfo, guarding.is_reachable).start()
            atexit.register(_shared.close)
        return _shared


def look_again() -> None:
    """This process's keys as they are in the table now."""
    if _shared is not None:
        _shared.look()


def secret_in(authorization: str, own_header: str) -> str:
    """The key that a request brings: as a bearer's token, or in a header of our own where a proxy needs the other."""
    scheme, _, told = authorization.strip().partition(" ")
    if scheme.lower() == "bearer" and told.strip().startswith("tlk_"):
        return told.strip()
    return own_header.strip() or (told.strip() if scheme.lower() == "bearer" else "")
