"""The numbers behind a problem's sentence, in words: what a detector kept as evidence, line by line.

Names end with their unit: `_ns` is a moment or a length, whichever its size says. What is no number and no short
text (lists of samples, marks for the watcher itself) is left to the JSON form.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from timeline import moments

# A length of time is shorter, a moment later: the beginning of 1980.
_MOMENT_NS = 315_532_800 * moments.SECOND_NS
# How the watcher itself counts, and what stands on the page already.
_OWN = frozenset({"good_looks", "causes_system", "worse_ns"})
LONGEST = 200


class Fact(NamedTuple):
    """`moment_ns` is told instead of a text where the fact is a time."""

    name: str
    text: str
    moment_ns: int | None = None


def facts(evidence: Mapping[str, Any]) -> list[Fact]:
    """In the order in which they were told."""
    return [
        told
        for name, value in evidence.items()
        if name not in _OWN and (told := _fact(name, value)) is not None
    ]


def _fact(name: str, value: Any) -> Fact | None:
    word = name.removesuffix("_ns").replace("_", " ")
    if isinstance(value, bool):
        return Fact(word, "yes" if value else "no")
    if isinstance(value, str):
        return Fact(word, value[:LONGEST]) if value else None
    if not isinstance(value, int | float):
        return None
    if name.endswith("_ns"):
        return Fact(word, "", int(value)) if value > _MOMENT_NS else Fact(word, moments.took(int(value)))
    if name == "share":
        return Fact(word, f"{value * 100:.0f} %")
    return Fact(word, f"{value:,}" if isinstance(value, int) else f"{value:,.3g}")
