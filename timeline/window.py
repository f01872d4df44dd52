"""One window of one flow: which rows an address asks for, read into what pages, JSON and text are made from.

`prepared` has the flow's story, `layout.plan` its rows in order; `timeline.views.flow` answers with what is read here.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from timeline.answers import BadFilter
from timeline.asked import Asked, Cursor
from timeline.layout.asides import with_asides
from timeline.layout.forest import SPAN, Aside, Forest
from timeline.layout.ids import EVENT_ID, LOG_ID, SPAN_ID, find_node, row_id
from timeline.layout.order import Ints
from timeline.layout.plan import Fold, Plan, plan
from timeline.layout.sorting import sorted_nodes
from timeline.paths import add_path
from timeline.prepared import SHELF, Kept, Progress
from timeline.queries.asides import Promise, ghosts, read_asides, read_promises
from timeline.queries.inside import read_hits
from timeline.queries.manners import read_manner
from timeline.queries.pulse import Pulse
from timeline.queries.record import read_log
from timeline.queries.story import Story
from timeline.quiet import collector_held
from timeline.reading import Reading
from timeline.saying import read_rows
from timeline.summaries import FlowSummary
from tracing.clock import now_ns


def read(flow: FlowSummary, asked: Asked, pulse: Pulse) -> Reading:
    """The window of the flow that was asked for, as it is now, however long that takes."""
    with collector_held():
        return _read(flow, asked, SHELF.story(flow, _with_record(asked), asked.cursor, pulse), pulse)


def read_soon(flow: FlowSummary, asked: Asked, pulse: Pulse) -> Reading | Progress:
    """The same for a page: of a large flow how far it is on its way, or as it was a moment ago; the page asks again."""
    fold = _with_record(asked)
    if progress := SHELF.coming(flow, fold, asked.cursor, pulse):
        return progress
    with collector_held():
        return _read(flow, asked, SHELF.story(flow, fold, asked.cursor, pulse, latest=False), pulse)


def _read(flow: FlowSummary, asked: Asked, kept: Kept, pulse: Pulse) -> Reading:
    # A kept story serves every reader; what is said about the flow is read for each.
    story = replace(kept.story, forest=with_asides(kept.story.forest, _asides(flow, asked, kept)))
    if flow.kind != "request":
        story.manner = read_manner(flow.type)
    hits = read_hits(story.forest, asked.find) if asked.find else None
    told = plan(story.forest, _opened(flow, story.forest, asked), asked.sieve, hits)
    ordered = sorted_nodes(told, asked.sort.lstrip("-"), asked.sort.startswith("-"))
    first = _first_sorted(ordered, told, asked) if asked.sort else _first(told, asked)
    last = min(first + asked.limit, len(told))
    nodes = ordered[first:last].tolist()
    rows = read_rows(told, story, nodes)
    if asked.critical:
        add_path(rows, nodes, story.forest)
    following = Cursor(kept.snapshot, rows[-1].id).text() if rows and last < len(told) else None
    return Reading(flow, asked, story, told, ordered, rows, first, following, kept.pulse + pulse.said)


def _asides(flow: FlowSummary, asked: Asked, kept: Kept) -> list[Aside]:
    open_promises = _open(read_promises(flow), kept.story, flow.last_ns or 0)
    return read_asides(flow) + ghosts(flow.judged, list(open_promises), now_ns(), asked.zone)


def _open(promises: list[Promise], story: Story, last_ns: int) -> Iterator[Promise]:
    """The announced tries that did not come: nothing of the same operation began since; where it is unknown, nothing at all."""
    forest, base, spans = story.forest, story.forest.bases[SPAN], story.forest.spans
    own = forest.own[base : base + len(spans)]
    for told in promises:
        # Of a heavy flow not all was read: whatever came later may have been it.
        if story.heavy and last_ns > told.said_ns:
            continue
        later = own & (spans["start"] > told.said_ns)
        node = find_node(forest, told.row)
        if node is not None and forest.kinds[node] == SPAN:
            later &= spans["operation"] == spans[node - base]["operation"]
        if not later.any():
            yield told


def _first(told: Plan, asked: Asked) -> int:
    """Where the window begins: after a cursor, at a row's number, or so that the open record is in it."""
    if asked.cursor is not None:
        before = told.index_of(asked.cursor.row_id)
        if before is None:
            raise BadFilter("cursor", "The row this cursor continues after is not shown. Start without one.")
        return before + 1
    if asked.at is not None:
        return min(asked.at, max(1, len(told))) - 1
    open_at = told.index_of(asked.record) if asked.record else told.first_hit()
    return 0 if open_at is None or open_at < asked.limit else open_at - asked.limit // 3


def _first_sorted(ordered: Ints, told: Plan, asked: Asked) -> int:
    """The window in another order: at a row's number, or the one that holds the open record."""
    node = find_node(told.forest, asked.record) if asked.record and asked.at is None else None
    at = (
        int(np.flatnonzero(ordered == node)[0])
        if node is not None and node in ordered
        else (asked.at or 1) - 1
    )
    return min(at, max(1, len(told)) - 1) if node is None else at - at % asked.limit


def _with_record(asked: Asked) -> Fold:
    """The fold, with the chapter of the open record read even where only opened chapters are."""
    match = SPAN_ID.fullmatch(asked.record) or EVENT_ID.fullmatch(asked.record)
    trace = match[1] if match else ""
    if log := LOG_ID.fullmatch(asked.record):
        told = read_log(bytes.fromhex(log[1]))
        trace = (told.trace_id or "") if told else ""
    return replace(asked.fold, opened=asked.fold.opened | {f"c-{trace}"}) if trace else asked.fold


def _open_to_record(forest: Forest, asked: Asked) -> Fold:
    """The fold, with everything above the open record open: a link to it shows it. What was folded by hand stays."""
    node = find_node(forest, asked.record) if asked.record else None
    above = [] if node is None else [row_id(forest, one) for one in forest.ancestors(node)]
    return replace(asked.fold, opened=asked.fold.opened | set(above)) if above else asked.fold


def _opened(flow: FlowSummary, forest: Forest, asked: Asked) -> Fold:
    """The fold as the rows have it: a request is open whatever is drawn beside it."""
    fold = _open_to_record(forest, asked)
    own = forest.chapters[0].id if forest.chapters else ""
    if flow.kind != "request" or own in fold.folded:
        return fold
    return replace(fold, opened=fold.opened | {own})
