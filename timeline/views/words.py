"""What a person says of a flow, posted to the flow's own address: closed, opened again, followed, a note, a note taken back.

A word that is taken leads back to the page it was said on, and the watcher is woken where it changes the verdict; one
that is not taken is shown again with the reason. `timeline.sayforms` has the forms.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from timeline.addresses import row_number
from timeline.answers import BadFilter, page_answer
from timeline.asked import sent_path
from timeline.reader import name_of, remember, said, signed_by
from timeline.sayforms import FORMS, form_of
from timeline.summaries import FlowSummary
from timeline.templatetags.threadline import reader_zone
from tracing import auditing
from tracing.clock import now_ns
from tracing.people import Channel, Closure, Follow, Note

OF_JUDGED = ("close", "reopen", "follow", "unfollow")
DONE = {
    "close": "flow closed",
    "reopen": "flow reopened",
    "follow": "flow followed",
    "unfollow": "flow no longer followed",
    "note": "flow noted",
    "unnote": "note deleted",
}
TITLES = {"close": "Close it by hand", "follow": "Follow it", "note": "A note beside it"}


def say(request: HttpRequest, flow: FlowSummary) -> HttpResponse:
    """Take what was said and lead back; 400 with the form where it says nothing."""
    what = request.POST.get("do", "")
    if what in OF_JUDGED and flow.kind == "request":
        raise BadFilter("do", "A request is not judged: it can neither be closed nor followed.")
    if what in PLAIN:
        # What was so already nobody changed.
        if PLAIN[what](flow, request):
            auditing.note(signed_by(request), DONE[what], flow.title)
        # A note that is gone can be open no more.
        return HttpResponseRedirect(_back(request, *(["record"] if what == "unnote" else [])))
    if what not in FORMS:
        raise BadFilter(
            "do", "A flow can be closed, reopened, followed, unfollowed or noted, and a note taken back."
        )
    form = form_of(what, reader_zone(request), name_of(request), said(request))
    if not form.is_valid():
        return _again(request, flow, what, form)
    told = form.cleaned_data
    SAY[what](flow, told)
    auditing.note(
        told["name"], DONE[what], flow.title, told.get("reason", "") or str(told.get("channel", ""))
    )
    return remember(HttpResponseRedirect(_back(request)), told["name"])


def close(flow: FlowSummary, told: dict[str, Any]) -> None:
    with transaction.atomic():
        Closure.objects.create(
            flow_id=flow.identity, at_ns=now_ns(), reason=told["reason"], name=told["name"]
        )
        _wake(flow)


def reopen(flow: FlowSummary, request: HttpRequest) -> bool:
    """False where it was open.

    What closed it until now is a note from here on: who closed it, and why, stays on the timeline.
    """
    by = signed_by(request)
    with transaction.atomic():
        standing = Closure.objects.filter(flow_id=flow.identity, at_ns__gte=flow.last_ns or 0)
        for one in standing.select_for_update():
            text = f"Reopened; had been closed by {one.name or 'somebody'}: {one.reason}"
            Note.objects.create(flow_id=flow.identity, at_ns=now_ns(), text=text, name=by)
        deleted, _ = standing.delete()
        _wake(flow)
    return deleted > 0


def follow(flow: FlowSummary, told: dict[str, Any]) -> None:
    channel: Channel = told["channel"]
    with transaction.atomic():
        Follow.objects.update_or_create(
            flow_id=flow.identity, channel=channel, defaults={"name": told["name"], "since_ns": now_ns()}
        )
        # Its next move is told at once, also where nothing was expected of it.
        _wake(flow)


def unfollow(flow: FlowSummary, request: HttpRequest) -> bool:
    """False where it was not followed there."""
    channel = row_number(request.POST.get("channel", ""))
    deleted, _ = Follow.objects.filter(flow_id=flow.identity, channel_id=channel).delete()
    return deleted > 0


def note(flow: FlowSummary, told: dict[str, Any]) -> None:
    at_ns = now_ns() if told["at"] is None else told["at"]
    Note.objects.create(flow_id=flow.identity, at_ns=at_ns, text=told["text"], name=told["name"])


def unnote(flow: FlowSummary, request: HttpRequest) -> bool:
    """False where there is none.

    Whoever may write here may take a note back, not its writer alone: names are only typed while nobody signs in.
    """
    number = row_number(request.POST.get("note", ""))
    deleted, _ = Note.objects.filter(flow_id=flow.identity, pk=number).delete()
    return deleted > 0


def _wake(flow: FlowSummary) -> None:
    """The watcher looks at it next, whatever it had planned."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE expectation SET looks_ns = %s, wakes = true, hurried = true WHERE flow_id = %s",
            [now_ns(), flow.identity],
        )


def _back(request: HttpRequest, *gone: str) -> str:
    """The page it was said on, with everything its address asks for but the moment of a note that is written now."""
    query = request.META.get("QUERY_STRING", "")
    names = {"note", *gone}
    parts = [part for part in query.split("&") if part and part.partition("=")[0] not in names]
    return sent_path(request) + (f"?{'&'.join(parts)}" if parts else "")


def _again(request: HttpRequest, flow: FlowSummary, what: str, form: forms.Form) -> HttpResponse:
    context = {
        "flow": flow,
        "form": form,
        "what": what,
        "title": TITLES[what],
        "back": _back(request),
    }
    return page_answer(request, "flow/word.html", context, status=400)


SAY: dict[str, Callable[[FlowSummary, dict[str, Any]], None]] = {
    "close": close,
    "follow": follow,
    "note": note,
}
PLAIN: dict[str, Callable[[FlowSummary, HttpRequest], bool]] = {
    "reopen": reopen,
    "unfollow": unfollow,
    "unnote": unnote,
}
