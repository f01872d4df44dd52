"""A length of time in people's words: "15m", "2h", "1d 4h", "1.5 h" or plain seconds (pure).

Forms and `flow.expect.within` (`tracing.stating`) are read by this one parser, so both mean the same.
"""

import re
from decimal import Decimal

from tracing.lengths import SECOND_NS

# Longer than any flow is kept; and it stays an int64 when added to a time.
LONGEST_NS = 3650 * 86_400 * SECOND_NS
LONGEST_TEXT = 60

UNIT_NS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NS,
    "m": 60 * SECOND_NS,
    "h": 3_600 * SECOND_NS,
    "d": 86_400 * SECOND_NS,
    "w": 7 * 86_400 * SECOND_NS,
}
# What people write for these; a trailing plural s is taken off first.
SPELLINGS = {
    "sec": "s",
    "second": "s",
    "min": "m",
    "minute": "m",
    "hr": "h",
    "hour": "h",
    "day": "d",
    "week": "w",
}
PLAIN = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
PART = re.compile(rf"\s*({PLAIN.pattern})\s*([a-zµμ]+)\s*,?", re.ASCII)
# For writing: what a form shows again must be read as the same length.
WRITTEN = tuple((unit, UNIT_NS[unit]) for unit in ("d", "h", "m", "s", "ms", "us", "ns"))


def parse_duration(text: str) -> int | None:
    """Nanoseconds, at least one. None for what is no length of time: empty, zero, negative, over ten years.

    A number alone is seconds. Parts with units add up, each unit at most once, in any order.
    """
    text = text.strip().lower()
    if not text or len(text) > LONGEST_TEXT:
        return None
    if PLAIN.fullmatch(text):
        return sensible(Decimal(text) * SECOND_NS)
    total, units, at = Decimal(0), set[str](), 0
    while at < len(text):
        part = PART.match(text, at)
        unit = unit_of(part[2]) if part else None
        if part is None or unit is None or unit in units:
            return None
        units.add(unit)
        total += Decimal(part[1]) * UNIT_NS[unit]
        at = part.end()
    return sensible(total)


def unit_of(word: str) -> str | None:
    if word in UNIT_NS:
        return word
    return SPELLINGS.get(word) or SPELLINGS.get(word.removesuffix("s"))


def sensible(length: Decimal) -> int | None:
    return int(length) if 1 <= length <= LONGEST_NS else None


def write_duration(length_ns: int) -> str:
    """Exactly what `parse_duration` reads as this length: "1d 4h", "15m", "90s" as "1m 30s". Zero is "0s"."""
    parts = []
    for unit, unit_ns in WRITTEN:
        count, length_ns = divmod(length_ns, unit_ns)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts) or "0s"
