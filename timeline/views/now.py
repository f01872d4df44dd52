"""`/`: what needs a person, what is in motion, who has gone quiet; and why it is quiet where it is.

An empty installation is shown how to send its first span, to the reader's own address. While the page is looked at
`static/now.js` asks for its changing part again.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import calm, moments
from timeline.addresses import with_query
from timeline.answers import asked_format, json_answer, page_answer, text_answer, wants_part
from timeline.plain import cell, flow_lines, flow_table, one_line
from timeline.problemtext import problem_lines, waiting
from timeline.queries import backlog, motion, problems, watching
from timeline.queries.backlog import Step
from timeline.reader import name_of
from timeline.steps import percent
from timeline.typeaddresses import type_url
from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.models import Sender
from tracing.watch.evidence import learning
from tracing.watch.judging import STAYS

SHOWN = 5
MOST_PROBLEMS = 20


@require_safe
def now(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    told = _told()
    if asked == "json":
        return json_answer(_as_json(told))
    if asked != "html":
        return text_answer(_plain(told, asked), asked)
    context = told | {
        "rows": [_row(step) for step in told["steps"]],
        "otlp": otlp_address(request),
        "days": motion.DAYS,
        "name": name_of(request),
    }
    response = page_answer(request, "now/part.html" if wants_part(request) else "now/page.html", context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def otlp_address(request: HttpRequest) -> str:
    """Where the reader's own machine reaches our OTLP/HTTP port: under the name they opened this page with."""
    host = request.get_host()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return f"http://{name}:{settings.OTLP_PORT}"


def _told() -> dict[str, Any]:
    at_ns = now_ns()
    from_minute = at_ns // MINUTE_NS - motion.DAYS * motion.DAY_MINUTES
    judged_ns = watching.judged_ns()
    is_judged = calm.is_judged(judged_ns, at_ns)
    count, totals = problems.count_needing(), backlog.totals()
    quiet = motion.quiet_senders(at_ns, motion.MOST_QUIET)
    return {
        "at_ns": at_ns,
        "is_empty": not motion.has_any(),
        "headline": calm.headline(count, is_judged),
        "parts": calm.parts(problems.standing(), totals, quiet, is_judged),
        "warning": calm.warning(judged_ns, at_ns),
        "judged_ns": judged_ns,
        "judged": calm.judged(judged_ns, at_ns),
        "count_needing": count,
        "problems": problems.needing(MOST_PROBLEMS),
        "totals": totals,
        "steps": backlog.steps(at_ns),
        "failing": motion.failing(from_minute, SHOWN),
        "failing_count": motion.count_failing(from_minute),
        "requests": motion.failing_requests(from_minute, SHOWN),
        "quiet": quiet,
        "silent": list(problems.silent().values()),
        "from_ns": str(from_minute * MINUTE_NS),
    }


def _row(step: Step) -> dict[str, Any]:
    """A step with the lists that its numbers count."""

    def listed(verdict: str) -> str:
        if step.is_rest:
            return ""  # no filter says "without a step, or at a rare one"
        env = "" if step.environment == settings.ENVIRONMENT else step.environment
        filters = {"kind": step.kind, "type": step.type, "env": env, "state": step.step, "verdict": verdict}
        if not step.step:
            filters["step"] = "none"
        # The watcher counts as late and stuck only what somebody is told of.
        grey = {"grey": "no"} if verdict in ("late", "stuck") else {}
        return with_query("/flows", filters | grey)

    numbers = [
        {"word": word, "count": getattr(step, word), "href": listed(word)}
        for word in ("open", "late", "stuck")
    ]
    aside = [
        {"word": word, "count": count, "href": listed(word)}
        for word, count in (("unknown", step.unknown), ("paused", step.paused))
        if count
    ]
    return {
        "step": step,
        "numbers": numbers,
        "aside": aside,
        "is_hot": bool(step.late or step.stuck),
        "is_here": step.environment == settings.ENVIRONMENT,
        "type_href": type_url(step.type, environment=step.environment),
        "usual": usual(step),
    }


