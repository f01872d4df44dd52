"""`/flows`: the list of flows with its filters, its chart, and its forms for programs and terminals.

The address is the question (`timeline.forms`), `timeline.queries.listing` answers it; the same partial draws the
first page and every update by htmx.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline.addresses import with_query
from timeline.answers import asked_format, json_answer, page_answer, text_answer, wants_part
from timeline.bars import bars
from timeline.forms import OPEN, STATUSES, FlowFilter, read_filter
from timeline.plain import flow_lines, flow_table
from timeline.queries import listing
from timeline.queries.chart import chart
from timeline.question import Question
from timeline.templatetags.threadline import reader_zone
from tracing.watch.standing import VERDICTS

FILTERS = (
    "kind",
    "type",
    "env",
    "service",
    "status",
    "state",
    "step",
    "verdict",
    "grey",
    "waits",
    "from",
    "to",
    "q",
    "limit",
)


@require_safe
def flows(request: HttpRequest) -> HttpResponse:
    form, question = read_filter(request.GET, reader_zone(request))
    asked = asked_format(request)
    page = listing.page(question)
    if asked == "json":
        told = {"flows": [flow.as_json(settings.URL) for flow in page.flows]}
        following = str(page.next) if page.next else None
        return json_answer(told | {"next": following, "notes": page.notes, "searched_to": _text(page.cut_ns)})
    if asked != "html":
        return text_answer(_plain(asked, page), asked)
    context = _context(request, form, question, page)
    response = page_answer(request, "flows/list.html" if wants_part(request) else "flows/page.html", context)
    response.headers["Vary"] = "HX-Request, Cookie"
    return response


def _plain(asked: str, page: listing.Page) -> str:
    told = flow_table(page.flows, settings.URL) if asked == "md" else flow_lines(page.flows)
    parts = [told if page.flows else "No flows match.", *page.notes]
    if page.next:
        parts.append(f"More: add cursor={page.next}")
    return "\n\n".join(parts)


def _context(
    request: HttpRequest, form: FlowFilter, question: Question, page: listing.Page
) -> dict[str, Any]:
    asked = {name: value for name in FILTERS if (value := request.GET.get(name, ""))}

    def href(**changed: str) -> str:
        return with_query("/flows", asked | changed)

    # The list's order is by the minute; on a page the latest of one minute stands first.
    page.flows.sort(key=lambda flow: (-flow.activity, -(flow.last_ns or 0)))
    drawn = None if question.equalities else chart(question)
    return {
        "form": form,
        "question": question,
        "page": page,
        "asked": asked,
        "choices": listing.choices(),
        "statuses": STATUSES,
        "verdicts": (OPEN, *VERDICTS),
        "kinds": _kinds(question, href),
        "narrowed": bool(asked.keys() - {"kind", "limit"}),
        "clear": with_query("/flows", {"kind": question.kind}),
        "all_times": href(**{"from": "", "to": ""}),
        "chart": drawn,
        "bars": bars(drawn, lambda a, b: href(**{"from": str(a), "to": str(b)}), reader_zone(request))
        if drawn
        else [],
        "first": href(),
        "following": href(cursor=str(page.next)) if page.next else "",
        "is_later": question.after is not None,
    }


def _kinds(question: Question, href: Any) -> list[dict[str, Any]]:
    kinds = (
        ("", "Entities and workflows"),
        ("entity", "Entities"),
        ("workflow", "Workflows"),
        ("request", "Requests"),
    )
    # A type belongs to one kind, so another kind starts without it.
    return [
        {"word": word, "href": href(kind=kind, type=""), "current": question.kind == kind}
        for kind, word in kinds
    ]


def _text(time_ns: int | None) -> str | None:
    return None if time_ns is None else str(time_ns)
