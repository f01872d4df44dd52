"""`/settings/rules`: which attributes make flows; tried on what is stored, published, applied, undone.

`tracing.rules` does all of it; applying and undoing run in the watcher as jobs whose progress is shown here.
"""

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline.access import needs
from timeline.answers import NotFound, page_answer, wants_part
from timeline.forms import RuleForm, rule_form
from timeline.reader import name_of
from tracing import auditing
from tracing import rules as domain
from tracing.candidates import candidates
from tracing.models import Rule, RuleJob
from tracing.roles import Role
from tracing.rules import Preview, Statistics
from tracing.unfit import Unfit

RUNNING = (RuleJob.State.WAITING, RuleJob.State.RUNNING)


@dataclass(frozen=True, slots=True)
class Line:
    rule: Rule
    made: Statistics
    job: RuleJob | None


@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    made = domain.statistics()
    newest = RuleJob.objects.values("rule").annotate(newest=Max("id")).values("newest")
    jobs = {job.rule_id: job for job in RuleJob.objects.filter(id__in=newest)}
    lines = [Line(rule, made.get(rule.pk, Statistics()), jobs.get(rule.pk)) for rule in Rule.objects.all()]
    # What made something first, then what is on, then by name.
    lines.sort(key=lambda line: (-line.made.flows, not line.rule.enabled, line.rule.name))
    context = {
        "lines": lines,
        "candidates": candidates(),
        "off": sum(not line.rule.enabled for line in lines),
    }
    return page_answer(request, "settings/rules.html", context)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, rule_id: int | None = None) -> HttpResponse:
    """A rule's page: its form, its flows, its jobs. Posting previews or publishes it."""
    rule = _rule(rule_id) if rule_id is not None else _begun(request.GET.get("key", ""))
    if request.method != "POST":
        return _page(request, rule, rule_form(rule))
    form = rule_form(rule, request.POST)
    try:
        if form.is_valid():
            return _done(request, form.written_to(rule), form)
    except Unfit as problem:
        form.add_error(problem.field if problem.field in form.fields else None, problem.sentence)
    return _page(request, rule, form, status=400)


begin = needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)(change)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def switch(request: HttpRequest, rule_id: int) -> HttpResponse:
    rule = _rule(rule_id)
    domain.switch(rule, not rule.enabled)
    auditing.note(name_of(request), f"rule switched {'on' if rule.enabled else 'off'}", rule.name)
    return HttpResponseRedirect(_back(request, rule))


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def apply(request: HttpRequest, rule_id: int) -> HttpResponse:
    rule = _rule(rule_id)
    domain.apply(rule)
    auditing.note(name_of(request), "rule applied to stored data", rule.name)
    return HttpResponseRedirect(_address(rule))


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def undo(request: HttpRequest, rule_id: int) -> HttpResponse:
    rule = _rule(rule_id)
    domain.undo(rule)
    auditing.note(name_of(request), "rule undone", rule.name)
    return HttpResponseRedirect(_address(rule))


@require_safe
def job(request: HttpRequest, job_id: int) -> HttpResponse:
    """A job's progress; asked for again every second while it runs, by htmx or by hand."""
    found = RuleJob.objects.select_related("rule").filter(pk=job_id).first()
    if found is None:
        raise NotFound("There is no such job.")
    if not wants_part(request):
        return HttpResponseRedirect(_address(found.rule))
    context = {"job": found, "is_running": found.state in RUNNING}
    if found.state not in RUNNING:
        # The page around it still says what the rule had made before.
        context |= {"afresh": True, "made": domain.statistics().get(found.rule_id, Statistics())}
    return page_answer(request, "settings/job.html", context)


def _done(request: HttpRequest, rule: Rule, form: RuleForm) -> HttpResponse:
    if request.POST.get("do") == "preview":
        return _page(request, rule, form, preview=domain.preview(rule))
    is_new = rule.pk is None
    domain.publish(rule)
    keys = ", ".join(" + ".join(names) for names in rule.keys)
    auditing.note(name_of(request), "rule added" if is_new else "rule changed", rule.name, keys)
    return HttpResponseRedirect(f"{_address(rule)}?published=1")


def _page(
    request: HttpRequest, rule: Rule, form: RuleForm, preview: Preview | None = None, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"rule": rule, "form": form, "preview": preview, "is_new": rule.pk is None}
    if rule.pk is not None:
        jobs = list(rule.rulejob_set.all()[:5])
        context |= {
            "made": domain.statistics().get(rule.pk, Statistics()),
            "jobs": [{"job": one, "is_running": one.state in RUNNING} for one in jobs],
            "published": "published" in request.GET,
        }
    return page_answer(request, "settings/rule.html", context, status=status)


def _rule(rule_id: int) -> Rule:
    rule = Rule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise NotFound("There is no such rule.")
    return rule


def _begun(attribute: str) -> Rule:
    """A new rule, begun from an attribute that looks like a key: `shop.parcel_no` makes parcels."""
    name = attribute.strip()[:200]
    words = [word for word in re.split(r"[._\-]+", re.sub(r"([a-z])([A-Z])", r"\1.\2", name).lower()) if word]
    type = words[-2] if len(words) > 1 else "".join(words)
    return Rule(name=type[:100], kind=Rule.Kind.ENTITY, type=type[:100], keys=[[name]] if name else [])


def _address(rule: Rule) -> str:
    return reverse("rule", args=[rule.pk])


def _back(request: HttpRequest, rule: Rule) -> str:
    return _address(rule) if request.POST.get("from") == "rule" else reverse("rules")
