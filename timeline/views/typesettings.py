"""`/types/<type>/settings`: what a person says of a type, each field beside what Threadline proposes from what it saw.

Proposals are `tracing.watch.proposing`'s. Nothing is taken unasked: a proposal is filled in, and a person saves it.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from timeline.access import needs
from timeline.answers import BadFilter, page_answer
from timeline.queries.types import learned_steps, type_lines
from timeline.queries.vocabulary import Vocabulary, vocabulary
from timeline.reader import name_of, remember, said, signed_by
from timeline.steps import customs_of, percent, seen_steps, step_lines
from timeline.typeaddresses import type_asked, type_url
from timeline.typeforms import FIELDS, TypeForm, as_text, type_form, written_to
from timeline.views.types import chosen_environment, page_links
from tracing import auditing
from tracing.clock import now_ns
from tracing.people import TypeSettings
from tracing.roles import Role
from tracing.watch.customs import Customs
from tracing.watch.misfits import unknown
from tracing.watch.proposing import Proposal, propose
from tracing.watch.waking import wake_steps

ANSWERS = {"yes": True, "no": False}
LONGEST_STEP = 300


@needs(Role.VIEWER, Role.ADMINISTRATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def type_settings(request: HttpRequest, type: str) -> HttpResponse:
    page = _Page(request, type_asked(request, type))
    if request.method != "POST":
        taken = page.proposal if "take" in request.GET else None
        form = type_form(page.said, name_of(request) or page.said.name, taken)
        return page.shown(form, taken=taken is not None)
    if request.POST.get("do") == "answer":
        return page.answered()
    form = TypeForm(said(request))
    if not form.is_valid():
        return page.shown(form, status=400)
    doubts = unknown(form.words, page.words.states, page.words.said.keys() or page.words.systems)
    if doubts and request.POST.get("do") != "keep":
        return page.shown(form, doubts=doubts)
    return page.saved(written_to(page.said, form.cleaned_data))


class _Page:
    """One type's settings with what was seen of it; reads all of it once."""

    def __init__(self, request: HttpRequest, type: str) -> None:
        self.request, self.type = request, type
        if not type or len(type) > 100:
            raise BadFilter("type", "A type has a name of at most 100 characters.")
        self.environment = chosen_environment(request, [line.environment for line in type_lines(type)])
        self.said = TypeSettings.objects.filter(type=type).first() or TypeSettings(type=type)
        self.customs = customs_of(self.said)
        self.words: Vocabulary = vocabulary(type)
        steps = step_lines(learned_steps(type, self.environment), [], None)
        self.proposal: Proposal = propose(seen_steps(steps), self.words.said, self.said.answers)
        self.links = page_links(type, self.environment)

    def shown(
        self, form: TypeForm, *, taken: bool = False, doubts: list[str] | None = None, status: int = 200
    ) -> HttpResponse:
        fields = [self._field(form, name) for name in (*FIELDS, "name")]
        context = {
            "type": self.type,
            "links": self.links,
            "form": form,
            "fields": fields,
            "said": self.said,
            "taken": taken,
            "doubts": doubts or [],
            "proposes": any(field["differs"] for field in fields),
            "questions": [(one.step, percent(one.share)) for one in self.proposal.questions],
            "answers": sorted(self.said.answers.items()),
            "systems": sorted(self.words.systems),
            "saved": "saved" in self.request.GET,
            "rest": "rest" in self.request.GET,
        }
        return page_answer(self.request, "types/settings.html", context, status=status)

    def _field(self, form: TypeForm, name: str) -> dict[str, Any]:
        """A field with the proposal in words, whether it differs from what stands there, and why there is none."""
        told = getattr(self.proposal, name, None)
        proposed = as_text(name, told) if told else ""
        shown = str(form[name].value() or "").replace("\r", "").strip()
        return {
            "field": form[name],
            "proposed": proposed,
            "differs": bool(proposed) and proposed != shown,
            "reason": self.proposal.reasons.get(name, "") if name != "name" else "",
        }

    def answered(self) -> HttpResponse:
        """A question is asked once; its answer may be taken back."""
        step, answer = self.request.POST.get("step", ""), self.request.POST.get("answer", "")
        if not step or len(step) > LONGEST_STEP or answer not in (*ANSWERS, "back"):
            raise BadFilter("answer", "An answer is yes, no or back, and names a step.")
        answers = {name: is_end for name, is_end in self.said.answers.items() if name != step}
        if answer in ANSWERS:
            answers[step] = ANSWERS[answer]
        self.said.answers = answers
        return self.saved(self.said)

    def saved(self, settled: TypeSettings) -> HttpResponse:
        settled.changed_ns = now_ns()
        settled.save()
        auditing.note(signed_by(self.request), "type settings changed", self.type)
        woken = wake_steps(self.type, self._changed(customs_of(settled)), settled.changed_ns)
        rest = {} if woken.whole else {"rest": "1"}
        address = type_url(self.type, "settings", environment=self.environment, saved="1", **rest)
        response = HttpResponseRedirect(address)
        return remember(response, settled.name) if self.request.POST.get("name") else response

    def _changed(self, customs: Customs) -> set[str] | None:
        """The steps that end flows otherwise than before; None where the state has another owner."""
        if customs.owner != self.customs.owner:
            return None
        told = (customs, self.customs)
        named = {step for one in told for step in (*(one.good or ()), *(one.bad or ()), *one.answers)}
        return {
            step
            for step in named | self.words.states
            if customs.end_of(step) != self.customs.end_of(step)
            or customs.answers.get(step) != self.customs.answers.get(step)
        }
