"""One window of one flow, read: what the page, the JSON and the text forms are made from.

`timeline.window` reads it, `timeline.page` and `timeline.text` draw it, `timeline.sentences` puts it into words.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from timeline.asked import Asked
from timeline.layout.forest import EVENT, LOG, Forest, Mask, log_id
from timeline.layout.ids import row_id
from timeline.layout.order import TOP, Ints
from timeline.layout.plan import Plan
from timeline.queries.details import read_log_details, read_span_details
from timeline.queries.sampling import Sampling, read_sampling
from timeline.queries.story import Story
from timeline.rows import Row, key_of
from timeline.sentences import FirstError, Trust, trust
from timeline.summaries import FlowSummary
from tracing.records import day_of


@dataclass
class Reading:
    flow: FlowSummary
    asked: Asked
    story: Story
    plan: Plan
    nodes: Ints  # of all rows, in the order asked for
    rows: list[Row]
    first: int  # place of the first row of the window
    following: str | None  # cursor of the next window
    pulse: str  # of the moment before it was read, see `queries.pulse`

    @property
    def nodes_here(self) -> list[int]:
        """The nodes of the window's rows."""
        return [int(node) for node in self.nodes[self.first : self.first + len(self.rows)]]

    @property
    def total(self) -> int:
        return len(self.plan)

    @cached_property
    def trust(self) -> Trust:
        return trust(self.flow, self.story)

    @cached_property
    def sampling(self) -> Sampling:
        return read_sampling(self.story.forest)

    @cached_property
    def root_ns(self) -> int | None:
        """How long a request's root took by its own clock; None where none is among what was read."""
        if self.flow.kind != "request" or not self.flow.has_root:
            return None
        kin, spans = self.story.forest.kin, self.story.forest.spans
        own = (spans["trace"] == 0) & (kin.parents == TOP)
        roots = np.flatnonzero(own & ~kin.orphans & ~kin.cut & (kin.ranks == 0))
        return max(0, int(spans["end"][roots[0]] - spans["start"][roots[0]])) if len(roots) else None

    @cached_property
    def failing(self) -> Mask:
        """The records shown that failed; a log that tells an exception again is the event's."""
        forest = self.story.forest
        failing = forest.failed & forest.shown & ~forest.context
        failing[list(forest.echoes)] = False
        if self.flow.kind == "request" and len(forest.chapters) > 1:
            failing &= ~self._beside
        return failing

    @property
    def _beside(self) -> Mask:
        """What is of other requests that are drawn beside this one."""
        others = np.zeros(len(self.story.forest), np.bool_)
        others[1 : len(self.story.forest.chapters)] = True
        return self.story.forest.any_above(others)

    @cached_property
    def hits(self) -> Ints:
        """The nodes that a search found, of those kept, in reading order."""
        if self.plan.hits is None:
            return np.zeros(0, np.int32)
        nodes = self.story.forest.order.nodes
        return nodes[self.plan.hits[nodes]]

    @cached_property
    def first_error(self) -> FirstError | None:
        """The failure that ended first: causes end before what they cause."""
        forest = self.story.forest
        # A failed span tells its exceptions itself.
        told_by_span = (forest.kinds == EVENT) & forest.failed[np.maximum(forest.parents, 0)]
        found = np.flatnonzero(self.failing & ~told_by_span)
        if not len(found):
            return None
        # Of those that end together the one that began last is the innermost.
        order = np.lexsort((found, -forest.times[found], forest.ends[found]))
        return _described(forest, int(found[order[0]]))

    def as_json(self, base_url: str) -> dict[str, Any]:
        return {
            "flow": self.flow.as_json(base_url, self.story.related),
            "trust": self.trust.as_json(),
            "rows": [row.as_json() for row in self.rows],
            "next": self.following,
            "total_rows": self.total,
            "found": len(self.hits) if self.asked.find else None,
        }


def _described(forest: Forest, node: int) -> FirstError | None:
    time, at, told_id = int(forest.ends[node]), forest.row_of(node), row_id(forest, node)
    if forest.kinds[node] == LOG:
        one = log_id(forest.tables.logs[at])
        log = read_log_details([one], [day_of(time)]).get(one)
        line = (log.body if log else "").strip().split("\n", 1)[0][:200]
        return FirstError(log.service, log.event_name, line, time, told_id) if log else None
    event = forest.tables.events[at] if forest.kinds[node] == EVENT else None
    at = at if event is None else int(event["span"])
    key = key_of(forest, at)
    told = read_span_details([(key, True)], [day_of(int(forest.spans[at]["start"]))], ()).get(key)
    if told is None:
        return None
    thrown = (ordinal for ordinal, one in enumerate(told.events) if one.get("name") == "exception")
    raised = told.event(next(thrown, -1) if event is None else int(event["ordinal"]))
    said = (raised.text or told.message or "")[:200]
    return FirstError(told.service, told.name, said, time, told_id, raised.thrown)
