"""The rows of one window as the JSON contract names them, with the marks a page draws beside them.

`layout.plan` decides which rows there are and where, `timeline.saying` what each says; here their details are read, for
the window only. `timeline.drawing` puts them on the axis, `timeline.text` into lines.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from timeline.layout.forest import CHAPTER, EVENT, GROUP, LOG, SPAN, Forest, log_id
from timeline.layout.order import TOP
from timeline.layout.plan import Plan
from timeline.queries.bykey import Key, keys
from timeline.queries.details import LogDetail, SpanDetail, read_log_details, read_span_details
from timeline.queries.story import Story
from tracing.attempts import DECLARED
from tracing.records import day_of
from tracing.stating import REASON


class Part(NamedTuple):
    """One try as it is drawn."""

    start: int
    end: int
    failed: bool


class Tied(NamedTuple):
    """A span link as it stands in a row: an arrow and the other end's name, and where it leads."""

    text: str
    href: str
    title: str


@dataclass(slots=True)
class Row:
    """One row. `service` is empty where unknown, `start` 0 where no time was told: null in JSON."""

    row: str
    id: str
    parent: str | None
    depth: int
    trace_id: str | None
    span_id: str | None
    service: str
    name: str
    start: int
    duration: int | None = None
    status: str = "unset"
    context: bool = False
    attempt: int | None = None
    count: int | None = None
    text: str | None = None
    marks: list[str] = field(default_factory=list)
    # What only a page needs.
    open: bool | None = None  # whether it is unfolded; None where nothing is inside
    extra_open: bool | None = None  # the same for other versions, and for a log that tells an event again
    dim: bool = False
    holds_failure: bool = False  # something that failed is folded away in it
    severity: str = ""
    level: int = 0  # a log's severity number, 0 where none was told
    received_ns: int | None = None  # our clock, for what has no time of its own
    href: str = ""  # of the record's own page
    record: str = ""  # id of the row whose record this one shows, where that is another
    drawn: int = 0  # when it is drawn: its start, the clock of its service corrected
    drawn_end: int = 0
    waits_from: int = 0  # the drawn moment from which it waited; 0 where nobody says
    parts: list[Part] = field(default_factory=list)  # the tries of a group
    path: list[tuple[int, int]] = field(default_factory=list)  # its stretches of the critical path
    why: str = ""  # what a group was inferred from
    links: list["Tied"] = field(default_factory=list)  # where its span links lead
    hits: int = 0  # how many finds it stands for: itself, and what is folded away in it
    usual_ns: int | None = None  # how long its operation usually takes, where this one took far longer
    expected_ns: int | None = None  # when what a ghost stands for was usual or promised
    self_ns: int | None = None  # how long it worked while nothing below it did; None where nobody asked

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "id": self.id,
            "parent": self.parent,
            "depth": self.depth,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "service": self.service or None,
            "name": self.name,
            "start": str(self.start) if self.start else None,
            "duration": None if self.duration is None else str(self.duration),
            "status": self.status,
            "context": self.context,
            "attempt": self.attempt,
            "count": self.count,
            "text": self.text,
            "marks": self.marks,
            "why": self.why or None,
            "hits": self.hits,
            "waited": str(self.drawn - self.waits_from) if self.waits_from else None,
        }


@dataclass(slots=True)
class Details:
    """What the records of a window say, by what they are."""

    forest: Forest
    spans: dict[Key, SpanDetail]
    logs: dict[bytes, LogDetail]

    def span(self, row: int) -> SpanDetail:
        found = self.spans.get(key_of(self.forest, row))
        status = int(self.forest.spans[row]["status"])
        return found or SpanDetail("span", "", 0, status, "", {}, {}, [])

    def log(self, row: int) -> LogDetail:
        log = self.forest.tables.logs[row]
        return self.logs.get(log_id(log)) or LogDetail("", int(log["severity"]), "", "", 0, 0, {}, "")


def key_of(forest: Forest, row: int) -> Key:
    return next(keys(forest.spans[row : row + 1], forest.tables.traces))


def read_details(forest: Forest, story: Story, nodes: Sequence[int]) -> Details:
    """What is needed to say these rows."""
    spans: dict[int, bool] = {}
    for node in nodes:
        for row in _spans_of(forest, story, node):
            spans[row] = spans.get(row, False) or forest.kinds[node] == EVENT
    logs = {forest.row_of(node) for node in nodes if forest.kinds[node] == LOG}
    return _read(forest, spans, logs)


def _spans_of(forest: Forest, story: Story, node: int) -> list[int]:
    """The rows of the spans that say what a node says."""
    kind, row = forest.kinds[node], forest.row_of(node)
    if kind == CHAPTER:
        naming = naming_span(forest, story, node)
        return [] if naming is None else [naming]
    if kind == GROUP:
        first = forest.groups[row].members[0]
        return [forest.row_of(first)] if forest.kinds[first] == SPAN else []
    if kind == EVENT:
        return [int(forest.tables.events[row]["span"])]
    return [row] if kind == SPAN else []


def _read(forest: Forest, spans: dict[int, bool], logs: set[int]) -> Details:
    days = {day_of(int(forest.spans[row]["start"])) for row in spans}
    log_days = {day_of(int(forest.tables.logs[row]["time"])) for row in logs}
    wanted = sorted(log_id(forest.tables.logs[row]) for row in logs)
    return Details(
        forest,
        read_span_details(
            [(key_of(forest, row), events) for row, events in sorted(spans.items())],
            sorted(days),
            sorted((*DECLARED, REASON)),
        ),
        read_log_details(wanted, sorted(log_days)),
    )


def naming_span(forest: Forest, story: Story, chapter: int) -> int | None:
    """The row of the span a chapter is called after while its root has not arrived; None where none is needed."""
    told = story.traces.get(forest.chapters[chapter].trace_id)
    if told and told.root_name is not None:
        return None
    place, size = int(forest.order.places[chapter]), int(forest.order.sizes[chapter])
    inside = forest.order.nodes[place + 1 : place + size]
    spans = inside[(forest.kinds[inside] == SPAN) & forest.shown[inside]]
    return int(spans.min()) - forest.bases[SPAN] if len(spans) else None


def parent_id(plan: Plan, node: int) -> int | None:
    """The row above; None at the top."""
    above = int(plan.forest.parents[node])
    if above == TOP or (plan.forest.kinds[above] == CHAPTER and not plan.forest.chapters[above].has_row):
        return None
    return above
