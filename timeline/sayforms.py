"""What a person says of a flow, as forms: that it is over, who wants to hear of it, a note at a moment.

`timeline.views.words` takes them; `timeline.queries.people` reads what was said.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any

from django import forms

from timeline import moments
from timeline.forms import MomentField
from timeline.reader import LONGEST
from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.people import Channel

AHEAD_NS = 5 * MINUTE_NS  # that a reader's clock, or a sender's whose record is noted, may run before ours
ROW = forms.TextInput(attrs={"autocomplete": "off"})


def _text(label: str, most: int, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=most, widget=ROW, **more)


def _name() -> forms.CharField:
    return forms.CharField(
        label="Your name", max_length=LONGEST, widget=forms.TextInput(attrs={"autocomplete": "name"})
    )


class CloseForm(forms.Form):
    reason = _text("Why it is over", 300, help_text="It opens again by itself when a younger record comes.")
    name = _name()


class FollowForm(forms.Form):
    channel = forms.ModelChoiceField(
        Channel.objects.filter(enabled=True), label="Tell it to", empty_label=None
    )
    name = _name()


class NoteForm(forms.Form):
    text = forms.CharField(
        label="Note",
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 3}),
        strip=True,
        help_text="Markdown is understood.",
    )
    at = MomentField(
        label="When",
        max_length=40,
        required=False,
        widget=ROW,
        help_text="Now, if left empty; 2026-11-21 14:02 for another moment.",
    )
    name = _name()

    def clean_at(self) -> int | None:
        told: int | None = self.cleaned_data["at"]
        if told is not None and told <= 0:
            raise forms.ValidationError("No flow is that old.")
        # A typo in the year would stand at the end of the timeline for good.
        if told is not None and told > now_ns() + AHEAD_NS:
            raise forms.ValidationError(
                "That is still to come: a note stands at a moment that has been. Left empty, it stands at now."
            )
        return told


FORMS: Mapping[str, type[forms.Form]] = {"close": CloseForm, "follow": FollowForm, "note": NoteForm}


def form_of(
    what: str, zone: tzinfo, name: str, data: Mapping[str, Any] | None = None, at: int | None = None
) -> forms.Form:
    """A form as it begins, or filled in; `what` is a key of `FORMS`, `at` the moment of a note."""
    time = moments.moment(at, zone) if at is not None else None
    moment = f"{time:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".") if time else ""
    told = {"name": name, "at": moment}
    form = FORMS[what](data, initial=told, auto_id=f"{what}-%s")
    for field in form.fields.values():
        if isinstance(field, MomentField):
            field.zone = zone
    return form
