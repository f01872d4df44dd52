"""Numbers as titles and reasons of problems say them: "22 orders", "1 order waits", "2026-11-18 11:06 UTC" (pure).

`detectors` and messages write with these; what a single flow waits for is worded in `evidence`, lengths in `tracing.lengths`.
"""

from datetime import UTC, datetime

from tracing.lengths import SECOND_NS, spoken

LONGEST_MESSAGE = 90
lasting = spoken  # as the series' detector still calls it


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


def moment(time_ns: int) -> str:
    """`2026-11-18 11:06 UTC`: a sentence that is stored stays true in every zone."""
    try:
        return f"{datetime.fromtimestamp(time_ns // SECOND_NS, UTC):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"


def short(text: str, most: int = LONGEST_MESSAGE) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
