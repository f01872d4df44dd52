"""The forms of a channel and of a route, and what a route tells, in words.

What can work is decided by `tracing.watch.channels.check` and `tracing.watch.routing.check`.
"""

from collections.abc import Mapping
from typing import Any

from django import forms

from timeline import moments
from timeline.forms import NamesField
from tracing.durations import parse_duration, write_duration
from tracing.lengths import SECOND_NS
from tracing.people import Channel, Route
from tracing.watch.channels import shown
from tracing.watch.finding import KINDS, NEEDS_A_PERSON, WARNING

SEVERITIES = [(WARNING, "warnings too"), (NEEDS_A_PERSON, "only what needs a person")]


def kind_word(kind: str) -> str:
    return kind.replace("_", " ")


class ChannelForm(forms.Form):
    """A channel as a person writes it. Its address may be a secret, so a saved one is not shown again."""

    label = forms.CharField(
        max_length=100, label="Name", help_text="How routes and pages call it: ops, Ann, pager."
    )
    by_mail = forms.BooleanField(
        required=False,
        label="E-mail",
        help_text="Through the server of THREADLINE_EMAIL_URL. Below are then the receivers, separated by commas.",
    )
    address = forms.CharField(
        max_length=1_000,
        required=False,
        widget=forms.TextInput(attrs={"spellcheck": "false", "autocomplete": "off"}),
        help_text="An apprise address: slack://…, pagerduty://…, or json://hooks.example.com/path for your own webhook.",
    )

    def __init__(self, channel: Channel, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial={"label": channel.label, "by_mail": channel.by_mail})
        self.channel = channel
        if channel.pk is not None:
            kept = shown(channel.address, channel.by_mail)
            self.fields["address"].help_text = f"Leave it empty to keep the one it has: {kept}"

    def clean_label(self) -> str:
        label = str(self.cleaned_data["label"])
        if Channel.objects.filter(label=label).exclude(pk=self.channel.pk).exists():
            raise forms.ValidationError("Another channel has this name.")
        return label

    def written(self) -> Channel:
        """The channel with what was filled in, not saved."""
        self.channel.label = self.cleaned_data["label"]
        self.channel.by_mail = self.cleaned_data["by_mail"]
        self.channel.address = self.cleaned_data["address"].strip() or self.channel.address
        return self.channel


class SecondsField(forms.CharField):
    """A length of time in people's words: 30s, 5m, 4h; 0 for none. Cleaned to whole seconds."""

    def clean(self, value: Any) -> int:
        text = str(super().clean(value)).strip()
        if text.startswith(("-", "−")):
            return -1  # what a negative time means where is for `routing.check` to say
        if text.rstrip("smh ") == "0":
            return 0
        length_ns = parse_duration(text)
        if length_ns is None or length_ns < SECOND_NS:
            raise forms.ValidationError("A length of time is written 30s, 5m, 4h or 1d.")
        return length_ns // SECOND_NS

    def prepare_value(self, value: Any) -> Any:
        return write_duration(value * SECOND_NS) if isinstance(value, int) else value


class RouteForm(forms.Form):
    """A route as a person writes it."""

    channel = forms.ModelChoiceField(
        Channel.objects.all(), empty_label=None, label="Tells", help_text="The channel that hears of it."
    )
    severity = forms.TypedChoiceField(choices=SEVERITIES, coerce=int, label="What weighs enough")
    types = NamesField(
        max_length=2_000,
        required=False,
        label="Types",
        help_text="order, payment; empty for all. A problem of a service has no type and needs a route of all types.",
    )
    kinds = forms.MultipleChoiceField(
        choices=[(kind, kind_word(kind)) for kind in KINDS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Kinds",
        help_text="None chosen: every kind.",
    )
    environment = forms.CharField(
        max_length=100, required=False, help_text="production, staging; empty for all."
    )
    wait_s = SecondsField(
        label="Wait before the first message", help_text="What resolves within it says nothing."
    )
    interval_s = SecondsField(label="Between follow-ups", help_text="When more flows join; 0 for never.")
    repeat_s = SecondsField(
        label="Repeat while it stays open", help_text="Unless somebody acknowledges it; 0 for never."
    )
    goes_on = forms.BooleanField(
        required=False,
        label="Look at the next route too",
        help_text="Otherwise the first route that fits is the last.",
    )
    enabled = forms.BooleanField(required=False, label="Switched on")

    def written_to(self, route: Route) -> Route:
        """The route with what was filled in, not saved."""
        for name in self.fields:
            setattr(route, name, self.cleaned_data[name])
        return route


def route_form(route: Route, data: Mapping[str, Any] | None = None) -> RouteForm:
    initial = {name: getattr(route, name) for name in RouteForm.base_fields if name != "channel"}
    return RouteForm(data, initial=initial | {"channel": route.channel_id})


def in_words(route: Route) -> str:
    """What a route tells: `Problems of kind stuck of type order in production that need a person.`"""
    kinds = ", ".join(kind_word(kind) for kind in route.kinds)
    said = f"Problems of kind {kinds}" if kinds else "Every problem"
    said += f" of type {', '.join(route.types)}" if route.types else ""
    said += f" in {route.environment}" if route.environment else ""
    if route.severity < NEEDS_A_PERSON:
        return f"{said}, warnings too."
    return f"{said} that {'need' if kinds else 'needs'} a person."


def pace(route: Route) -> str:
    """When: `30 s after it opens, more after 5 m, again after 4 h`."""
    first = f"{_seconds(route.wait_s)} after it opens" if route.wait_s else "at once"
    more = f"more after {_seconds(route.interval_s)}" if route.interval_s else "no follow-ups"
    again = f"again after {_seconds(route.repeat_s)}" if route.repeat_s else "never repeated"
    return f"{first}, {more}, {again}"


def _seconds(seconds: int) -> str:
    return moments.took(seconds * SECOND_NS)
