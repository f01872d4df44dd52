"""Lengths of time in words: pure, from nanoseconds to text. Sentences of the watcher and pages say them alike.

`durations` reads the other way, from words people and senders write."""

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
# (at least so many ns, large unit in ns, its sign, small unit in ns, its sign)
_TWO_UNITS = (
    (DAY_NS, DAY_NS, "d", HOUR_NS, "h"),
    (HOUR_NS, HOUR_NS, "h", MINUTE_NS, "m"),
    (MINUTE_NS, MINUTE_NS, "m", SECOND_NS, "s"),
)
_ONE_UNIT = ((SECOND_NS, "s"), (1_000_000, "ms"), (1_000, "µs"))


def took(duration_ns: int | None) -> str:
    """`3 h 12 m`, `1.24 s`, `90 ms`, `0`; an en dash for the unknown."""
    if duration_ns is None:
        return "–"
    if duration_ns < 0:
        return f"−{took(-duration_ns)}"
    for least, large, large_sign, small, small_sign in _TWO_UNITS:
        if duration_ns >= least:
            rest = duration_ns % large // small
            return f"{duration_ns // large} {large_sign}" + (f" {rest} {small_sign}" if rest else "")
    for unit, sign in _ONE_UNIT:
        if duration_ns >= unit:
            return f"{_three_digits(duration_ns / unit)} {sign}"
    return f"{duration_ns} ns" if duration_ns else "0"


def spoken(duration_ns: int) -> str:
    """As sentences say it: `14 min`, `3 h 12 m`, `0 s`; minutes alone are not taken for metres."""
    if duration_ns <= 0:
        return "0 s"
    text = took(duration_ns)
    return f"{text}in" if text.endswith(" m") and text.count(" ") == 1 else text


def _three_digits(value: float) -> str:
    places = 0 if value >= 99.5 else 1 if value >= 9.95 else 2
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