def usual(step: Step) -> str:
    """`< 14 m`, `every 5 m`, `learning, 12 of 29`, `no deadline: 12 % stay here`; empty where nothing was looked at yet."""
    known = step.usual
    if step.period_ns:
        return f"every {moments.took(step.period_ns)}"
    if known is not None and known.within_ns is not None and not known.is_end:
        return f"< {moments.took(known.within_ns)}"
    if step.source in ("rule", "stated") and step.within_ns:
        return f"< {moments.took(step.within_ns)} ({step.source})"
    if known is None:
        return ""
    if known.is_end:
        return "stays here"
    if known.plateau >= STAYS:
        return f"no deadline: {percent(known.plateau)} stay here"
    return learning(known.passed, known.needed)


def _as_json(told: dict[str, Any]) -> dict[str, Any]:
    judged_ns = told["judged_ns"]
    return {
        "at": str(told["at_ns"]),
        "headline": told["headline"],
        "judged": None if judged_ns is None else str(judged_ns),
        "needing": told["count_needing"],
        "late": told["totals"].late,
        "stuck": told["totals"].stuck,
        "problems": [problem.as_json(settings.URL) for problem in told["problems"]],
        "quiet_because": [part.text for part in told["parts"]],
        "failing": [flow.as_json(settings.URL) for flow in told["failing"]],
        "failing_requests": [flow.as_json(settings.URL) for flow in told["requests"]],
        "motion": [_step_json(step) for step in told["steps"]],
        "complete": not any(step.folded for step in told["steps"]) and len(told["steps"]) < backlog.MOST_ROWS,
        "quiet": [
            {
                "service": sender.service,
                "environment": sender.environment,
                "last_seen": str(sender.last_seen_ns),
            }
            for sender in told["quiet"]
        ],
    }


def _step_json(step: Step) -> dict[str, Any]:
    return {
        "kind": step.kind,
        "type": step.type,
        "environment": step.environment,
        "state": step.step,
        "flows": step.open,
        "open": step.open,
        "late": step.late,
        "stuck": step.stuck,
        "unknown": step.unknown,
        "paused": step.paused,
        "oldest": None if step.oldest_ns is None else str(step.oldest_ns),
        "oldest_url": None if step.oldest_path is None else settings.URL + step.oldest_path,
        "waiting_for": {"step": step.awaited_step or None, "service": step.awaited_system or None}
        if step.awaited_step or step.awaited_system
        else None,
        "usual": None if step.usual is None else step.usual.as_json(),
    }


def _plain(told: dict[str, Any], asked: str) -> str:
    parts = ["Nothing was received yet." if told["is_empty"] else headline(told)]
    if told["warning"]:
        parts.append(told["warning"])
    if told["problems"]:
        parts.append(problem_lines(told["problems"], told["at_ns"], asked))
    if told["steps"]:
        parts.append("\n".join(_step_line(step, told["at_ns"], asked) for step in told["steps"]))
    flows = [*told["failing"], *told["requests"]]
    if flows:
        lines = flow_table(flows, settings.URL) if asked == "md" else flow_lines(flows)
        parts.append(f"With errors in the last {motion.DAYS} days, the latest:\n\n{lines}")
    if told["quiet"]:
        parts.append("\n".join(_quiet_line(sender, told["at_ns"], asked) for sender in told["quiet"]))
    return "\n\n".join(parts)


def headline(told: dict[str, Any]) -> str:
    """The answer in two lines: how many problems, and what else there is."""
    parts = ", ".join(part.text for part in told["parts"])
    return f"{told['headline']} ({told['judged']}).\n{parts[:1].upper()}{parts[1:]}."


def _step_line(step: Step, at_ns: int, asked: str) -> str:
    waits = waiting(step.awaited_step, step.awaited_system)
    numbers = [f"{step.open:,} open"]
    numbers += [
        f"{count:,} {word}"
        for word, count in (
            ("late", step.late), ("stuck", step.stuck), ("unknown", step.unknown), ("paused", step.paused)
        )
        if count
    ]  # fmt: skip
    if step.oldest_ns is not None:
        numbers.append(f"oldest {moments.took(max(0, at_ns - step.oldest_ns))}")
    if known := usual(step):
        numbers.append(f"usually {known}")
    text = f"{step.type} {step.step}{f' → {waits}' if waits else ''}: {', '.join(numbers)}"
    return f"- {cell(text)}" if asked == "md" else one_line(text, 100)


def _quiet_line(sender: Sender, at_ns: int, asked: str) -> str:
    text = f"{sender.service} ({sender.environment}) was last heard {moments.ago(sender.last_seen_ns, at_ns)}"
    return f"- {cell(text)}" if asked == "md" else one_line(text, 100)
