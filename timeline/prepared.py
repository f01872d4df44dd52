"""Large flows, read once and kept for the next window; the largest are read beside the request, which shows how far it is.

A story holds while the flow's pulse is the same. What is kept is bounded: by bytes over all flows, and by the time nobody
asked for it. `timeline.queries.story` reads, `timeline.window` asks here.
"""

import ctypes
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, fields

import numpy as np
from django.db import connection

from timeline.asked import Cursor
from timeline.layout.forest import Forest
from timeline.layout.plan import Fold
from timeline.queries.pulse import Pulse
from timeline.queries.skeleton import current_snapshot
from timeline.queries.story import Story, read_story
from timeline.quiet import collector_held
from timeline.staged import is_staged
from timeline.summaries import FlowSummary

KEPT_FROM = 5_000  # rows; less is read faster than it is worth keeping
BESIDE_FROM = 150_000  # records: what takes longer than a reader waits without being told
PATIENCE_S = 1.0  # a page waits so long before it shows progress
MOST_BYTES = 384 * 2**20  # of all that is kept
KEPT_S = 600.0
AGAIN_S = 10.0  # a large flow that moves is read anew no more often
AT_ONCE = 2  # flows that are read beside requests; others wait their turn

Key = tuple[str, bytes, bool, bool, frozenset[str]]
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Kept:
    """A story as of a snapshot. Of a heavy flow, and of requests beside one, it holds the chapters asked for only."""

    story: Story
    snapshot: str
    pulse: str
    size: int  # bytes
    records: int  # of its traces, as its pulse told
    used: float
    read_at: float


@dataclass(slots=True)
class Progress:
    """How far a flow is on its way: what is being done, and about how much of the whole is done."""

    records: int
    stage: str = "waiting for another large flow"
    share: float = 0.0
    began: float = field(default_factory=time.monotonic)
    failed: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)

    def tell(self, stage: str, share: float) -> None:
        """What is being done from now on, and which share of the whole is done by then, from 0 to 1."""
        self.stage, self.share = stage, share


