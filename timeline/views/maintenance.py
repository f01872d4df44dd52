"""`/settings/maintenance`: stretches in which a service or a type is not judged, said by a person with a reason.

The judge answers `paused` within them (`tracing.watch.lore`); what was judged before stays judged.
"""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from timeline.access import needs
from timeline.answers import NotFound, page_answer
from timeline.calendarforms import MaintenanceForm, maintenance_form
from timeline.queries import listing
from timeline.reader import name_of, remember, said
from timeline.templatetags.threadline import reader_zone
from timeline.typeaddresses import type_url
from tracing import auditing
from tracing.clock import now_ns
from tracing.people import Maintenance
from tracing.roles import Role
from tracing.watch.pausing import begin_pause, end_pause

MOST_PAST = 50
LENGTHS = ("30m", "1h", "2h", "4h", "8h", "1d")


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def maintenance(request: HttpRequest) -> HttpResponse:
    zone = reader_zone(request)
    if request.method != "POST":
        return _page(request, maintenance_form(zone, name_of(request)))
    form = maintenance_form(zone, name_of(request), said(request))
    made = form.made(now_ns()) if form.is_valid() else None
    if made is None:
        return _page(request, form, status=400)
    woken = begin_pause(made, now_ns())
    auditing.note(made.name, "maintenance declared", str(made), made.reason)
    address = f"{reverse('maintenance')}?declared=1{'' if woken.whole else '&rest=1'}"
    return remember(HttpResponseRedirect(address), made.name)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def end(request: HttpRequest, maintenance_id: int) -> HttpResponse:
    """Over now; one that has not begun is called off."""
    found = Maintenance.objects.filter(pk=maintenance_id).first()
    if found is None:
        raise NotFound("There is no such maintenance.")
    woken = end_pause(found, now_ns())
    auditing.note(name_of(request), "maintenance ended", str(found))
    return HttpResponseRedirect(reverse("maintenance") + ("" if woken.whole else "?rest=1"))


def _page(request: HttpRequest, form: MaintenanceForm, status: int = 200) -> HttpResponse:
    at_ns = now_ns()
    choices = listing.choices()
    standing = list(Maintenance.objects.filter(until_ns__gt=at_ns).order_by("from_ns"))
    context = {
        "form": form,
        "current": _lines((one for one in standing if one.from_ns <= at_ns), choices),
        "coming": _lines((one for one in standing if one.from_ns > at_ns), choices),
        "past": _lines(
            Maintenance.objects.filter(until_ns__lte=at_ns).order_by("-until_ns")[:MOST_PAST], choices
        ),
        "declared": "declared" in request.GET,
        "rest": "rest" in request.GET,
        "choices": choices,
        "lengths": LENGTHS,
    }
    return page_answer(request, "settings/maintenance.html", context, status=status)


def _lines(found: Iterable[Maintenance], choices: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Each with where its subject is to be seen, and whether anybody has heard of it."""
    return [
        {
            "one": one,
            "href": type_url(one.type) if one.type else "",
            "strange": one.type not in choices["types"]
            if one.type
            else one.service not in choices["services"],
        }
        for one in found
    ]
