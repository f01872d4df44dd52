"""`/settings/notifications`: where messages go, which problems are told there, what was sent and what failed.

The tables are written by `tracing.watch.telling` and `sending`; the test button sends from here, at once.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline import notifying
from timeline.access import needs
from timeline.addresses import row_number
from timeline.answers import BadFilter, NotFound, page_answer
from timeline.queries import messages, untold
from timeline.queries.messages import Message
from timeline.reader import name_of
from tracing import auditing
from tracing.clock import now_ns
from tracing.database import conninfo
from tracing.people import Channel, Follow, Route
from tracing.roles import Role
from tracing.unfit import Unfit
from tracing.watch import channels, deadman, routes, sending

STATES = ("waiting", "trying", "sent", "failed", "dropped")


@dataclass(frozen=True, slots=True)
class ChannelLine:
    channel: Channel
    shown: str
    routes: int
    follows: int
    sent: int
    is_failing: bool


@dataclass(frozen=True, slots=True)
class RouteLine:
    route: Route
    number: int
    words: str
    pace: str
    warning: str
    untold: int  # open problems that it would tell and its channel was not told of


@dataclass(frozen=True, slots=True)
class MessageLine:
    message: Message
    channel: str


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_safe
def notifications(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    if state and state not in STATES:
        raise BadFilter("state", f"A message is {', '.join(STATES[:-1])} or {STATES[-1]}.")
    tested = request.GET.get("tested", "")
    lines = _channels()
    labels = {line.channel.pk: line.channel.label for line in lines}
    latest = messages.latest(state, row_number(request.GET.get("channel", "")))
    told_by = _routes()
    saved = row_number(request.GET.get("saved", ""))
    context = {
        "channels": lines,
        "routes": told_by,
        "saved": next((line for line in told_by if line.route.pk == saved), None),
        "telling": row_number(request.GET.get("telling", "")),
        "messages": [MessageLine(one, labels.get(one.channel_id, "deleted")) for one in latest],
        "counts": sorted(messages.states().items()),
        "state": state,
        "asked_channel": labels.get(row_number(request.GET.get("channel", "")), ""),
        "tested": messages.by_id(tested) if re.fullmatch(r"[0-9a-f]{20}", tested) else None,
        "call": _call(),
    }
    return page_answer(request, "settings/notifications.html", context)


def _channels() -> list[ChannelLine]:
    counted = Channel.objects.annotate(
        routes=Count("route", distinct=True), follows=Count("follow", distinct=True)
    )
    sent = messages.sent_by_channel()
    return [
        ChannelLine(
            channel,
            channels.shown(channel.address, channel.by_mail),
            channel.routes,
            channel.follows,
            sent.get(channel.pk, 0),
            bool(channel.error),
        )
        for channel in counted
    ]


def _routes() -> list[RouteLine]:
    known = list(Route.objects.select_related("channel"))
    warned, open = routes.warnings(known), untold.openings(known)
    return [
        RouteLine(
            route, number, notifying.in_words(route), notifying.pace(route), warned.get(route.pk, ""),
            len(open.get(route.pk, ())),
        )
        for number, route in enumerate(known, start=1)
    ]  # fmt: skip


def _call() -> dict[str, Any]:
    """The dead-man's state. Its address may be a secret: only the host is named."""
    calls = messages.calls()
    judged = calls.judged_ns
    return {
        "host": urlsplit(settings.DEADMAN_URL).hostname if settings.DEADMAN_URL else "",
        "called_ns": calls.called_ns,
        "error": calls.error,
        "judged_ns": judged,
        "judge_is_well": judged is not None and now_ns() - judged <= deadman.WELL_NS,
    }


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def channel(request: HttpRequest, channel_id: int | None = None) -> HttpResponse:
    """A channel's form; a new one where there is no id."""
    found = _channel(channel_id) if channel_id is not None else Channel()
    form = notifying.ChannelForm(found, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            written = form.written()
            channels.check(written.address, written.by_mail)
            # What went wrong with the address before says nothing of this one.
            written.error = ""
            is_new = written.pk is None
            written.save()
            # Its address may hold a secret, so it is not told here.
            auditing.note(name_of(request), "channel added" if is_new else "channel changed", written.label)
            return _back()
        except Unfit as problem:
            form.add_error(problem.field, problem.sentence)
    context: dict[str, Any] = {"form": form, "channel": found, "has_mail": bool(settings.EMAIL)}
    if found.pk is not None:
        context |= {
            "routes": Route.objects.filter(channel=found).count(),
            "follows": Follow.objects.filter(channel=found).count(),
            "name": Channel.objects.values_list("label", flat=True).get(pk=found.pk),
        }
    return page_answer(request, "settings/channel.html", context, status=400 if form.errors else 200)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def channel_switch(request: HttpRequest, channel_id: int) -> HttpResponse:
    found = _channel(channel_id)
    found.enabled = not found.enabled
    found.save(update_fields=["enabled"])
    auditing.note(name_of(request), f"channel switched {'on' if found.enabled else 'off'}", found.label)
    return _back()


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def channel_delete(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Its routes and follows go with it; what was sent stays on the timelines."""
    found = _channel(channel_id)
    label = found.label
    found.delete()
    auditing.note(name_of(request), "channel deleted", label)
    return _back()


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def channel_test(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Send a message now, wait for the answer, and show it."""
    found = _channel(channel_id)
    auditing.note(name_of(request), "channel tested", found.label)
    with psycopg.connect(conninfo(), autocommit=True) as connection:
        number = sending.send_test(connection, channel_id)
    return HttpResponseRedirect(f"{reverse('notifications')}?tested={number or ''}")


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def route(request: HttpRequest, route_id: int | None = None) -> HttpResponse:
    """A route's form; a new one where there is no id, to the channel that `?channel=` names."""
    found = _route(route_id) if route_id is not None else Route()
    if found.pk is None:
        found.channel_id = row_number(request.GET.get("channel", ""))
    form = notifying.route_form(found, request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            is_new = found.pk is None
            saved = routes.save(form.written_to(found))
            auditing.note(
                name_of(request),
                "route added" if is_new else "route changed",
                saved.channel.label,
                notifying.in_words(saved),
            )
            return HttpResponseRedirect(f"{reverse('notifications')}?saved={saved.pk}#routes")
        except Unfit as problem:
            form.add_error(problem.field, problem.sentence)
    context = {"form": form, "route": found, "has_channels": Channel.objects.exists()}
    return page_answer(request, "settings/route.html", context, status=400 if form.errors else 200)


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def route_move(request: HttpRequest, route_id: int) -> HttpResponse:
    found = _route(route_id)
    routes.move(found, -1 if request.POST.get("to") == "up" else 1)
    auditing.note(name_of(request), "route moved", found.channel.label)
    return _back()


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def route_tell(request: HttpRequest, route_id: int) -> HttpResponse:
    """What is open already and was not told on its channel is told there now."""
    found = _route(route_id)
    flips = untold.openings(list(Route.objects.select_related("channel"))).get(route_id, [])
    untold.tell(flips)
    auditing.note(name_of(request), "open problems told", found.channel.label, f"{len(flips)} problems")
    return HttpResponseRedirect(f"{reverse('notifications')}?telling={len(flips)}#routes")


@needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)
@require_POST
def route_delete(request: HttpRequest, route_id: int) -> HttpResponse:
    found = _route(route_id)
    label = found.channel.label
    found.delete()
    auditing.note(name_of(request), "route deleted", label)
    return _back()


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("notifications"))


def _channel(channel_id: int) -> Channel:
    found = Channel.objects.filter(pk=channel_id).first()
    if found is None:
        raise NotFound("There is no such channel.")
    return found


def _route(route_id: int) -> Route:
    found = Route.objects.filter(pk=route_id).select_related("channel").first()
    if found is None:
        raise NotFound("There is no such route.")
    return found
