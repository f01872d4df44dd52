"""The form in which a person says how flows of a type go (`tracing.people.TypeSettings`), as text they can read.

One rank, move or pair a line. Whether it agrees with itself is decided by `tracing.watch.misfits`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from timeline.reader import LONGEST
from tracing.people import TypeSettings
from tracing.watch.misfits import Words, misfits
from tracing.watch.proposing import Proposal

LONGEST_TEXT = 20_000
ARROW = re.compile(r"\s*(?:->|=>|→)\s*")
FIELDS = ("phases", "good_ends", "bad_ends", "transitions", "incompatible", "once", "owner")


def area(rows: int) -> forms.Textarea:
    return forms.Textarea(attrs={"rows": rows, "spellcheck": "false"})


class StatesField(forms.CharField):
    """States separated by commas or lines. Cleaned to a list, or None where nothing is said."""

    def clean(self, value: Any) -> list[str] | None:
        return parts(str(super().clean(value)).replace("\n", ",")) or None

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value or ""


class LinesField(forms.CharField):
    """One a line. Cleaned to a list."""

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value


class PhasesField(forms.CharField):
    """One rank a line, states of a rank separated by commas. Cleaned to lists."""

    def clean(self, value: Any) -> list[list[str]]:
        ranks = [parts(line) for line in str(super().clean(value)).splitlines()]
        return [rank for rank in ranks if rank]

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(", ".join(rank) for rank in value) if isinstance(value, list) else value


class MovesField(forms.CharField):
    """`created -> paid, cancelled`: from one state to each of the others. Cleaned to pairs."""

    def clean(self, value: Any) -> list[list[str]]:
        pairs: list[list[str]] = []
        for line in filter(str.strip, str(super().clean(value)).splitlines()):
            sides = ARROW.split(line.strip())
            befores, afters = (parts(sides[0]), parts(sides[1])) if len(sides) == 2 else ([], [])
            if not befores or not afters:
                raise forms.ValidationError(
                    f"“{line.strip()[:80]}” is no move; write created -> paid, cancelled"
                )
            pairs += [[before, after] for before in befores for after in afters]
        return pairs

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        after: dict[str, list[str]] = {}
        for one, other in value:
            after.setdefault(one, []).append(other)
        return "\n".join(f"{one} -> {', '.join(others)}" for one, others in after.items())


class PairsField(forms.CharField):
    """Two states a line, separated by a comma. Cleaned to pairs."""

    def clean(self, value: Any) -> list[list[str]]:
        pairs = [parts(line) for line in str(super().clean(value)).splitlines() if line.strip()]
        odd = next((pair for pair in pairs if len(pair) != 2), None)
        if odd is not None:
            raise forms.ValidationError(
                f"“{', '.join(odd)[:80]}” is no pair; write two states: cancelled, shipped"
            )
        return pairs

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(", ".join(pair) for pair in value) if isinstance(value, list) else value


class TypeForm(forms.Form):
    phases = PhasesField(
        required=False,
        max_length=LONGEST_TEXT,
        widget=area(5),
        help_text="The usual order, one rank a line, states of one rank separated by commas."
        " States that may come at any time (cancelled, refunded) are left out.",
    )
    good_ends = StatesField(
        required=False,
        max_length=LONGEST_TEXT,
        label="Ends well at",
        help_text="Nothing is expected after these. Left empty, the usual words count: done, completed, delivered …",
    )
    bad_ends = StatesField(
        required=False,
        max_length=LONGEST_TEXT,
        label="Ends badly at",
        help_text="Left empty, the usual words count: failed, cancelled, expired …",
    )
    transitions = MovesField(
        required=False,
        max_length=LONGEST_TEXT,
        widget=area(5),
        label="Allowed moves",
        help_text="created -> paid, cancelled: one state a line and what may follow it. Any other move is marked where"
        " it happened. Left empty, any move is allowed.",
    )
    incompatible = PairsField(
        required=False,
        max_length=LONGEST_TEXT,
        widget=area(2),
        label="May not be said at once",
        help_text="One pair a line: cancelled, shipped. When two systems say both of the same flow, that is a conflict.",
    )
    once = LinesField(
        required=False,
        max_length=LONGEST_TEXT,
        widget=area(2),
        label="Happens once",
        help_text="Operations, one a line, as their spans are called: charge card. A second success for the same flow"
        " is a duplicate effect.",
    )
    owner = forms.CharField(
        required=False,
        max_length=200,
        label="Owner of the state",
        widget=forms.TextInput(attrs={"list": "systems", "autocomplete": "off", "spellcheck": "false"}),
        help_text="The system whose word is the flow's state. Left empty, the latest word of any system is.",
    )
    name = forms.CharField(
        max_length=LONGEST, label="Your name", help_text="Shown beside what you said.", required=False
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, sentence in misfits(self.words):
            self.add_error(name, sentence)
        return cleaned

    @property
    def words(self) -> Words:
        """What could be read."""
        told = {name: self.cleaned_data.get(name) or () for name in FIELDS if name != "owner"}
        return Words(**told, owner=self.cleaned_data.get("owner") or "")


def parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def type_form(said: TypeSettings, name: str, proposal: Proposal | None = None) -> TypeForm:
    """What was said; with a proposal, that instead wherever there is one."""
    initial: dict[str, Any] = {field: getattr(said, field) for field in FIELDS} | {"name": name}
    if proposal is not None:
        told = {field: getattr(proposal, field) for field in FIELDS if field != "once"}
        initial |= {field: value for field, value in told.items() if value}
    return TypeForm(initial=initial)


def written_to(said: TypeSettings, cleaned: Mapping[str, Any]) -> TypeSettings:
    """The settings with what was filled in, not saved."""
    for field in FIELDS:
        setattr(said, field, cleaned[field])
    said.name = cleaned["name"]
    return said


def as_text(field: str, value: str | Sequence[Any]) -> str:
    """A proposal's value as it would be typed."""
    return str(TypeForm.base_fields[field].prepare_value(value))
