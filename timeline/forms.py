"""The forms: filters of the list (query string) and a rule (settings).

A bad filter is a 400 with the field named (`read_filter`); a bad rule is shown again with the reason.
What a filter asks for is answered by `timeline.queries.listing`, a rule is published by `tracing.rules`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms

from timeline.answers import BadFilter
from timeline.kinds import KINDS
from timeline.question import Position, Question
from timeline.search import MAX_QUERY, parse
from tracing.models import Rule
from tracing.watch.standing import VERDICTS

MINUTE_NS = 60_000_000_000
LAST_MINUTE = 2**31 - 1
STATUSES = ("ok", "error", "open")
OPEN = "open"  # every verdict but ended


class MomentField(forms.CharField):
    """A time: Unix nanoseconds, or ISO 8601; without an offset it is the reader's zone. Cleaned to ns or None."""

    zone: tzinfo = UTC

    def clean(self, value: Any) -> int | None:
        text = str(super().clean(value)).strip()
        if not text:
            return None
        # Eight digits are a day to `fromisoformat`; as nanoseconds they would be a moment in 1970.
        if re.fullmatch(r"-?\d{1,7}|-?\d{9,20}", text):
            return int(text)
        try:
            time = datetime.fromisoformat(text)
            time = time if time.tzinfo else time.replace(tzinfo=self.zone)
            return int(time.timestamp() * 1_000_000) * 1_000
        except (ValueError, OverflowError):
            raise forms.ValidationError(
                "A time is written 2026-11-21 14:02, with an offset (+01:00) if you like, or in Unix nanoseconds."
            ) from None


class CursorField(forms.CharField):
    """Where a page begins, as the page before said it."""

    def clean(self, value: Any) -> Position | None:
        text = str(super().clean(value))
        found = re.fullmatch(r"(-?\d{1,9})\.([0-9a-f]{32})(\.k)?", text)
        if text and not found:
            raise forms.ValidationError(
                "This cursor did not come from a page of this list. Start without one."
            )
        return Position(int(found[1]), bytes.fromhex(found[2]), bool(found[3])) if found else None


class QueryField(forms.CharField):
    """Free text and attribute equalities; kept as text, `Question` parses it."""

    def clean(self, value: Any) -> str:
        text = str(super().clean(value)).strip()
        try:
            parse(text)
        except ValueError as problem:
            raise forms.ValidationError(str(problem)) from None
        return text


def _choices(*values: str) -> list[tuple[str, str]]:
    return [("", ""), *((value, value) for value in values)]


class FlowFilter(forms.Form):
    kind = forms.ChoiceField(choices=_choices(*KINDS), required=False)
    type = forms.CharField(max_length=200, required=False)
    env = forms.CharField(max_length=200, required=False)
    service = forms.CharField(max_length=300, required=False)
    status = forms.ChoiceField(choices=_choices(*STATUSES), required=False)
    state = forms.CharField(max_length=200, required=False)
    step = forms.ChoiceField(choices=_choices("none"), required=False)
    verdict = forms.ChoiceField(choices=_choices(OPEN, *VERDICTS), required=False)
    grey = forms.ChoiceField(choices=_choices("no"), required=False)
    waits = forms.CharField(max_length=300, required=False)
    to = MomentField(max_length=40, required=False)
    q = QueryField(max_length=MAX_QUERY, required=False)
    limit = forms.IntegerField(min_value=1, max_value=500, required=False)
    cursor = CursorField(max_length=60, required=False)


# `from` is a word of the language, so this field cannot stand in the class body.
FlowFilter.base_fields["from"] = MomentField(max_length=40, required=False)


def read_filter(data: Mapping[str, Any], zone: tzinfo) -> tuple[FlowFilter, Question]:
    """The form, valid, and what it asks for; raises BadFilter naming the first field that cannot be read."""
    form = FlowFilter(data)
    for field in form.fields.values():
        if isinstance(field, MomentField):
            field.zone = zone
    if not form.is_valid():
        name, problems = next(iter(form.errors.items()))
        raise BadFilter(name, str(problems[0]))
    return form, _question(form.cleaned_data)


def _question(asked: dict[str, Any]) -> Question:
    from_ns, to_ns = asked["from"], asked["to"]
    if from_ns is not None and to_ns is not None and to_ns <= from_ns:
        raise BadFilter("to", "The range ends before it begins.")
    sought = parse(asked["q"])
    return Question(
        kind=asked["kind"],
        type=asked["type"],
        environment=asked["env"],
        service=asked["service"],
        status=asked["status"],
        state=asked["state"],
        step=asked["step"],
        verdict=asked["verdict"],
        grey=asked["grey"],
        waits=asked["waits"],
        from_minute=None if from_ns is None else _minute(from_ns),
        to_minute=None if to_ns is None else _minute(to_ns + MINUTE_NS - 1),
        words=sought.words,
        equalities=sought.equalities,
        after=asked["cursor"],
        limit=asked["limit"] or 50,
    )


def _minute(time_ns: int) -> int:
    return max(-LAST_MINUTE, min(LAST_MINUTE, time_ns // MINUTE_NS))


class NamesField(forms.CharField):
    """Attribute names, separated by commas or lines. Cleaned to a list."""

    def clean(self, value: Any) -> list[str]:
        text = str(super().clean(value))
        return [name for name in re.split(r"[\s,]+", text) if name]

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value


class KeysField(forms.CharField):
    """Alternatives, one a line; attributes that make one key together are joined by `+`. Cleaned to lists."""

    def clean(self, value: Any) -> list[list[str]]:
        lines = (line for line in str(super().clean(value)).replace(",", "\n").splitlines() if line.strip())
        return [[name.strip() for name in line.split("+")] for line in lines]

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return "\n".join(" + ".join(names) for names in value)


class RuleForm(forms.Form):
    """A rule as a person writes it. What a rule must be is decided by `tracing.rules.check`."""

    name = forms.CharField(max_length=100, help_text="How this page calls it.")
    kind = forms.ChoiceField(
        choices=Rule.Kind.choices,
        help_text="An entity is a thing (an order), a workflow is a run of something.",
    )
    keys = KeysField(
        label="Key attributes",
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line: any of them names the flow. Several that make one key together: tenant.id + order.no",
    )
    any_prefix = forms.BooleanField(
        required=False, label="Also with a prefix", help_text="demo.order.id counts as order.id."
    )
    type = forms.CharField(
        max_length=100, required=False, help_text="What its flows are called: order, payment, customer-sync."
    )
    type_attributes = NamesField(
        max_length=1_000,
        required=False,
        label="Or the type stands in an attribute",
        help_text="The first of these that a record carries names the type: workflow.type, workflow.name",
    )
    state_attributes = NamesField(
        max_length=1_000,
        required=False,
        label="State attributes",
        help_text="Where records say the flow's state, besides its type with .state or .status",
    )
    note = forms.CharField(max_length=300, required=False, help_text="Why it exists, for the next reader.")

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if Rule.objects.filter(name=name).exclude(pk=self.initial.get("id") or 0).exists():
            raise forms.ValidationError("Another rule has this name.")
        return name

    def written_to(self, rule: Rule) -> Rule:
        """The rule with what was filled in, not saved."""
        for name in self.fields:
            setattr(rule, name, self.cleaned_data[name])
        return rule


def rule_form(rule: Rule, data: Mapping[str, Any] | None = None) -> RuleForm:
    """The form of a rule that exists or begins."""
    initial = {name: getattr(rule, name) for name in RuleForm.base_fields}
    return RuleForm(data, initial=initial | {"id": rule.pk})
