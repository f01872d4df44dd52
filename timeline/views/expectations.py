"""`/types/<type>/expectations`: what people expect of a type's flows: list, add, change, switch off, delete.

A rule is tried on the stored past before it is armed (`tracing.watch.trial`): the first press shows what it would have
raised and whether it can match, the second arms exactly what was tried.
"""

from typing import Any

import psycopg
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from timeline.access import needs
from timeline.addresses import flow_url
from timeline.answers import BadFilter, NotFound, page_answer
from timeline.foreseeing import all_foreseen, foreseen
from timeline.queries.types import TypeLine, learned_steps, type_lines
from timeline.queries.vocabulary import Vocabulary, vocabulary
from timeline.reader import name_of, remember, said, signed_by
from timeline.steps import alarms_words, customs_of, step_lines
from timeline.typeaddresses import type_asked, type_url
from timeline.views.types import chosen_environment, page_links
from timeline.watchforms import ExpectationForm, as_ruling, expectation_form, fingerprint, written_to
from tracing import auditing
from tracing.clock import now_ns
from tracing.database import conninfo
from tracing.people import Calendar, ExpectationRule, TypeSettings
from tracing.roles import Role
from tracing.watch.trial import Known, Trial, try_rule
from tracing.watch.waking import wake_ruled


@require_safe
def expectations(request: HttpRequest, type: str) -> HttpResponse:
    type = _type(request, type)
    environments = {line.environment for line in type_lines(type)}
    environment = chosen_environment(request, sorted(environments))
    settled = TypeSettings.objects.filter(type=type).first()
    steps = step_lines(learned_steps(type, environment), [], settled)
    only = environment if len(environments) > 1 else ""
    rules = list(ExpectationRule.objects.filter(type=type).select_related("calendar"))
    lines = [
        {
            "rule": rule,
            "href": _address(rule, environment),
            "backtest": alarms_words(rule.backtest) if rule.backtest else "",
        }
        for rule in rules
    ]
    context = {
        "type": type,
        "links": page_links(type, environment),
        "lines": lines,
        "foreseen": [
            (one, type_url(type, "expectations", "new", environment=environment, step=one.rule.step))
            for one in all_foreseen(type, steps, rules, only)
        ],
        "armed": "armed" in request.GET,
        "rest": "rest" in request.GET,
    }
    return page_answer(request, "types/expectations.html", context)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, type: str, rule_id: int | None = None) -> HttpResponse:
    """A rule's page. Posting tries it; posting what was tried arms it."""
    type = _type(request, type)
    page = _Page(request, type, _rule(type, rule_id) if rule_id is not None else _begun(request, type))
    if request.method != "POST":
        page.foresee()
        return page.shown(page.form())
    form = page.form(said(request))
    if not form.is_valid():
        return page.shown(form, status=400)
    rule = written_to(page.rule, form.cleaned_data)
    trial = page.tried(rule)
    if request.POST.get("do") != "arm" or request.POST.get("tried") != fingerprint(rule):
        return page.shown(form, trial)
    rule.backtest, rule.enabled, rule.changed_ns = trial.result.as_json(), True, now_ns()
    before = _rule(type, rule.pk) if rule.pk is not None else None
    rule.save()
    auditing.note(
        signed_by(request), "expectation changed" if before else "expectation armed", type, str(rule.step)
    )
    rest = _wake(rule, *([before] if before else []))
    return remember(_to_list(type, page.environment, armed="1", **rest), rule.name)


begin = needs(Role.ADMINISTRATOR, Role.ADMINISTRATOR)(change)


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def switch(request: HttpRequest, type: str, rule_id: int) -> HttpResponse:
    type = _type(request, type)
    rule = _rule(type, rule_id)
    rule.enabled, rule.changed_ns = not rule.enabled, now_ns()
    rule.save()
    auditing.note(
        name_of(request), f"expectation switched {'on' if rule.enabled else 'off'}", type, rule.step
    )
    return _to_list(type, request.GET.get("env", ""), **_wake(rule))


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_POST
def delete(request: HttpRequest, type: str, rule_id: int) -> HttpResponse:
    type = _type(request, type)
    rule = _rule(type, rule_id)
    rule.delete()
    auditing.note(name_of(request), "expectation deleted", type, rule.step)
    return _to_list(type, request.GET.get("env", ""), **_wake(rule))


