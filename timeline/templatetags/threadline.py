"""What templates need to say numbers, times and services; the words come from `timeline.moments`.

`{% when ns %}` draws a time in the reader's zone with UTC on hover; `{{ name|hue }}` is one of twelve classes
whose colours stand in `threadline.css`.
"""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

from django.db import Error
from django.http import HttpRequest
from django.template import Context, Library
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from timeline import markdown as reading
from timeline import moments, signs
from timeline.addresses import absolute
from timeline.bars import Bar
from timeline.person import person_of
from timeline.queries import problems
from timeline.queries.backlog import Step
from timeline.sentences import WAITING, awaited, verdict_mark
from timeline.summaries import FlowSummary
from timeline.typeaddresses import type_url
from tracing.clock import now_ns
from tracing.lengths import SECOND_NS
from tracing.models import Sender

register = Library()
HUES = 12
HUE_SALT = "16776"  # chosen so that names services often have fall on different hues
SHOWN = 6  # services in a row


def reader_zone(request: HttpRequest | None) -> tzinfo:
    """The zone of the reader's `tz` cookie, unless they asked for UTC; UTC until known."""
    if request is None or request.COOKIES.get("clock") == "utc":
        return UTC
    return moments.zone_named(request.COOKIES.get("tz", ""))


@register.simple_tag(takes_context=True)
def when(context: Context, time_ns: int | None) -> SafeString:
    """A `<time>`: short in the text, complete with offset and UTC on hover."""
    return _time(time_ns, reader_zone(context.get("request")))


@register.simple_tag(takes_context=True)
def dated(context: Context, time_ns: int) -> SafeString:
    """The same with its day whatever today is: on a frozen page today is the day it was taken."""
    zone = reader_zone(context.get("request"))
    return _time(time_ns, zone, moments.short(time_ns, zone))


@register.simple_tag(takes_context=True)
def between(context: Context, first_ns: int | None, last_ns: int | None, dash: str = "–") -> SafeString:
    """Two such times with a dash."""
    zone, now = reader_zone(context.get("request")), now_ns()
    if first_ns is None or last_ns is None:
        first = last = ""
    else:
        first, last = moments.stretch(first_ns, last_ns, zone, now)
    ends = _time(first_ns, zone, first), _time(last_ns, zone, last)
    return format_html('{} <span class="soft">{}</span> {}', ends[0], dash, ends[1])


def _time(time_ns: int | None, zone: tzinfo, told: str = "") -> SafeString:
    if time_ns is None:
        return SafeString("–")
    now = now_ns()
    at = moments.moment(time_ns, UTC)
    title = moments.full(time_ns, zone)
    if zone is not UTC:
        title = f"{title} = {moments.full(time_ns, UTC)}"
    return format_html(
        '<time datetime="{}" title="{}, {}">{}</time>',
        at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if at else "",
        title,
        moments.ago(time_ns, now),
        told or moments.short(time_ns, zone, now),
    )


@register.simple_tag(takes_context=True)
def zone(context: Context) -> str:
    """The offset of the reader's clock now: `+01:00`, or `UTC`."""
    now = moments.moment(now_ns(), reader_zone(context.get("request")))
    return moments.offset(now) if now else "UTC"


@register.filter
def ago(time_ns: int | None) -> str:
    return "–" if time_ns is None else moments.ago(time_ns, now_ns())


@register.filter
def age(time_ns: int) -> str:
    """How long ago, without the word."""
    return moments.ago(time_ns, now_ns()).removesuffix(" ago")


@register.filter
def took(duration_ns: int | None) -> str:
    return moments.took(duration_ns)


@register.filter
def lasting(seconds: float) -> str:
    """A length that a person gave in seconds."""
    return moments.took(round(seconds * SECOND_NS))


@register.filter
def number(value: Any) -> str:
    """`1,204`; an en dash for nothing."""
    return "–" if value is None else f"{value:,}"


@register.filter
def hue(name: str) -> str:
    """`s1` … `s12`, the same for the same service everywhere."""
    return f"s{crc32((HUE_SALT + name).encode('utf-8', 'replace')) % HUES + 1}"


