"""`/settings/calendars`: when a rule's time counts. Each shows when it opens next, as the proof of what was set.

Arithmetic and checks are `tracing.watch.calendars`; rules take one on `/types/<type>/expectations`.
"""

from datetime import UTC
from typing import Any

from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline import moments
from timeline.access import needs
from timeline.answers import NotFound, page_answer
from timeline.calendarforms import CalendarForm, calendar_form, written_to
from timeline.reader import name_of
from timeline.typeaddresses import type_url
from timeline.watchforms import as_calendar
from tracing import auditing
from tracing.clock import now_ns
from tracing.people import Calendar, ExpectationRule
from tracing.roles import Role
from tracing.unfit import Unfit
from tracing.watch import calendars as domain

SHOWN = 5
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "Europe/Paris", "Europe/Warsaw", "America/New_York", "America/Chicago",
    "America/Los_Angeles", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Singapore", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip


@require_safe
def calendars(request: HttpRequest) -> HttpResponse:
    used: dict[int | None, int] = {}
    for (calendar_id,) in ExpectationRule.objects.exclude(calendar=None).values_list("calendar_id"):
        used[calendar_id] = used.get(calendar_id, 0) + 1
    lines = [
        {"calendar": one, "opens": next(iter(openings(one, 1)), None), "rules": used.get(one.pk, 0)}
        for one in Calendar.objects.all()
    ]
    return page_answer(request, "settings/calendars.html", {"lines": lines})


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, calendar_id: int | None = None) -> HttpResponse:
    """A calendar's page. Posting shows when it would open, or saves it."""
    calendar = _calendar(calendar_id) if calendar_id is not None else Calendar(zone=_zone(request))
    if request.method != "POST":
        return _page(request, calendar, calendar_form(calendar))
    form = calendar_form(calendar, request.POST)
    if not form.is_valid():
        return _page(request, calendar, form, status=400)
    written_to(calendar, form.cleaned_data)
    if request.POST.get("do") == "show":
        return _page(request, calendar, form, shown=True)
    is_new = calendar.pk is None
    calendar.save()
    auditing.note(name_of(request), "calendar added" if is_new else "calendar changed", calendar.label)
    return HttpResponseRedirect(f"{reverse('calendar', args=[calendar.pk])}?saved=1")


begin = needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)(change)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def delete(request: HttpRequest, calendar_id: int) -> HttpResponse:
    calendar = _calendar(calendar_id)
    try:
        label = calendar.label
        calendar.delete()
    except ProtectedError:
        return _page(request, calendar, calendar_form(calendar), status=409, refused=True)
    auditing.note(name_of(request), "calendar deleted", label)
    return HttpResponseRedirect(reverse("calendars"))


def openings(calendar: Calendar, count: int = SHOWN) -> list[dict[str, str]]:
    """When it opens next, in its own zone; empty where it cannot work."""
    asked = as_calendar(calendar)
    try:
        domain.check(asked)
    except Unfit:
        return []
    at_ns = now_ns()
    return [
        _told(calendar.zone, since_ns, until_ns, at_ns)
        for since_ns, until_ns in domain.openings(asked, at_ns, count)
    ]


def _told(zone_name: str, since_ns: int, until_ns: int, at_ns: int) -> dict[str, str]:
    zone = moments.zone_named(zone_name)
    since, until = moments.moment(since_ns, zone), moments.moment(until_ns, zone)
    if since is None or until is None:
        return {"day": "", "hours": "", "zone": "", "ago": ""}
    # What ends at midnight ends the day it belongs to.
    ends = "24:00" if until.date() != since.date() else f"{until:%H:%M}"
    return {
        "day": f"{since:%a} {since.day} {since:%b}",
        "hours": f"{since:%H:%M} – {ends}",
        "zone": moments.offset(since),
        "ago": "open now" if since_ns <= at_ns else moments.ago(since_ns, at_ns),
    }


def _page(
    request: HttpRequest,
    calendar: Calendar,
    form: CalendarForm,
    status: int = 200,
    shown: bool = False,
    refused: bool = False,
) -> HttpResponse:
    rules = ExpectationRule.objects.filter(calendar=calendar) if calendar.pk is not None else ()
    context: dict[str, Any] = {
        "calendar": calendar,
        "form": form,
        "is_new": calendar.pk is None,
        "openings": openings(calendar) if status != 400 else [],
        "shown": shown,
        "refused": refused,
        "saved": "saved" in request.GET,
        "rules": [
            {"rule": rule, "href": type_url(rule.type, "expectations", str(rule.pk))} for rule in rules
        ],
        "zones": ZONES,
    }
    return page_answer(request, "settings/calendar.html", context, status=status)


def _zone(request: HttpRequest) -> str:
    """A new calendar begins in the reader's zone."""
    named = request.COOKIES.get("tz", "")
    return named if named and moments.zone_named(named) is not UTC else "UTC"


def _calendar(calendar_id: int) -> Calendar:
    found = Calendar.objects.filter(pk=calendar_id).first()
    if found is None:
        raise NotFound("There is no such calendar.")
    return found
