"""Lists of flows for terminals and chat: lines of at most 100 columns, or a Markdown table.

The page is `templates/flows`; one flow's text is `timeline.text`. Times are UTC, because text travels.
"""

from collections.abc import Sequence
from datetime import UTC

from timeline import moments, signs
from timeline.columns import shortened
from timeline.sentences import awaited, summed_up, verdict_mark
from timeline.summaries import FlowSummary
from tracing.clock import now_ns


def flow_lines(flows: Sequence[FlowSummary]) -> str:
    """Two lines a flow."""
    return "\n".join(line for flow in flows for line in _lines(flow))


def flow_table(flows: Sequence[FlowSummary], base_url: str) -> str:
    """A Markdown table with links."""
    head = "| flow | status | state or step | spans | logs | errors | last | took |\n|---|---|---|--:|--:|--:|---|--:|"
    return "\n".join([head, *(_row(flow, base_url) for flow in flows)])


def cell(text: str) -> str:
    """Text as itself in one line of Markdown, inside a table too."""
    return escaped(one_line(text))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&" else letter for letter in text)


def one_line(text: str, width: int = 0) -> str:
    """Text without line breaks or control characters, cut to so many columns if a width is given."""
    flat = "".join(char if char.isprintable() else " " for char in text)
    return shortened(flat, width) if width else flat


def _lines(flow: FlowSummary) -> list[str]:
    if flow.judged is not None:
        sign = verdict_mark(flow.judged).sign
        told = f"{sign} {one_line(flow.title, 60)} · {summed_up(flow, now_ns())}"
        return [one_line(told, 100), _counts(flow)]
    state = f" · {one_line(flow.standing, 24)}" if flow.standing else ""
    # Title, state and status take 95 columns at most.
    title = one_line(flow.title, 60)
    return [f"{signs.STATUS[flow.status]} {title}{state} · {flow.status}", _counts(flow)]


def _counts(flow: FlowSummary) -> str:
    last = moments.full(flow.last_ns, UTC) if flow.last_ns is not None else "time unknown"
    counts = f"{flow.spans:,} spans, {flow.logs:,} logs, {flow.errors:,} errors, {flow.retries:,} retries"
    return one_line(
        f"    {last} · {moments.took(flow.duration_ns)} · {counts} · {', '.join(flow.services)}", 100
    )


def _status(flow: FlowSummary) -> str:
    if flow.judged is None:
        return f"{signs.STATUS[flow.status]} {flow.status}"
    mark = verdict_mark(flow.judged, now_ns())
    told = awaited(flow.judged)
    return f"{mark.sign} {mark.word}{f', {told}' if told else ''}"


def _row(flow: FlowSummary, base_url: str) -> str:
    last = moments.full(flow.last_ns, UTC) if flow.last_ns is not None else "–"
    cells = (
        f"[{cell(flow.title)}]({base_url}{flow.path})",
        cell(_status(flow)),
        cell(flow.standing or "–"),
        f"{flow.spans:,}",
        f"{flow.logs:,}",
        f"{flow.errors:,}",
        last,
        moments.took(flow.duration_ns),
    )
    return f"| {' | '.join(cells)} |"
