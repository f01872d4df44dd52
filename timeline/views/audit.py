"""`/settings/audit`: who did what, newest first, as a page, JSON or text; by person and by action.

`tracing.auditing` writes the rows.
"""

from datetime import tzinfo
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from timeline import moments
from timeline.access import needs
from timeline.addresses import with_query
from timeline.answers import BadFilter, asked_format, json_answer, page_answer, text_answer
from timeline.peopleforms import AuditFilter
from timeline.plain import cell, one_line
from timeline.templatetags.threadline import reader_zone
from tracing.auditing import Audit
from tracing.roles import Role

SHOWN = 100


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    form = asked_format(request)
    asked = _asked(request)
    limit = asked["limit"] or SHOWN
    found = _found(asked)[: limit + 1]
    rows, following = list(found[:limit]), found[limit - 1].pk if len(found) > limit else None
    if form == "json":
        return json_answer(
            {
                "audit": [_as_json(row) for row in rows],
                "next": None if following is None else str(following),
            }
        )
    if form != "html":
        return text_answer(_plain(rows, request, form), form)
    kept = {name: str(asked[name] or "") for name in ("who", "action", "limit")}
    context = {
        "rows": rows,
        "asked": kept,
        "actions": Audit.objects.order_by("action").values_list("action", flat=True).distinct(),
        "following": with_query("/settings/audit", kept | {"before": str(following)}) if following else "",
        "is_later": bool(asked["before"]),
        "narrowed": bool(kept["who"] or kept["action"]),
        "first": with_query("/settings/audit", kept),
    }
    return page_answer(request, "people/audit.html", context)


def _asked(request: HttpRequest) -> dict[str, Any]:
    form = AuditFilter(request.GET)
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise BadFilter(name, str(problems[0]))
    return form.cleaned_data


def _found(asked: dict[str, Any]) -> list[Audit]:
    rows = Audit.objects.order_by("-id")
    if asked["who"]:
        rows = rows.filter(who__iexact=asked["who"])
    if asked["action"]:
        rows = rows.filter(action=asked["action"])
    if asked["before"]:
        rows = rows.filter(pk__lt=asked["before"])
    return list(rows[: (asked["limit"] or SHOWN) + 1])


def _as_json(row: Audit) -> dict[str, Any]:
    return {
        "at": str(row.at_ns),
        "who": row.who or None,
        "typed": row.typed,
        "action": row.action,
        "subject": row.subject,
        "detail": row.detail,
    }


def _plain(rows: list[Audit], request: HttpRequest, form: str) -> str:
    if not rows:
        return "Nothing was changed yet."
    zone = reader_zone(request)
    lines = [_line(row, zone) for row in rows]
    return "\n".join(f"- {cell(line)}" if form == "md" else one_line(line, 160) for line in lines)


def _line(row: Audit, zone: tzinfo) -> str:
    who = f"{row.who} (as typed)" if row.typed else row.who or "somebody"
    more = f" ({row.detail})" if row.detail else ""
    return f"{moments.full(row.at_ns, zone)}  {who} · {row.action} · {row.subject}{more}"
