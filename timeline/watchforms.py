"""Forms of what a person expects of flows: rules, with lengths of time in their own words.

`tracing.durations` reads the lengths, `tracing.watch.trial` tries a rule before it is armed.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from django import forms

from timeline.reader import LONGEST
from tracing.durations import parse_duration, write_duration
from tracing.lengths import SECOND_NS
from tracing.people import Calendar, ExpectationRule
from tracing.unfit import Unfit
from tracing.watch import calendars
from tracing.watch.rulings import Ruling

RULE_FIELDS = (
    "subject",
    "environment",
    "step",
    "awaited_step",
    "awaited_system",
    "within_s",
    "grace_s",
    "from_start",
)
SERIES = ExpectationRule.Subject.SERIES


def offering(list_id: str) -> forms.TextInput:
    """A text field that offers a list of the page."""
    return forms.TextInput(attrs={"list": list_id, "autocomplete": "off", "spellcheck": "false"})


class LengthField(forms.CharField):
    """A length of time: 15m, 2h, 1d 4h, or seconds. Cleaned to seconds; nothing is zero where it may be left out."""

    def clean(self, value: Any) -> float:
        text = str(super().clean(value)).strip()
        if not self.required and text.rstrip("s") in ("", "0"):
            return 0.0
        length_ns = parse_duration(text)
        if length_ns is None:
            raise forms.ValidationError(
                f"“{text[:40]}” is no length of time; write 15m, 2h, 1d 4h or seconds."
            )
        return length_ns / SECOND_NS

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int | float):
            return value
        return write_duration(round(value * SECOND_NS)) if value else ""


class ExpectationForm(forms.Form):
    """One rule of one type."""

    subject = forms.ChoiceField(
        label="What is expected",
        choices=[
            ("flow", "a flow goes on"),
            ("series", "one begins, again and again"),
        ],
    )
    step = forms.CharField(
        required=False,
        max_length=300,
        label="Flows that stand at",
        widget=offering("steps"),
        help_text="A state or step; left empty, wherever they are.",
    )
    within_s = LengthField(max_length=60, label="Within", help_text="15m, 2h, 1d 4h, or a number of seconds.")
    grace_s = LengthField(
        required=False,
        max_length=60,
        label="Grace",
        help_text="What is allowed beyond that before a flow is called late.",
    )
    from_start = forms.ChoiceField(
        label="Counted from",
        choices=[("", "when they came to the step"), ("1", "their beginning")],
        required=False,
    )
    awaited_step = forms.CharField(
        required=False,
        max_length=300,
        label="What should come",
        widget=offering("steps"),
        help_text="Left empty, any next step.",
    )
    awaited_system = forms.CharField(
        required=False,
        max_length=200,
        label="From",
        widget=offering("systems"),
        help_text="Who should make it.",
    )
    environment = forms.ChoiceField(required=False)
    calendar = forms.ChoiceField(required=False, label="Hours that count")
    name = forms.CharField(required=False, max_length=LONGEST, label="Your name")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        named = [name for name in ("step", "awaited_step", "awaited_system") if cleaned.get(name)]
        if cleaned.get("subject") == SERIES:
            for name in named:
                self.add_error(name, "A beginning has no step before it: leave this empty.")
        elif cleaned.get("from_start") and cleaned.get("step"):
            self.add_error(
                "step",
                "Counted from their beginning it does not matter where flows stand: leave this empty, say what should come.",
            )
        return cleaned

    def clean_from_start(self) -> bool:
        return bool(self.cleaned_data["from_start"])

    def clean_calendar(self) -> Calendar | None:
        """The calendar itself, if it ever opens."""
        chosen = str(self.cleaned_data["calendar"])
        found = Calendar.objects.filter(pk=int(chosen)).first() if chosen else None
        if found is not None:
            try:
                calendars.check(as_calendar(found))
            except Unfit as problem:
                raise forms.ValidationError(problem.sentence) from None
        return found


def expectation_form(
    rule: ExpectationRule,
    environments: Iterable[str],
    offered: Sequence[Calendar],
    data: Mapping[str, Any] | None = None,
    name: str = "",
) -> ExpectationForm:
    """The form of a rule that exists or begins."""
    initial = {field: getattr(rule, field) for field in RULE_FIELDS}
    initial |= {
        "calendar": rule.calendar_id or "",
        "from_start": "1" if rule.from_start else "",
        "name": name,
    }
    form = ExpectationForm(data, initial=initial)
    known = dict.fromkeys(one for one in (*environments, rule.environment) if one)
    _choose(form, "environment", [("", "any"), *((one, one) for one in known)])
    _choose(form, "calendar", [("", "all hours"), *((str(one.pk), one.label) for one in offered)])
    return form


def _choose(form: ExpectationForm, name: str, choices: list[tuple[str, str]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = choices


def written_to(rule: ExpectationRule, cleaned: Mapping[str, Any]) -> ExpectationRule:
    """The rule with what was filled in, not saved."""
    for field in (*RULE_FIELDS, "calendar", "name"):
        setattr(rule, field, cleaned[field])
    return rule


def as_ruling(rule: ExpectationRule) -> Ruling:
    """As the judge holds flows to it."""
    return Ruling(
        rule.type, rule.environment, rule.step, rule.awaited_step, rule.awaited_system,
        round(rule.within_s * SECOND_NS), round(rule.grace_s * SECOND_NS), rule.from_start, rule.subject == SERIES,
        as_calendar(rule.calendar) if rule.calendar else None,
    )  # fmt: skip


def as_calendar(stored: Calendar) -> calendars.Calendar:
    return calendars.Calendar(stored.zone, stored.hours, stored.holidays)


def fingerprint(rule: ExpectationRule) -> str:
    """Equal for two rules that were tried alike: what is armed must be what was tried."""
    told = [getattr(rule, field) for field in RULE_FIELDS] + [rule.calendar_id]
    return blake2b(repr(told).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