@register.simple_tag(takes_context=True)
def here(context: Context, section: str) -> SafeString:
    """`aria-current` on the section's link in the header."""
    request = context.get("request")
    path = request.path if request is not None else ""
    inside = path == "/" if section == "/" else path.startswith(section)
    # A flow is read in the section of the flows.
    inside = inside or (section == "/flows" and path.startswith(("/flow/", "/record/")))
    return SafeString(' aria-current="page"' if inside else "")


@register.simple_tag(takes_context=True)
def needing(context: Context) -> int:
    """How many problems need a person; none where the database does not say: a page that tells of that has a header too."""
    if "count_needing" in context:
        return int(context["count_needing"])  # the page has asked already
    request = context.get("request")
    if request is None or not person_of(request).views:
        return 0  # a stranger is not told
    try:
        return problems.count_needing()
    except Error:
        return 0


@register.simple_tag(takes_context=True)
def theme(context: Context) -> str:
    """`light`, `dark` or `system`, from the cookie of the header's switch."""
    request = context.get("request")
    chosen = request.COOKIES.get("theme", "") if request is not None else ""
    return chosen if chosen in ("light", "dark") else "system"


@register.simple_tag(takes_context=True)
def at(context: Context, time_ns: int) -> str:
    """A time as bare text, complete with its offset."""
    return moments.full(time_ns, reader_zone(context.get("request")))


@register.simple_tag(takes_context=True)
def typed(context: Context, text: str | None) -> str:
    """A time filter as a person would type it: nanoseconds of an address become a date in the reader's zone."""
    if not text or not text.lstrip("-").isdigit():
        return text or ""
    time = moments.moment(int(text), reader_zone(context.get("request"))) if len(text) < 20 else None
    if time is None or time.second or time.microsecond:
        return text
    return f"{time:%Y-%m-%d %H:%M}"


@register.simple_tag
def href(path: str, **query: str) -> str:
    """A path that may have a query, with more of it."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode(query)}"


@register.filter
def coded(sentence: str) -> SafeString:
    """A sentence whose words between backticks are names: `paid` as code."""
    parts = sentence.split("`")
    if len(parts) % 2 == 0:
        return SafeString(escape(sentence))
    told = (f"<code>{escape(part)}</code>" if at % 2 else escape(part) for at, part in enumerate(parts))
    return SafeString("".join(told))


@register.simple_tag
def public_url() -> str:
    """The base of links that leave the product."""
    return absolute("")


@register.simple_tag
def moment_href(base: str, start_ns: int, took_ns: int | str) -> str:
    """A view of a flow around what began then, as a link that may leave the product; the row of it is open in `base`."""
    length = took_ns if isinstance(took_ns, int) else 0
    rim = length // 20 + SECOND_NS
    return absolute(f"{base}from={start_ns - rim}&to={start_ns + length + rim}")


@register.filter
def absolute_url(path: str) -> str:
    """A path as such a link."""
    return absolute(path)


@register.filter
def markdown(text: str) -> SafeString:
    """What a person wrote, as blocks of HTML that can do no harm."""
    return reading.html(text)


@register.simple_tag
def type_href(type: str, *parts: str | int) -> str:
    """The address of a page under a type."""
    return type_url(type, *(str(part) for part in parts))


# The parts of a list's row are made here and not in its template: a page of 500 rows draws each a thousand times.


@register.filter
def standing_mark(flow: FlowSummary) -> SafeString:
    """A flow's verdict as shape, word and colour, and that it has errors; its status until it is judged."""
    if flow.judged is None:
        return mark(flow.status)
    told = verdict_mark(flow.judged, now_ns())
    found = f'<span class="mark {told.css}">{told.sign} {escape(told.word)}</span>'
    return SafeString(f"{found} {mark('error')}" if flow.status == "error" else found)


@register.filter
def waiting(flow: FlowSummary) -> SafeString:
    """What a flow waits for, beside its state; nothing where it goes as usual."""
    told = awaited(flow.judged) if flow.judged and flow.judged.verdict in WAITING else ""
    return SafeString(
        f' <span class="soft waits" title="{escape(told)}">{escape(told)}</span>' if told else ""
    )


@register.filter
def mark(status: str) -> SafeString:
    """A status as shape, word and colour."""
    return SafeString(f'<span class="mark {status}">{signs.STATUS[status]} {status}</span>')


