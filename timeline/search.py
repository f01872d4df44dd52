"""What a reader typed into the search field of a list, as a question.

`order.state=paid` and `http.route="/x y"` ask for records with that attribute; all else is free text over title and
key. Pure; `timeline.queries.listing` answers the text, `timeline.queries.attributes` the attributes.
"""

import re
from dataclasses import dataclass
from typing import Any

MAX_QUERY = 400
MAX_TERMS = 8
_TERM = re.compile(
    r"""
    (?P<name>[A-Za-z_][\w./:@$-]*) = (?: "(?P<quoted>(?:[^"\\]|\\.)*)" | (?P<bare>\S+) )
    | "(?P<phrase>[^"]*)"
    | (?P<word>\S+)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Equality:
    """An attribute and the value it should have, as typed."""

    name: str
    value: str

    def values(self) -> list[Any]:
        """What may be stored where this was typed: the text itself, and the number or truth it reads as."""
        found: list[Any] = [self.value]
        if self.value in ("true", "false"):
            found.append(self.value == "true")
        elif re.fullmatch(r"-?\d{1,19}", self.value):
            found.append(int(self.value))
        elif re.fullmatch(r"-?\d{1,17}\.\d{1,17}", self.value):
            found.append(float(self.value))
        return found


@dataclass(frozen=True, slots=True)
class Sought:
    """Every word must stand in the title or key; every equality in one record."""

    words: tuple[str, ...] = ()
    equalities: tuple[Equality, ...] = ()


def parse(text: str) -> Sought:
    """Any text gives a question; raises ValueError, with a sentence, where it asks for too much."""
    if "\x00" in text:
        raise ValueError("A search cannot hold a NUL character.")
    words: list[str] = []
    equalities: list[Equality] = []
    for found in _TERM.finditer(text):
        if found["name"]:
            quoted = found["quoted"]
            value = found["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            equalities.append(Equality(found["name"], value))
        elif found["phrase"] or found["word"]:
            words.append(found["phrase"] or found["word"])
    if len(words) + len(equalities) > MAX_TERMS:
        raise ValueError(f"At most {MAX_TERMS} terms can be searched for at once.")
    return Sought(tuple(words), tuple(equalities))
