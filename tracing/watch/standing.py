"""What the judge is given and what it answers, as values (pure).

`courses` reads a flow's facts from the tables, `lore` what is known of its type; `judging` makes a `Standing` of both.
Times are Unix nanoseconds of the sender's clock unless they are called ours; None is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

VERDICTS = ("moving", "due", "late", "stuck", "unknown", "paused", "ended")
WRONG = frozenset({"late", "stuck"})


class Step(NamedTuple):
    """A place where a flow arrived: a state that one system began to say, or a milestone."""

    name: str
    system: str
    at_ns: int


class Stated(NamedTuple):
    """What a record said of the future. `what` is deadline, step or retry."""

    what: str
    said_ns: int
    by_ns: int
    step: str  # awaited; empty where any will do
    system: str  # who said so
    operation: str  # what is tried again
    attempt: int | None = None  # the one that said so
    most: int | None = None
    lasts_ns: int = 0  # how long a try of it takes, nearly always, as far as is known


class Closed(NamedTuple):
    """A person's word that a flow is over."""

    at_ns: int
    reason: str
    name: str


@dataclass(slots=True)
class Course:
    """One flow, as far as judging it needs: where it has been, what it said, when it was heard."""

    flow_id: bytes
    kind: int  # 1 entity, 2 workflow
    type: str
    key: str
    environment: str
    first_ns: int | None
    last_ns: int | None  # the end of the last record that carries its key
    steps: Sequence[Step] = ()  # in order, the latest last; at least the last few
    source: str = "milestone"  # or "state": what `steps` are
    stated: Sequence[Stated] = ()  # latest said last
    states: Mapping[str, str] = field(default_factory=dict)  # system -> what it says now
    closed: Closed | None = None
    beats: Sequence[int] = ()  # when its last chapters began, oldest first; for heartbeats
    later_ns: int | None = (
        None  # the latest milestone of its whole membership; known before it is called late
    )
    operations: Sequence[
        tuple[str, int]
    ] = ()  # what was begun after a promise of another try: operation, when


@dataclass(frozen=True, slots=True)
class History:
    """One flow of the past, for learning and back-tests. `source` says what its steps are: state or milestone."""

    flow_id: bytes
    key: str
    steps: Sequence[Step]
    source: str
    first_ns: int | None
    seen_until_ns: int


class Way(NamedTuple):
    """What comes after a step, and how often."""

    step: str
    system: str
    share: float


@dataclass(frozen=True, slots=True)
class Pace:
    """How long flows of a type stay at a step. Durations in nanoseconds; None where too few samples tell."""

    passed: int
    waiting: int
    p50: int | None = None
    p90: int | None = None
    p95: int | None = None
    p99: int | None = None
    threshold: int | None = None  # late after this; None while learning
    level: str | None = None  # p99, p95 or p90: what the samples suffice for
    needed: int = 29  # samples for the first level: "learning, 12 of 29"
    is_end: bool = False
    plateau: float = 0.0  # share of flows that stay for good, as far as is seen
    quiet: bool = False  # tried on the past it raised too many false alarms, or the type has no course: grey
    ways: tuple[Way, ...] = ()  # the most frequent first


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should come next, from whom, by when, and how we know."""

    step: str  # awaited; empty for anything at all
    system: str
    since_ns: int
    expected_ns: int
    late_ns: int
    stuck_ns: int
    source: str  # stated, rule, heartbeat, learned, type
    reason: str  # step, deadline, retry, heartbeat
    quiet: bool  # grey: shown, never told
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is to be said of a flow now. `looks_ns` is when to look again (our clock); None: when a record comes."""

    verdict: str
    since_ns: int  # the true moment from which it holds
    step: Step | None
    expectation: Expectation | None
    looks_ns: int | None
    evidence: Mapping[str, Any] = field(default_factory=dict)