@register.filter
def sign_word(kind: str) -> str:
    """A problem's kind as people say it: `retry storm`."""
    return signs.PROBLEM[kind].word


@register.filter
def state_mark(state: str) -> SafeString:
    """A problem's state as shape, word and colour."""
    return _sign_mark(signs.PROBLEM_STATE[state])


@register.filter
def judged_mark(sign: signs.Sign) -> SafeString:
    """A flow's verdict as shape, word and colour."""
    return _sign_mark(sign)


def _sign_mark(sign: signs.Sign) -> SafeString:
    tone = {"bad": "error", "stuck": "warn"}.get(sign.tone, sign.tone)
    return SafeString(f'<span class="mark {tone}">{sign.shape} {sign.word}</span>')


@register.filter
def swatches(services: Sequence[str]) -> SafeString:
    """Services with their hues, at most six."""
    shown = [
        f'<span class="serv"><i class="{hue(name)}"></i>{escape(name)}</span>' for name in services[:SHOWN]
    ]
    if len(services) > SHOWN:
        shown.append(f'<span class="soft">and {len(services) - SHOWN} more</span>')
    return SafeString(" ".join(shown))


@register.filter
def counts(flow: FlowSummary) -> SafeString:
    """The cells of a flow's numbers, each a link to what it counts."""
    path = escape(flow.path)
    join = "&amp;" if "?" in path else "?"
    cells = (
        (flow.spans, "span", "spans", path),
        (flow.logs, "log", "logs", f"{path}{join}only=logs"),
        (flow.errors, "error", "errors", f"{path}{join}only=errors"),
        (flow.retries, "retry", "retries", path),
    )
    return SafeString("".join(_count(*cell) for cell in cells))


@register.filter
def drawn(bar: Bar) -> SafeString:
    """A bar of the chart: a link over its whole stretch, the bar, and the part with errors."""
    times = f'data-from="{bar.from_ns}" data-to="{bar.to_ns}"'
    stretch = f'<rect class="hit" x="{bar.x}" y="0" width="{bar.slot}" height="56" {times}/>'
    if not bar.count:
        return SafeString(stretch)
    shape = f'<rect class="bar" x="{bar.x}" y="{bar.y}" width="{bar.width}" height="{bar.height}"/>'
    if bar.failing:
        shape += (
            f'<rect class="bad" x="{bar.x}" y="{bar.bad_y}" width="{bar.width}" height="{bar.bad_height}"/>'
        )
    return SafeString(f'<a href="{escape(bar.href)}">{stretch}{shape}<title>{escape(bar.title)}</title></a>')


def _count(value: int, one: str, many: str, address: str) -> str:
    """A cell; its word is shown beside the number where the page is narrow."""
    if not value:
        return '<td class="n num zero">–</td>'
    return (
        f'<td class="n num" data-word="{one if value == 1 else many}"><a href="{address}">{value:,}</a></td>'
    )


@register.filter
def spark(step: Step) -> SafeString:
    """Open flows over the last day as bars, an hour each; the last ones marked where flows are late."""
    known = [count for count in step.hours if count is not None]
    if not known:
        return SafeString('<span class="soft">–</span>')
    most = max(1, *known)
    # What is marked is what rose above the day's usual height.
    usual = sorted(known)[len(known) // 2]
    is_hot = bool(step.late or step.stuck)
    bars = []
    for place, count in enumerate(step.hours):
        if count:
            height = round(max(1.5, count / most * 20), 1)
            marked = ' class="hot"' if is_hot and count > usual and place >= len(step.hours) // 2 else ""
            bars.append(
                f'<rect{marked} x="{place * 5.5}" y="{22 - height:.1f}" width="4.3" height="{height}"/>'
            )
    told = f"open flows, hour by hour; at most {most:,}"
    return SafeString(
        f'<svg class="spark" viewBox="0 0 132 22" role="img" aria-label="{told}">{"".join(bars)}</svg>'
    )


@register.filter
def reasons(sender: Sender) -> list[tuple[str, int]]:
    """Why records of a sender were refused, the most frequent sentence first."""
    told = sender.refusals if isinstance(sender.refusals, dict) else {}
    return sorted(((str(sentence), int(count)) for sentence, count in told.items()), key=lambda one: -one[1])
