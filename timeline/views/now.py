"""`/`: what needs a person, as far as it is known: flows with errors, flows by state, senders gone quiet.

An empty installation is shown how to send its first span, to the reader's own address.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import moments
from timeline.addresses import with_query
from timeline.answers import asked_format, json_answer, page_answer, text_answer
from timeline.plain import cell, flow_lines, flow_table, one_line
from timeline.queries import motion
from timeline.queries.motion import Group, Motion
from tracing.clock import now_ns
from tracing.models import Sender

MINUTE_NS = 60_000_000_000
SHOWN = 8


@require_safe
def now(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    told = _told()
    if asked == "json":
        return json_answer(_as_json(told))
    if asked != "html":
        return text_answer(_plain(told, asked), asked)
    context = told | {"groups": _linked(told["motion"]), "otlp": otlp_address(request), "days": motion.DAYS}
    return page_answer(request, "now/page.html", context)


def otlp_address(request: HttpRequest) -> str:
    """Where the reader's own machine reaches our OTLP/HTTP port: under the name they opened this page with."""
    host = request.get_host()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return f"http://{name}:{settings.OTLP_PORT}"


def _told() -> dict[str, Any]:
    at_ns = now_ns()
    moving = motion.motion(at_ns // MINUTE_NS)
    return {
        "at_ns": at_ns,
        "motion": moving,
        "failing": motion.failing(moving.from_minute, SHOWN),
        "requests": motion.failing_requests(moving.from_minute, SHOWN),
        "quiet": motion.quiet_senders(at_ns, SHOWN),
        "from_ns": str(moving.from_minute * MINUTE_NS),
        "failing_count": motion.count_failing(moving.from_minute),
        "is_empty": not motion.has_any(),
    }


def _linked(moving: Motion) -> list[dict[str, Any]]:
    """Groups with the lists that their numbers count."""
    return [
        {
            "group": group,
            "href": with_query("/flows", _filters(group, moving)),
            "failing_href": with_query("/flows", _filters(group, moving) | {"status": "error"}),
            "type_href": with_query("/flows", {"kind": group.kind, "type": group.type}),
        }
        for group in moving.groups
    ]


def _filters(group: Group, moving: Motion) -> dict[str, str]:
    from_ns = str(moving.from_minute * MINUTE_NS)
    return {"kind": group.kind, "type": group.type, "state": group.state or "", "from": from_ns}


def _as_json(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": str(told["at_ns"]),
        "failing": [flow.as_json(settings.URL) for flow in told["failing"]],
        "failing_requests": [flow.as_json(settings.URL) for flow in told["requests"]],
        "motion": [
            {
                "kind": group.kind,
                "type": group.type,
                "state": group.state,
                "flows": group.flows,
                "failing": group.failing,
                "oldest": None if group.since_ns is None else str(group.since_ns),
            }
            for group in told["motion"].groups
        ],
        "complete": not told["motion"].cut_types,
        "quiet": [
            {
                "service": sender.service,
                "environment": sender.environment,
                "last_seen": str(sender.last_seen_ns),
            }
            for sender in told["quiet"]
        ],
    }


def _plain(told: dict[str, Any], asked: str) -> str:
    parts = [headline(told)]
    flows = [*told["failing"], *told["requests"]]
    if flows:
        parts.append(flow_table(flows, settings.URL) if asked == "md" else flow_lines(flows))
    groups = told["motion"].groups
    if groups:
        parts.append("\n".join(_group_line(group, told["at_ns"], asked) for group in groups))
    if told["quiet"]:
        parts.append("\n".join(_quiet_line(sender, told["at_ns"], asked) for sender in told["quiet"]))
    return "\n\n".join(parts)


def headline(told: dict[str, Any]) -> str:
    count = told["failing_count"]
    if told["is_empty"]:
        return "Nothing was received yet."
    if not count:
        return f"No entity or workflow carries an error in the last {motion.DAYS} days."
    subject = "1 flow carries" if count == 1 else f"{count:,} flows carry"
    return f"{subject} errors in the last {motion.DAYS} days."


def _group_line(group: Group, at_ns: int, asked: str) -> str:
    oldest = f", oldest {moments.took(at_ns - group.since_ns)}" if group.since_ns is not None else ""
    text = (
        f"{group.type} {group.state or 'no state'}: {group.flows:,} ({group.failing:,} with errors{oldest})"
    )
    return f"- {cell(text)}" if asked == "md" else one_line(text, 100)


def _quiet_line(sender: Sender, at_ns: int, asked: str) -> str:
    text = f"{sender.service} ({sender.environment}) was last heard {moments.ago(sender.last_seen_ns, at_ns)}"
    return f"- {cell(text)}" if asked == "md" else one_line(text, 100)
