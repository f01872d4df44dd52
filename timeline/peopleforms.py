"""The forms of people, of one's own account and of senders' keys. What may be done is `tracing.users`, `tokens`, `senderkeys`.

Views are `timeline.views.people`, `account` and `keys`.
"""

from typing import Any

from django import forms
from django.contrib.auth.password_validation import password_validators_help_texts, validate_password

from tracing.lengths import DAY_NS
from tracing.roles import GIVEN, Role
from tracing.senderkeys import LONGEST as LONGEST_KEY
from tracing.senderkeys import MOST_LIMIT
from tracing.users import LONGEST, User

ROLES = [(role.word, role.word) for role in GIVEN]
MEANINGS = (
    "A viewer reads; an operator also acknowledges, mutes, notes, closes, follows, shares, pins and imports; an"
    " administrator also changes settings, people and keys."
)
# What a token may live for, in days; none for ever.
LIVES = (("30", "30 days"), ("90", "90 days"), ("365", "a year"), ("", "until it is revoked"))
PLAIN = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"})
LONGEST_PASSWORD = 1_000


class PersonForm(forms.Form):
    username = forms.CharField(
        max_length=LONGEST,
        widget=PLAIN,
        help_text="Small letters and digits, such as ann or ann@example.com.",
    )
    name = forms.CharField(
        max_length=LONGEST,
        required=False,
        widget=PLAIN,
        help_text="As they sign what they say; the username where it is empty.",
    )
    email = forms.EmailField(max_length=254, required=False, widget=PLAIN)
    role = forms.ChoiceField(choices=ROLES, help_text=MEANINGS)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=ROLES)


class PasswordForm(forms.Form):
    current = forms.CharField(
        label="Your password now", strip=False, max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )  # fmt: skip
    new = forms.CharField(
        label="A new one", strip=False, max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip
    again = forms.CharField(
        label="The new one again", strip=False, max_length=LONGEST_PASSWORD,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip

    def __init__(self, user: User, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.user = user
        self.fields["new"].help_text = " ".join(password_validators_help_texts())

    def clean_current(self) -> str:
        told = str(self.cleaned_data["current"])
        if not self.user.check_password(told):
            raise forms.ValidationError("This is not your password.")
        return told

    def clean_new(self) -> str:
        told = str(self.cleaned_data["new"])
        validate_password(told, self.user)
        return told

    def clean(self) -> dict[str, Any]:
        told: dict[str, Any] = super().clean() or {}
        if told.get("new") and told.get("again") and told["new"] != told["again"]:
            self.add_error("again", "The two are not the same.")
        if told.get("new") and told.get("new") == told.get("current"):
            self.add_error("new", "This is the password you have.")
        return told


class TokenForm(forms.Form):
    label = forms.CharField(label="What it is for", max_length=100, widget=PLAIN)
    role = forms.ChoiceField(label="It may do what", required=False)
    days = forms.ChoiceField(label="It lives for", choices=LIVES, required=False)

    def __init__(self, own: Role, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        lower = [(role.word, f"{role.article} {role.word} may") for role in GIVEN if role < own]
        self.fields["role"].choices = [("", "I may"), *lower]  # type: ignore[attr-defined]

    def until_ns(self, now_ns: int) -> int | None:
        days = self.cleaned_data["days"]
        return now_ns + int(days) * DAY_NS if days else None


class KeyForm(forms.Form):
    name = forms.CharField(
        max_length=LONGEST_KEY,
        widget=PLAIN,
        help_text="Such as the service, team or machine that sends with it.",
    )
    limit = forms.IntegerField(
        label="At most", required=False, min_value=1, max_value=MOST_LIMIT,
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
        help_text="Spans and logs a second over all its senders, in the mean; any number where it is empty.",
    )  # fmt: skip


class AuditFilter(forms.Form):
    who = forms.CharField(max_length=100, required=False)
    action = forms.CharField(max_length=60, required=False)
    before = forms.IntegerField(min_value=1, max_value=2**62, required=False)
    limit = forms.IntegerField(min_value=1, max_value=500, required=False)
