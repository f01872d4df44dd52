"""The forms of problems: the filters of their list, and what a person says of one.

A bad filter is a 400 with the field named; a word that cannot be taken is shown again with the reason. What may be
said at all is decided by `tracing.watch.quieting`.
"""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from django import forms

from timeline.answers import BadFilter
from timeline.forms import MomentField
from timeline.problem import STATES
from timeline.queries.affected import FlowPlace
from timeline.queries.problems import Place, ProblemQuestion
from tracing.clock import now_ns
from tracing.watch.finding import KINDS

HOUR_NS = 3_600 * 1_000_000_000
HOURS = ((1, "1 hour"), (4, "4 hours"), (12, "12 hours"), (24, "1 day"), (72, "3 days"), (168, "1 week"))
GREYS = ("only", "no")
UNTIL = ("time", "more", "rate", "error", "variant")


class PlaceField(forms.CharField):
    """Where a page begins, as the page before said it: a time and an id."""

    def clean(self, value: Any) -> tuple[int, bytes] | None:
        text = str(super().clean(value))
        found = re.fullmatch(r"(-?\d{1,19})\.((?:[0-9a-f]{2}){12,16})", text)
        if text and (not found or abs(int(found[1])) >= 2**63):
            raise forms.ValidationError(
                "This cursor did not come from a page of this list. Start without one."
            )
        return (int(found[1]), bytes.fromhex(found[2])) if found else None


def _choices(*values: str) -> list[tuple[str, str]]:
    return [("", ""), *((value, value) for value in values)]


class ProblemFilter(forms.Form):
    state = forms.ChoiceField(choices=_choices(*STATES, "all"), required=False)
    kind = forms.ChoiceField(choices=_choices(*KINDS), required=False)
    type = forms.CharField(max_length=200, required=False)
    env = forms.CharField(max_length=200, required=False)
    system = forms.CharField(max_length=300, required=False)
    grey = forms.ChoiceField(choices=_choices(*GREYS), required=False)
    limit = forms.IntegerField(min_value=1, max_value=500, required=False)
    cursor = PlaceField(max_length=60, required=False)


class FlowsFilter(forms.Form):
    """Which flows of one problem, and from where on."""

    flows = forms.ChoiceField(choices=_choices("now", "earlier"), required=False)
    limit = forms.IntegerField(min_value=1, max_value=500, required=False)
    cursor = PlaceField(max_length=60, required=False)


def read_problems(data: Mapping[str, Any]) -> ProblemQuestion:
    """What the list is asked for; raises BadFilter naming the first field that cannot be read."""
    asked = _read(ProblemFilter(data))
    after = asked["cursor"]
    return ProblemQuestion(
        state=asked["state"] or "open",
        kind=asked["kind"],
        type=asked["type"],
        environment=asked["env"],
        system=asked["system"],
        grey=asked["grey"],
        after=Place(*after) if after else None,
        limit=asked["limit"] or 50,
    )


def read_flows(data: Mapping[str, Any], limit: int) -> tuple[str, FlowPlace | None, int]:
    """`now`, `earlier` or nothing; where the page begins; how long it is, by default `limit`. Raises BadFilter."""
    asked = _read(FlowsFilter(data))
    after = asked["cursor"]
    return asked["flows"], FlowPlace(*after) if after else None, asked["limit"] or limit


def _read(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise BadFilter(name, str(problems[0]))
    told: dict[str, Any] = form.cleaned_data
    for name, value in told.items():
        if isinstance(value, str) and "\x00" in value:
            raise BadFilter(name, "Nothing is called by a name with a null character.")
    return told


class WordForm(forms.Form):
    """Who says it, and why. `tracing.watch.quieting` says what reason will do."""

    reason = forms.CharField(
        max_length=300, error_messages={"required": "Say why, so that the next person need not ask."}
    )
    name = forms.CharField(
        max_length=100,
        label="Your name",
        error_messages={"required": "Say who you are, so that others can ask."},
    )


class NoteForm(forms.Form):
    text = forms.CharField(
        max_length=4_000, widget=forms.Textarea(attrs={"rows": 3}), label="Note",
        error_messages={"required": "There is nothing in this note."},
    )  # fmt: skip
    name = WordForm.base_fields["name"]


def _number(label: str) -> forms.IntegerField:
    widget = forms.NumberInput(attrs={"aria-label": label})
    return forms.IntegerField(min_value=1, max_value=10**6, required=False, widget=widget)


class MuteForm(WordForm):
    """Muted until one thing comes true. `condition` is what `tracing.watch.quieting.mute` takes."""

    until = forms.ChoiceField(
        choices=[(one, one) for one in UNTIL], error_messages={"required": "Say until what it is muted."}
    )
    hours = forms.TypedChoiceField(
        choices=HOURS, coerce=int, required=False, widget=forms.Select(attrs={"aria-label": "From now on"})
    )
    at = MomentField(
        max_length=40, required=False, widget=forms.TextInput(attrs={"placeholder": "2026-11-21 09:00"})
    )
    more = _number("Flows more")
    rate = _number("Flows an hour")

    def __init__(self, data: Mapping[str, Any] | None, zone: tzinfo, **told: Any) -> None:
        super().__init__(data, **told)
        field = self.fields["at"]
        if isinstance(field, MomentField):
            field.zone = zone

    def clean(self) -> dict[str, Any]:
        told = self.cleaned_data
        until = told.get("until")
        if until in ("more", "rate") and not told.get(until) and until not in self.errors:
            self.add_error(until, "Say how many.")
        return told

    @property
    def condition(self) -> dict[str, Any]:
        told = self.cleaned_data
        until = told["until"]
        if until == "time":
            return {"time_ns": told["at"] or now_ns() + (told["hours"] or 1) * HOUR_NS}
        if until in ("more", "rate"):
            return {until: told[until]}
        return {"new": until}