class _Page:
    """One rule's page: what is known of its type is read once."""

    def __init__(self, request: HttpRequest, type: str, rule: ExpectationRule) -> None:
        self.request, self.type, self.rule = request, type, rule
        self.places: list[TypeLine] = type_lines(type)
        self.environments = sorted({line.environment for line in self.places})
        self.environment = chosen_environment(request, self.environments)
        self.words: Vocabulary = vocabulary(type)
        self.links = page_links(type, self.environment)

    def foresee(self) -> None:
        """A new rule that is begun from a step: what was learned of it is filled in."""
        if self.rule.pk is not None or not self.rule.step:
            return
        for line in step_lines(learned_steps(self.type, self.environment), [], None):
            if line.name == self.rule.step and line.learned is not None:
                only = self.environment if len(self.environments) > 1 else ""
                self.rule = foreseen(self.type, line.learned, only) or self.rule

    def form(self, data: Any = None) -> ExpectationForm:
        offered = list(Calendar.objects.all())
        return expectation_form(
            self.rule, self.environments, offered, data, name_of(self.request) or self.rule.name
        )

    def tried(self, rule: ExpectationRule) -> Trial:
        environments = [rule.environment] if rule.environment else self.environments
        settled = TypeSettings.objects.filter(type=self.type).first()
        known = Known(
            self.words.states,
            self.words.systems,
            frozenset((before, after) for before, after, _ in self.words.ways),
        )
        with psycopg.connect(conninfo(), autocommit=True) as connection:
            return try_rule(
                connection,
                as_ruling(rule),
                environments,
                customs_of(settled),
                known,
                now_ns(),
            )

    def shown(self, form: ExpectationForm, trial: Trial | None = None, status: int = 200) -> HttpResponse:
        context: dict[str, Any] = {
            "type": self.type,
            "links": self.links,
            "form": form,
            "rule": self.rule,
            "is_new": self.rule.pk is None,
            "address": _address(self.rule, self.environment),
            "steps": sorted(self.words.states),
            "systems": sorted(self.words.systems),
            "backtest": alarms_words(self.rule.backtest) if self.rule.backtest and trial is None else "",
        }
        if trial is not None:
            context |= self._tried_context(trial)
        return page_answer(self.request, "types/expectation.html", context, status=status)

    def _tried_context(self, trial: Trial) -> dict[str, Any]:
        kinds = {line.environment: line.kind for line in self.places}
        examples = []
        for alarm in trial.result.examples:
            environment = trial.environments.get(alarm.flow_id, settings.ENVIRONMENT)
            href = flow_url(kinds.get(environment, "entity"), self.type, alarm.key, environment)
            stayed_ns = None if alarm.recovered_ns is None else alarm.recovered_ns - alarm.at_ns
            examples.append({"alarm": alarm, "href": href, "later_ns": stayed_ns})
        return {
            "trial": trial,
            "told": alarms_words(trial.result.as_json()),
            "examples": examples,
            "tried": fingerprint(self.rule),
        }


def _wake(*rules: ExpectationRule) -> dict[str, str]:
    """Flows these hold for, or held, are judged anew; of a series nothing stands still that could be.

    What the address says where they are too many for now.
    """
    ruled = [rule for rule in rules if rule.subject == ExpectationRule.Subject.FLOW]
    woken = [wake_ruled(as_ruling(rule), now_ns()) for rule in ruled]
    return {} if all(one.whole for one in woken) else {"rest": "1"}


def _to_list(type: str, environment: str, **told: str) -> HttpResponse:
    return HttpResponseRedirect(type_url(type, "expectations", environment=environment, **told))


def _type(request: HttpRequest, type: str) -> str:
    type = type_asked(request, type)
    if not type or len(type) > 100:
        raise BadFilter("type", "A type has a name of at most 100 characters.")
    return type


def _begun(request: HttpRequest, type: str) -> ExpectationRule:
    """A new rule, begun from a step."""
    return ExpectationRule(type=type, step=request.GET.get("step", "")[:300], within_s=0)


def _rule(type: str, rule_id: int) -> ExpectationRule:
    rule = ExpectationRule.objects.filter(pk=rule_id, type=type).select_related("calendar").first()
    if rule is None:
        raise NotFound("There is no such expectation.")
    return rule


def _address(rule: ExpectationRule, environment: str, *parts: str) -> str:
    which = "new" if rule.pk is None else str(rule.pk)
    return type_url(rule.type, "expectations", which, *parts, environment=environment)
