"""One window of one flow, read: what the page, the JSON and the text forms are made from."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from timeline.asked import Asked
from timeline.layout.ids import node_id
from timeline.layout.story import Chapter, Plan
from timeline.queries.details import read_log_details, read_span_details
from timeline.queries.story import Story
from timeline.rows import Row, failures, key_of
from timeline.sentences import FirstError, Trust, trust
from timeline.summaries import FlowSummary
from tracing.records import day_of


@dataclass
class Reading:
    flow: FlowSummary
    asked: Asked
    story: Story
    plan: Plan
    rows: list[Row]
    first: int  # place of the first row of the window
    following: str | None  # cursor of the next window

    @property
    def total(self) -> int:
        return len(self.plan.places)

    @cached_property
    def trust(self) -> Trust:
        return trust(self.flow, self.story)

    @property
    def state_since_ns(self) -> int | None:
        """When the first of the systems that say the flow's state began to say so; assertions since then repeat it."""
        latest = {move.system: move for move in self.story.moves}
        told = [move.time for move in latest.values() if move.state == self.flow.state]
        return min(told, default=self.flow.state_since_ns)

    @cached_property
    def first_error(self) -> FirstError | None:
        """The failure that ended first: causes end before what they cause."""
        found = [told for chapter in self.story.chapters for told in _failures(chapter)]
        if not found:
            return None
        time, _, index, node = min(found)
        return _described(next(c for c in self.story.chapters if c.id == index), node, time)

    def as_json(self, base_url: str) -> dict[str, Any]:
        return {
            "flow": self.flow.as_json(base_url, self.story.related),
            "trust": self.trust.as_json(),
            "rows": [row.as_json() for row in self.rows],
            "next": self.following,
            "total_rows": self.total,
        }


def _failures(chapter: Chapter) -> list[tuple[int, int, str, int]]:
    tree = chapter.tree
    if tree is None:
        return []
    return [(tree.end(node), -tree.times[node], chapter.id, node) for node in failures(chapter)]


def _described(chapter: Chapter, node: int, time: int) -> FirstError | None:
    tree = chapter.tree
    assert tree is not None
    row_id = node_id(tree, node)
    if tree.kind(node) == "log":
        bone = tree.log(node)
        log = read_log_details([bone.log_id], [day_of(bone.time)]).get(bone.log_id)
        line = (log.body if log else "").strip().split("\n", 1)[0][:200]
        return FirstError(log.service, log.event_name, line, time, row_id) if log else None
    span = tree.spans[node]
    told = read_span_details([(key_of(span), True)], [day_of(span.start)], ()).get(key_of(span))
    if told is None:
        return None
    names = [event.get("name") for event in told.events]
    raised = told.event(names.index("exception")).text if "exception" in names else None
    return FirstError(told.service, told.name, (raised or told.message or "")[:200], time, row_id)