class Shelf:
    """Everything that is kept, for all threads of a process."""

    def __init__(self, most_bytes: int = MOST_BYTES, kept_s: float = KEPT_S) -> None:
        self._most_bytes, self._kept_s = most_bytes, kept_s
        self._lock = threading.Lock()
        self._kept: dict[Key, Kept] = {}
        self._coming: dict[Key, Progress] = {}
        self._turn = threading.Semaphore(AT_ONCE)
        self._timer: threading.Timer | None = None

    @property
    def size(self) -> int:
        """Bytes that are held now."""
        return sum(kept.size for kept in self._kept.values())

    def story(
        self, flow: FlowSummary, fold: Fold, cursor: Cursor | None, pulse: Pulse, *, latest: bool = True
    ) -> Kept:
        """The story, kept or read now. Unless the latest is asked for, a large flow may be as before its latest records."""
        if is_staged():
            # What is kept is of the real tables, and a copy is small.
            snapshot = cursor.snapshot if cursor else current_snapshot()
            return _kept(read_story(flow, snapshot, fold), snapshot, pulse)
        found = self._find(flow, fold, cursor)
        stale_will_do = not latest and pulse.records >= BESIDE_FROM
        if found is not None and (cursor or found.pulse == pulse.text or stale_will_do):
            return found
        # However many ask for large flows at once, few are in memory at once.
        with self._turn if pulse.records >= BESIDE_FROM else nullcontext():
            snapshot = cursor.snapshot if cursor else current_snapshot()
            kept = _kept(read_story(flow, snapshot, fold), snapshot, pulse)
        if cursor is None:
            self._keep(flow, fold, kept)
        return kept

    def coming(
        self,
        flow: FlowSummary,
        fold: Fold,
        cursor: Cursor | None,
        pulse: Pulse,
        patience_s: float = PATIENCE_S,
    ) -> Progress | None:
        """None where a story can be had now; else how far it is. Reading begins with the first who asks."""
        if pulse.records < BESIDE_FROM or cursor or is_staged():
            return None
        found = self._find(flow, fold, cursor)
        if found is not None and (found.pulse == pulse.text or time.monotonic() - found.read_at < AGAIN_S):
            return None
        progress = self._begun(flow, fold, pulse)
        # What was read before is shown until the new one is there, or while it cannot be read.
        if found is None:
            progress.done.wait(patience_s)
        if progress.failed is not None:
            # Whoever hears of it takes it away, and the next one tries anew.
            with self._lock:
                self._coming.pop(_key(flow, fold), None)
            if found is None:
                raise progress.failed
        return None if found is not None or progress.done.is_set() else progress

    def _begun(self, flow: FlowSummary, fold: Fold, pulse: Pulse) -> Progress:
        """One thread a flow, however many ask and whatever comes meanwhile."""
        key = _key(flow, fold)
        with self._lock:
            progress = self._coming.get(key)
            if progress is None:
                progress = self._coming[key] = Progress(pulse.records)
                reading = (flow, fold, pulse, progress)
                threading.Thread(target=self._read, args=reading, name="preparing", daemon=True).start()
        return progress

    def _read(self, flow: FlowSummary, fold: Fold, pulse: Pulse, progress: Progress) -> None:
        try:
            with self._turn, collector_held():
                snapshot = current_snapshot()
                story = read_story(flow, snapshot, fold, progress.tell)
                self._keep(flow, fold, _kept(story, snapshot, pulse))
        except Exception as problem:
            log.exception("a flow could not be prepared")
            progress.failed = problem
        finally:
            connection.close()
            _give_back()
            with self._lock:
                if progress.failed is None:
                    self._coming.pop(_key(flow, fold), None)
            progress.done.set()

    def _find(self, flow: FlowSummary, fold: Fold, cursor: Cursor | None) -> Kept | None:
        """What is kept of a flow; to a cursor only what its page was of."""
        with self._lock:
            self._sweep()
            kept = self._kept.get(_key(flow, fold)) or self._kept.get(_any_chapters(flow, fold))
            if kept is None or (cursor and kept.snapshot != cursor.snapshot):
                return None
            kept.used = time.monotonic()
            return kept

    def _keep(self, flow: FlowSummary, fold: Fold, kept: Kept) -> None:
        beside = kept.records >= BESIDE_FROM
        if not beside and (len(kept.story.forest) < KEPT_FROM or kept.size > self._most_bytes):
            return
        whole = flow.kind != "request" and not kept.story.heavy
        key = _any_chapters(flow, fold) if whole else _key(flow, fold)
        with self._lock:
            self._kept.pop(key, None)
            self._sweep(kept.size)
            self._kept[key] = kept
            self._look_again()

    def _look_again(self) -> None:
        """Memory is given back though nobody asks any more: one timer while anything is kept."""
        if self._timer is None and self._kept:
            self._timer = threading.Timer(self._kept_s + 1, self._swept)
            self._timer.daemon = True
            self._timer.start()

    def _swept(self) -> None:
        with self._lock:
            self._timer = None
            self._sweep()
            self._look_again()
        _give_back()

    def _sweep(self, more: int = 0) -> None:
        """Drop what nobody asked for in a while, then the least recently used until there is room for `more` bytes."""
        now = time.monotonic()
        for key, kept in list(self._kept.items()):
            if now - kept.used > self._kept_s:
                del self._kept[key]
        for key, _ in sorted(self._kept.items(), key=lambda item: item[1].used):
            # One that is larger than all the room is kept alone: it would be read for each of its windows.
            if self.size + more <= self._most_bytes or (not more and len(self._kept) == 1):
                return
            del self._kept[key]


def _kept(story: Story, snapshot: str, pulse: Pulse) -> Kept:
    now = time.monotonic()
    return Kept(story, snapshot, pulse.text, size_of(story), pulse.records, now, now)


def _key(flow: FlowSummary, fold: Fold) -> Key:
    """What decides what is read: of a request the ones beside it, of a heavy flow the chapters that are asked for."""
    own = f"c-{flow.identity.hex()}"
    chapters = {row for row in fold.opened if row.startswith("c-") and row != own}
    if flow.kind != "request":
        chapters |= {f"-{row}" for row in fold.folded if row.startswith("c-")}
    return flow.kind, flow.identity, fold.expand, fold.raw_clocks, frozenset(chapters)


def _any_chapters(flow: FlowSummary, fold: Fold) -> Key:
    """A story that holds all chapters of its flow is of any fold of them; a request has no such story."""
    return (
        flow.kind,
        flow.identity,
        fold.expand,
        fold.raw_clocks,
        frozenset({"" if flow.kind == "request" else "*"}),
    )


def size_of(story: Story) -> int:
    """Bytes of the arrays a story holds, and about those of its objects."""
    seen: dict[int, int] = {}
    for array in _arrays(story.forest):
        owner = array if array.base is None else array.base
        seen[id(owner)] = getattr(owner, "nbytes", array.nbytes)
    forest, tables = story.forest, story.forest.tables
    objects = (
        len(forest.groups)
        + len(forest.chapters)
        + len(forest.echoes)
        + len(tables.hints)
        + len(tables.exceptions)
    )
    return sum(seen.values()) + 300 * objects


def _arrays(forest: Forest) -> Iterator[np.ndarray]:
    for holder in (forest, forest.tables, forest.kin, forest.order):
        for one in fields(holder):
            value = getattr(holder, one.name)
            if isinstance(value, np.ndarray):
                yield value


def _give_back() -> None:
    """Free pages go back to the system: the C library keeps what it was given in pieces below its threshold."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return  # another C library


SHELF = Shelf()
