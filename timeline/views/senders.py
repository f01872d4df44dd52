"""`/settings/senders`: who exports to us, and why data may be missing.

`tracing.senders` notes every request in table `tracing_sender`; a row without a service holds requests that were
refused whole, before anybody could be named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import moments
from timeline.answers import asked_format, json_answer, page_answer, text_answer
from timeline.plain import cell, one_line
from timeline.queries.motion import QUIET_NS
from timeline.templatetags.threadline import reasons
from timeline.views.now import otlp_address
from tracing.clock import now_ns
from tracing.models import Sender

SKEW_NS = 2_000_000_000
LATE_NS = 5 * 60 * 1_000_000_000
MAX_SENDERS = 500


@dataclass(frozen=True, slots=True)
class Line:
    """One sender, with what a person should notice about it."""

    sender: Sender
    is_quiet: bool
    clock: str
    clock_is_off: bool
    sampled_percent: int

    @property
    def is_here(self) -> bool:
        """Whether it lives in the default environment, which need not be named."""
        return self.sender.environment == settings.ENVIRONMENT

    @property
    def told(self) -> list[tuple[str, int]]:
        return reasons(self.sender)


@require_safe
def senders(request: HttpRequest) -> HttpResponse:
    asked = asked_format(request)
    at_ns = now_ns()
    known = list(Sender.objects.order_by("-last_seen_ns")[:MAX_SENDERS])
    if asked == "json":
        return json_answer({"senders": [_as_json(sender) for sender in known]})
    if asked != "html":
        return text_answer(_plain(known, asked, at_ns), asked)
    lines = [_line(sender, at_ns) for sender in known if sender.service]
    http = otlp_address(request)
    context = {
        "lines": sorted(lines, key=lambda line: (line.sender.service, line.sender.environment)),
        "nameless": [sender for sender in known if not sender.service and sender.refused],
        "refusing": [line for line in lines if line.sender.refused],
        "quiet": [line for line in lines if line.is_quiet],
        "skewed": [line for line in lines if line.clock_is_off],
        "sampling": [line for line in lines if line.sender.sampled_spans],
        "otlp": http,
        "grpc": f"{http.removeprefix('http://').rpartition(':')[0]}:{settings.GRPC_PORT}",
        "retention_days": settings.RETENTION_DAYS,
    }
    return page_answer(request, "settings/senders.html", context)


def _line(sender: Sender, at_ns: int) -> Line:
    off_ns = sender.clock_offset_ns
    spans = sender.accepted_spans
    share = min(100, round(100 * sender.sampled_spans / spans)) if spans else 0
    return Line(
        sender=sender,
        is_quiet=at_ns - sender.last_seen_ns > QUIET_NS,
        clock=_clock(off_ns),
        clock_is_off=off_ns is not None and (off_ns < -SKEW_NS or off_ns > LATE_NS),
        sampled_percent=max(1, share) if sender.sampled_spans else 0,
    )


def _clock(off_ns: int | None) -> str:
    """Our clock minus the newest record's time at its arrival: delay where positive, a clock ahead where negative."""
    if off_ns is None:
        return "unknown"
    return f"{moments.took(-off_ns)} ahead of our clock" if off_ns < 0 else f"{moments.took(off_ns)} old"


def _plain(known: Sequence[Sender], asked: str, at_ns: int) -> str:
    """Each sender with its refusals under it: a nested list in Markdown, lines of at most 100 columns in text."""
    if not known:
        return "Nothing has reached Threadline at all."
    lines = [line for sender in known for line in _told(sender, at_ns)]
    if asked == "md":
        return "\n".join(f"{'  ' * deep}- {cell(text)}" for deep, text in lines)
    return "\n".join(one_line(f"{'    ' * deep}{text}", 100) for deep, text in lines)


def _told(sender: Sender, at_ns: int) -> Iterator[tuple[int, str]]:
    """Lines and how deep each stands."""
    name = f"{sender.service} ({sender.environment})" if sender.service else "requests refused whole"
    yield 0, f"{name}, last heard {moments.ago(sender.last_seen_ns, at_ns)}"
    counts = (
        (sender.accepted_spans, "spans"), (sender.accepted_logs, "logs"), (sender.resent, "sent again"),
        (sender.refused, "refused"), (sender.sampled_spans, "spans of sampled traces"),
    )  # fmt: skip
    parts = [f"{count:,} {word}" for count, word in counts if count]
    clock = f"newest record {_clock(sender.clock_offset_ns)}" if sender.clock_offset_ns is not None else ""
    yield 1, " · ".join(part for part in (*parts, clock, sender.sdk, sender.transport) if part)
    for sentence, count in reasons(sender):
        yield 1, f"refused {count:,} ×: {sentence}"


def _as_json(sender: Sender) -> dict[str, Any]:
    off_ns = sender.clock_offset_ns
    return {
        "service": sender.service or None,
        "environment": sender.environment,
        "sdk": sender.sdk,
        "transport": sender.transport,
        "first_seen": str(sender.first_seen_ns),
        "last_seen": str(sender.last_seen_ns),
        "spans": sender.accepted_spans,
        "logs": sender.accepted_logs,
        "resent": sender.resent,
        "refused": sender.refused,
        "refusals": [{"sentence": sentence, "count": count} for sentence, count in reasons(sender)],
        "clock_offset": None if off_ns is None else str(off_ns),
        "sampled_spans": sender.sampled_spans,
    }
