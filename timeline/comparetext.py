"""Two flows compared, for terminals and chat: lines of at most 100 columns, or a Markdown table.

`timeline.views.compare` pairs the steps; the page is `templates/compare`. What differs is told, what is alike counted.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from timeline.addresses import absolute
from timeline.columns import fitted
from timeline.plain import cell, one_line
from timeline.sentences import mark_of, summed_up
from timeline.summaries import FlowSummary
from tracing.clock import now_ns

MOST = 40  # steps
NAME = 52


class Told(NamedTuple):
    """One step that differs: its name and service, how long it took on either side, and by how much longer."""

    name: str
    first: str
    second: str
    longer: str


def write(
    flows: Sequence[FlowSummary], steps: Sequence[Told], alike: int, longer: str, link: str, form: str
) -> str:
    """`longer` says how the second took; `link` is the comparison's own. Equal steps in a row are one line."""
    lead = f"{len(steps):,} of {len(steps) + alike:,} steps differ; the second took {longer}."
    folded = [(step, sum(1 for _ in equal)) for step, equal in groupby(steps)]
    steps = [step._replace(name=f"{count} × {step.name}") if count > 1 else step for step, count in folded]
    more = sum(count for _, count in folded[MOST:])
    rest = f"… {more:,} more that differ" if more > 0 else ""
    if form == "md":
        return _markdown(flows, steps[:MOST], lead, rest, link)
    head = [one_line(" and ".join(flow.title for flow in flows), 100), lead, ""]
    head += [one_line(f"{name}  {_standing(flow)}", 100) for name, flow in zip("ab", flows, strict=True)]
    columns = ("step", "a", "b", "longer")
    rows = [_row(*columns), *(_row(*step) for step in steps[:MOST])] if steps else []
    links = [absolute(flow.path) for flow in flows]
    return "\n".join([*head, "", *rows, *([rest] if rest else []), "", link, *links])


def _markdown(flows: Sequence[FlowSummary], steps: Sequence[Told], lead: str, rest: str, link: str) -> str:
    title = " and ".join(f"[{cell(flow.title)}]({absolute(flow.path)})" for flow in flows)
    told = "\n".join(f"- {name}: {cell(_standing(flow))}" for name, flow in zip("ab", flows, strict=True))
    table = "| step | a | b | longer |\n|---|--:|--:|--:|\n"
    table += "\n".join(f"| {' | '.join(map(cell, step))} |" for step in steps)
    parts = [
        f"### {title}",
        f"**{lead}**",
        told,
        table if steps else "",
        rest,
        f"[Compared in Threadline]({link})",
    ]
    return "\n\n".join(part for part in parts if part)


def _standing(flow: FlowSummary) -> str:
    now = now_ns()
    mark = mark_of(flow, False, now)
    return f"{flow.title}  {mark.sign} {summed_up(flow, now) or mark.word}"


def _row(name: str, first: str, second: str, longer: str) -> str:
    return f"{fitted(name, NAME)} {first:>14} {second:>14} {longer:>14}".rstrip()
