"""What a person says of a problem: acknowledged, muted until something comes true, open again, a note.

Each is a plain form that can stand on a page of its own; `tracing.watch.quieting` decides what may be said. A word
that is taken leads back to where it was said, and the name is remembered for the next one.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST

from timeline.access import needs
from timeline.addresses import row_number
from timeline.answers import page_answer
from timeline.problem import Problem
from timeline.problemforms import MuteForm, NoteForm, WordForm
from timeline.reader import name_of, remember, said
from timeline.templatetags.threadline import reader_zone
from timeline.views.problems import asked_problem
from timeline.views.problems import forms as fresh_forms
from tracing import auditing
from tracing.clock import now_ns
from tracing.people import Note
from tracing.roles import Role
from tracing.unfit import Unfit
from tracing.watch import quieting as domain

WORDS = {"word": "problem acknowledged", "mute": "problem muted", "note": "problem noted"}
Say = Callable[[dict[str, Any]], None]


@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def acknowledge(request: HttpRequest, problem_id: str) -> HttpResponse:
    found = asked_problem(problem_id)
    form = WordForm(
        said(request) if request.method == "POST" else None, initial=_said(request), auto_id="ack-%s"
    )

    def say(told: dict[str, Any]) -> None:
        domain.acknowledge(connection, found.identity, told["name"], told["reason"])

    return _answer(request, found, "word", form, say)


@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def mute(request: HttpRequest, problem_id: str) -> HttpResponse:
    found = asked_problem(problem_id)
    initial = _said(request) | {"until": "time", "hours": 4}
    form = MuteForm(
        said(request) if request.method == "POST" else None,
        reader_zone(request),
        initial=initial,
        auto_id="mute-%s",
    )

    def say(told: dict[str, Any]) -> None:
        domain.mute(connection, found.identity, told["name"], told["reason"], form.condition)

    return _answer(request, found, "mute", form, say)


@needs(Role.OPERATOR, Role.OPERATOR)
@require_POST
def unmute(request: HttpRequest, problem_id: str) -> HttpResponse:
    """Take back an acknowledgement or a mute. Whoever has not said their name takes it back all the same."""
    found = asked_problem(problem_id)
    try:
        domain.unmute(connection, found.identity, name_of(request))
        auditing.note(name_of(request), "problem opened again", found.title)
    except Unfit as problem:
        form = WordForm(None, initial=_said(request), auto_id="ack-%s")
        return _page(request, found, "word", form, problem.sentence, status=400)
    return HttpResponseRedirect(found.path)


@needs(Role.OPERATOR, Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def note(request: HttpRequest, problem_id: str) -> HttpResponse:
    found = asked_problem(problem_id)
    number = row_number(request.POST.get("delete", ""))
    if number:
        deleted, _ = Note.objects.filter(problem_id=found.identity, pk=number).delete()
        if deleted:
            auditing.note(name_of(request), "note deleted", found.title)
        return HttpResponseRedirect(found.path)
    form = NoteForm(
        said(request) if request.method == "POST" else None, initial=_said(request), auto_id="note-%s"
    )

    def say(told: dict[str, Any]) -> None:
        Note.objects.create(problem_id=found.identity, at_ns=now_ns(), text=told["text"], name=told["name"])

    return _answer(request, found, "note", form, say)


def _answer(request: HttpRequest, found: Problem, what: str, form: forms.Form, say: Say) -> HttpResponse:
    """The form by itself, the form again with what is wrong, or back to where it was said."""
    if request.method != "POST":
        return _page(request, found, what, form)
    if not form.is_valid():
        return _page(request, found, what, form, status=400)
    try:
        say(form.cleaned_data)
        told = form.cleaned_data
        auditing.note(told["name"], WORDS[what], found.title, told.get("reason", ""))
    except Unfit as problem:
        if problem.field not in form.fields:
            return _page(request, found, what, form, problem.sentence, status=400)
        form.add_error(problem.field, problem.sentence)
        return _page(request, found, what, form, status=400)
    back = "/" if request.POST.get("from") == "now" else found.path
    return remember(HttpResponseRedirect(back), form.cleaned_data["name"])


def _page(
    request: HttpRequest, found: Problem, what: str, form: forms.Form, sentence: str = "", status: int = 200
) -> HttpResponse:
    context = fresh_forms(request, found) | {what: form, "what": what, "problem": found, "sentence": sentence}
    context["from"] = request.POST.get("from") or request.GET.get("from", "")
    return page_answer(request, "problems/word.html", context, status=status)


def _said(request: HttpRequest) -> dict[str, Any]:
    return {"name": name_of(request)}
