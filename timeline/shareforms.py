"""Forms of sharing and keeping: who may open it, until when, frozen or live, with values or without.

`timeline.views.shares` takes them, `timeline.sharing` does what they say.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from timeline.reader import LONGEST
from timeline.sharing import Terms
from tracing.clock import now_ns
from tracing.lengths import DAY_NS
from tracing.shares import Share

DAYS = (
    ("1", "a day"),
    ("7", "a week"),
    ("30", "30 days"),
    ("90", "90 days"),
    ("365", "a year"),
    ("", "for good"),
)


def _until(first: str) -> forms.ChoiceField:
    return forms.ChoiceField(label="For how long", choices=DAYS, required=False, initial=first)


class KeepForm(forms.Form):
    """A pin: a frozen copy for whoever is signed in."""

    of = forms.CharField(max_length=4_000, widget=forms.HiddenInput)
    until = _until("90")
    reason = forms.CharField(
        label="What for",
        max_length=300,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Stands beside your name on what is shown.",
    )
    name = forms.CharField(
        label="Your name", max_length=LONGEST, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )

    def terms(self) -> Terms:
        told = self.cleaned_data
        days = int(told["until"] or 0)
        return Terms(
            audience=told.get("audience", ""),
            frozen=told.get("shows", "frozen") == "frozen",
            with_values=told.get("detail", "values") == "values",
            expires_ns=now_ns() + days * DAY_NS if days else None,
            reason=told["reason"],
            name=told["name"],
        )


class ShareForm(KeepForm):
    """A link."""

    audience = forms.ChoiceField(
        label="Who may open it",
        choices=[
            (Share.Audience.PEOPLE, "people who sign in here"),
            (Share.Audience.ANYONE, "anyone with the link"),
        ],
        widget=forms.RadioSelect,
        initial=Share.Audience.PEOPLE,
    )
    shows = forms.ChoiceField(
        label="What it shows",
        choices=[
            ("frozen", "frozen: as it is now, also when its records are gone"),
            ("live", "live: as it goes on"),
        ],
        widget=forms.RadioSelect,
        initial="frozen",
    )
    detail = forms.ChoiceField(
        label="How much of it",
        choices=[
            ("values", "everything, with the values of attributes and texts of logs"),
            ("names", "names, states and times only"),
        ],
        widget=forms.RadioSelect,
        initial="values",
    )
    field_order = ("of", "audience", "shows", "detail", "until", "reason", "name")


def filled(form: type[KeepForm], data: Mapping[str, Any] | None, of: str, name: str) -> KeepForm:
    return form(data, initial={"of": of, "name": name}, auto_id="share-%s")
