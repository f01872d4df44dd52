"""Forms of calendars and of maintenance: when a rule's time counts, and when nothing is judged.

Hours are written as people write them: 09:00-17:00, 18:00-20:00. `tracing.watch.calendars` says what cannot work.
"""

import re
from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from django import forms

from timeline.forms import MomentField
from timeline.reader import LONGEST
from timeline.watchforms import LengthField, as_calendar, offering
from tracing.lengths import SECOND_NS
from tracing.people import Calendar, Maintenance
from tracing.unfit import Unfit
from tracing.watch import calendars

DAYS = dict(
    zip(
        calendars.WEEKDAYS,
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)
DASH = re.compile(r"\s*[-–—]\s*")
LONGEST_NS = 31 * 86_400 * SECOND_NS


class HoursField(forms.CharField):
    """Open hours of one day, cleaned to pairs; nothing is a day that is closed."""

    def __init__(self, day: str) -> None:
        super().__init__(required=False, max_length=200, label=DAYS[day])
        self.day = day

    def clean(self, value: Any) -> list[list[str]]:
        parts = [part.strip() for part in str(super().clean(value)).split(",") if part.strip()]
        pairs = [DASH.split(part) for part in parts]
        if pairs:
            try:
                calendars.check(calendars.Calendar("UTC", {self.day: pairs}))
            except Unfit as problem:
                raise forms.ValidationError(problem.sentence) from None
        return pairs

    def prepare_value(self, value: Any) -> Any:
        return ", ".join("-".join(pair) for pair in value) if isinstance(value, list) else value


class DatesField(forms.CharField):
    """One date a line. Cleaned to a list of texts, in order, each once."""

    def clean(self, value: Any) -> list[str]:
        return sorted({text for text in re.split(r"[\s,]+", str(super().clean(value))) if text})

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class CalendarForm(forms.Form):
    label = forms.CharField(max_length=100, label="Name", help_text="How rules call it: office hours.")
    zone = forms.CharField(
        max_length=60,
        label="Time zone",
        widget=offering("zones"),
        help_text="Europe/Berlin, America/New_York, UTC",
    )
    holidays = DatesField(
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false"}),
        help_text="Closed days, one a line: 2026-12-25",
    )

    def clean_label(self) -> str:
        label = str(self.cleaned_data["label"])
        if Calendar.objects.filter(label=label).exclude(pk=self.initial.get("id") or 0).exists():
            raise forms.ValidationError("Another calendar has this name.")
        return label

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                calendars.check(as_calendar(written_to(Calendar(), cleaned)))
            except Unfit as problem:
                # Of the hours each day has spoken for itself: what is left concerns the week.
                self.add_error(problem.field if problem.field in self.fields else None, problem.sentence)
        return cleaned


# In the order of a week, between the zone and the holidays.
for _day in calendars.WEEKDAYS:
    CalendarForm.base_fields[_day] = HoursField(_day)
CalendarForm.base_fields["holidays"] = CalendarForm.base_fields.pop("holidays")


def calendar_form(calendar: Calendar, data: Mapping[str, Any] | None = None) -> CalendarForm:
    """The form of a calendar that exists or begins."""
    initial: dict[str, Any] = {"id": calendar.pk, "label": calendar.label, "zone": calendar.zone}
    hours = calendar.hours if isinstance(calendar.hours, dict) else {}
    return CalendarForm(data, initial=initial | {"holidays": calendar.holidays} | hours)


def written_to(calendar: Calendar, cleaned: Mapping[str, Any]) -> Calendar:
    """The calendar with what was filled in, not saved."""
    calendar.label, calendar.zone = cleaned["label"], cleaned["zone"].strip()
    calendar.hours = {day: cleaned[day] for day in calendars.WEEKDAYS if cleaned[day]}
    calendar.holidays = cleaned["holidays"]
    return calendar


class MaintenanceForm(forms.Form):
    service = forms.CharField(
        required=False,
        max_length=200,
        widget=offering("services"),
        help_text="Flows at it, or waiting for it.",
    )
    type = forms.CharField(
        required=False, max_length=100, label="Or a type of flows", widget=offering("types")
    )
    environment = forms.CharField(
        required=False, max_length=100, widget=offering("environments"), help_text="Left empty, any."
    )
    # `from` is a word of the language.
    begins = MomentField(required=False, max_length=40, label="From", help_text="Left empty, now.")
    lasts = LengthField(required=False, max_length=60, label="For", widget=offering("lengths"))
    until = MomentField(
        required=False,
        max_length=40,
        label="Or until",
        help_text="2026-11-21 14:00; then the length does not count.",
    )
    reason = forms.CharField(max_length=300, help_text="Shown beside every flow that is paused by it.")
    name = forms.CharField(max_length=LONGEST, label="Your name")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if bool(cleaned.get("service")) == bool(cleaned.get("type")):
            self.add_error("service", "Say a service or a type of flows, one of the two.")
        return cleaned

    def made(self, at_ns: int) -> Maintenance | None:
        """The maintenance, not saved; None where its times make none, and the field says why."""
        told = self.cleaned_data
        begins_ns = at_ns if told["begins"] is None else told["begins"]
        until_ns = told["until"]
        if until_ns is None and not told["lasts"]:
            self.add_error("lasts", "Say for how long, or until when.")
            return None
        if until_ns is None:
            until_ns = begins_ns + round(told["lasts"] * SECOND_NS)
        problem = _no_stretch(begins_ns, until_ns, at_ns)
        if problem:
            self.add_error("lasts" if told["until"] is None else "until", problem)
            return None
        named = {name: told[name] for name in ("service", "type", "environment", "reason", "name")}
        return Maintenance(from_ns=begins_ns, until_ns=until_ns, **named)


def _no_stretch(from_ns: int, until_ns: int, at_ns: int) -> str:
    """Why these two times are no maintenance; empty where they are."""
    if until_ns <= from_ns:
        return "It would end before it begins."
    if until_ns <= at_ns:
        return "It would be over already. What was judged stays judged."
    if until_ns - from_ns > LONGEST_NS:
        return "More than 31 days at once would hide what is wrong; declare it again then."
    return ""


def maintenance_form(zone: tzinfo, name: str, data: Mapping[str, Any] | None = None) -> MaintenanceForm:
    """Times without an offset are the reader's."""
    form = MaintenanceForm(data, initial={"lasts": 7_200.0, "name": name})
    for field in form.fields.values():
        if isinstance(field, MomentField):
            field.zone = zone
    return form
