"""The numbers behind a problem's sentence, in words: what a detector kept as evidence, line by line.

Names end with their unit: `_ns` is a moment or a length, whichever its size says. What has parts of its own is left to
the JSON form.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from timeline import moments
from tracing.lengths import SECOND_NS

# A length of time is shorter, a moment later: the beginning of 1980.
_MOMENT_NS = 315_532_800 * SECOND_NS
# How the watcher itself counts, and what stands on the page already.
_OWN = frozenset({"good_looks", "causes_system", "worse_ns"})
# What would not explain itself.
_WORDS = {
    "passed": "flows that went on",
    "share": "of them in time",
    "within_ns": "usually within",
    "level": "quantile",
    "factor": "times that allowed",
    "period_ns": "beats every",
}
LONGEST = 200
# The evidence of the flow that is wrong longest, as the judge kept it.
OLDEST = "oldest"
MOST = 10  # parts of a list


class Fact(NamedTuple):
    """`moment_ns` is told instead of a text where the fact is a time; `href` is where more of it stands."""

    name: str
    text: str
    moment_ns: int | None = None
    href: str = ""


def facts(evidence: Mapping[str, Any]) -> list[Fact]:
    """In the order in which they were told."""
    told = (_fact(name, value) for name, value in evidence.items() if name not in _OWN)
    found = [fact for fact in told if fact is not None]
    oldest = evidence.get(OLDEST)
    return found + facts(oldest) if isinstance(oldest, dict) else found


def stringed(value: Any) -> Any:
    """The same for programs: what ends with `_ns` as text, because JSON's numbers hold 53 bits."""
    if isinstance(value, dict):
        return {
            name: str(one) if name.endswith("_ns") and isinstance(one, int) else stringed(one)
            for name, one in value.items()
        }
    return [stringed(one) for one in value] if isinstance(value, list) else value


def _fact(name: str, value: Any) -> Fact | None:
    word = _WORDS.get(name) or name.removesuffix("_ns").replace("_", " ")
    if name == OLDEST:
        return None
    if name == "trace_id" and isinstance(value, str) and re.fullmatch("[0-9a-f]{32}", value):
        return Fact("first in trace", value[:8], href=f"/trace/{value}")
    if name.endswith("_ns") and isinstance(value, int) and value > _MOMENT_NS:
        return Fact(word, "", value)
    text = _text(name, value)
    return Fact(word, text[:LONGEST]) if text else None


def _text(name: str, value: Any) -> str:
    """Empty for what cannot be said in a line."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value[:MOST] if isinstance(one, str | int))
    if isinstance(value, dict) and all(isinstance(one, int) for one in value.values()):
        return ", ".join(f"{part} ({count:,})" for part, count in list(value.items())[:MOST])
    return ""


def _number(name: str, value: float) -> str:
    if name.endswith("_ns"):
        return moments.took(int(value))
    if name == "share":
        return f"{value * 100:.0f} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"
