"""A flow's records as one forest that always draws: chapters, their spans, and what hangs under those (pure).

Every record gets exactly one place, and the same records get the same places in any order of arrival. A record is a
number, a node: chapters first, then spans, events, logs, transitions and groups, each sorted by time and identity, so
comparing numbers settles ties. `growing` makes it, `kin` decides parents, `order` places; `plan` folds and filters.
What was not received (`Aside`) comes last and is hung in by `asides`.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from timeline.layout.kin import Kin
from timeline.layout.order import TOP, Ints, Order, Times
from timeline.layout.tables import Move, Table, Tables

Mask = NDArray[np.bool_]
CHAPTER, SPAN, EVENT, LOG, MOVE, GROUP, ASIDE = range(7)
ROW_WORDS = ("chapter", "span", "event", "log", "transition", "", "")


@dataclass(slots=True)
class Chapter:
    """What happened to a flow in one trace, or in the traceless logs of one service on one day."""

    id: str
    trace_id: bytes
    service: str = ""  # of traceless logs
    day: int = 0
    has_row: bool = True
    was_read: bool = True  # False: folded and unread, because the flow is very large
    start: int = 0
    end: int = 0
    count: int = 0  # records in it
    log_ids: frozenset[bytes] = frozenset()  # of traceless logs: whose they are


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Siblings drawn as one row until it is opened: tries of one thing, or many of the same."""

    row: str  # "retries" or "repeats"
    members: Ints  # nodes, in order of time
    failed: Mask  # of the members, in their order
    declared: bool  # by attributes; else inferred from how the records lie
    why: str = ""  # what it was inferred from, for people


@dataclass(frozen=True, slots=True)
class Aside:
    """A row of the timeline that is no record: a turn of the verdict, a message, a note, or what should come next."""

    row: str  # "flip", "notification", "note" or "ghost"
    id: str  # of the row
    start: int
    end: int
    name: str
    text: str = ""
    service: str = ""
    status: str = "unset"
    marks: tuple[str, ...] = ()
    expected_ns: int | None = None  # of a ghost: usually there by then, or said to be
    record: str = ""  # id of the row whose record said so
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """What is added to the times of a service. `agree` is False where its pairs bound nothing that holds for all of them."""

    service: int
    shift_ns: int
    agree: bool = True


@dataclass(slots=True)
class Forest:
    tables: Tables
    chapters: list[Chapter]
    kin: Kin
    kinds: NDArray[np.uint8]
    times: Times
    ends: Times  # never before the time
    parents: Ints
    order: Order
    bases: tuple[int, ...]  # first node of each kind
    failed: Mask  # spans with the status ERROR, logs at ERROR or above, exception events where they are known
    shown: Mask  # False for records of a trace that are not this flow's
    context: Mask  # the path up to a root that does not belong
    loose: Mask  # logs with no span, or one that never came
    echoes: dict[int, int] = field(default_factory=dict)  # a log telling an exception again -> the event
    groups: list[Group] = field(default_factory=list)
    echo_counts: dict[int, int] = field(default_factory=dict)  # what is told again -> how many times
    # When they are drawn: as told, until `timing` corrects clocks.
    drawn: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    drawn_ends: Times = field(default_factory=lambda: np.zeros(0, np.int64))
    waits: Times = field(
        default_factory=lambda: np.zeros(0, np.int64)
    )  # by span: drawn moment it waits from, or 0
    shifts: dict[int, Shift] = field(default_factory=dict)  # by service
    asides: list[Aside] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.echo_counts = Counter(self.echoes.values())
        if len(self.drawn) != len(self.times):
            self.drawn, self.drawn_ends = self.times, self.ends
            self.waits = np.zeros(len(self.spans), np.int64)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def spans(self) -> Table:
        return self.tables.spans

    @property
    def open_nodes(self) -> list[int]:
        """Spans that have begun and not come: work that goes on, as far as is known."""
        return [self.bases[SPAN] + row for row in self.kin.stand_ins.values()]

    @property
    def own(self) -> Mask:
        """The records that are the flow's: neither another's of the same trace, nor the path to a root that does not belong."""
        return self.shown & ~self.context & (self.kinds >= SPAN) & (self.kinds <= MOVE)

    def row_of(self, node: int) -> int:
        """A node's row in its own table."""
        return node - self.bases[int(self.kinds[node])]

    def node_of(self, kind: int, row: int) -> int:
        return self.bases[kind] + row

    def group(self, node: int) -> Group:
        return self.groups[self.row_of(node)]

    def move(self, node: int) -> Move:
        return self.tables.moves[self.row_of(node)]

    def children(self, node: int) -> list[int]:
        """The nodes right below, in order."""
        found, place = [], int(self.order.places[node])
        end, at = place + int(self.order.sizes[node]), place + 1
        while at < end:
            child = int(self.order.nodes[at])
            found.append(child)
            at += int(self.order.sizes[child])
        return found

    def ancestors(self, node: int) -> list[int]:
        """The nodes above one, from the nearest."""
        found = []
        while (node := int(self.parents[node])) != TOP:
            found.append(node)
        return found

    def any_inside(self, mask: Mask) -> Mask:
        """For each node, whether the mask holds for it or anything below it."""
        counts = np.concatenate(([0], np.cumsum(mask[self.order.nodes])))
        places = self.order.places
        return np.asarray(counts[places + self.order.sizes] > counts[places])

    def any_above(self, mask: Mask) -> Mask:
        """For each node, whether the mask holds for it or anything above it."""
        places, count = self.order.places[mask], len(self)
        edges = np.zeros(count + 1, np.int64)
        np.add.at(edges, places, 1)
        np.add.at(edges, places + self.order.sizes[mask], -1)
        return np.asarray(np.cumsum(edges[:-1])[self.order.places] > 0)


def log_id(row: Table) -> bytes:
    return int(row["high"]).to_bytes(8, "big") + int(row["low"]).to_bytes(8, "big")
