"""Numbers as titles and reasons of problems say them: "22 orders", "14 min", "1 order waits" (pure).

`detectors` write with these; what a single flow waits for is worded in `evidence`.
"""

from datetime import UTC, datetime

SECOND_NS = 1_000_000_000
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
LONGEST_MESSAGE = 90


def counted(number: int, noun: str) -> str:
    """`1 order`, `22 orders`, `3 batches`, `1,204 deliveries`."""
    return f"{number:,} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """The plural as English forms it for most nouns; what is none stays as it is."""
    if not noun or not noun[-1].isascii() or not noun[-1].isalpha():
        return noun
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        return f"{noun[:-1]}ies"
    return f"{noun}s"


def verb(number: int, one: str, many: str) -> str:
    return one if number == 1 else many


def lasting(duration_ns: int) -> str:
    """`45 s`, `14 min`, `3 h 12 min`, `2 d 4 h`; less than a second counts as one."""
    seconds = max(1, round(duration_ns / SECOND_NS))
    for at, (size, unit) in enumerate(_UNITS):
        if seconds >= size:
            rest = seconds % size // _UNITS[at + 1][0] if unit in ("d", "h") else 0
            small = f" {rest} {_UNITS[at + 1][1]}" if rest else ""
            return f"{seconds // size} {unit}{small}"
    return "1 s"


def moment(time_ns: int) -> str:
    """`2026-11-18 11:06 UTC`: a sentence that is stored stays true in every zone."""
    return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M} UTC"


def short(text: str, most: int = LONGEST_MESSAGE) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
