"""When stored days are thinned and dropped under the settings, and how full the limit of size is (pure).

`tracing.retention` does it; `timeline.queries.storage` reads what there is.
"""

from dataclasses import dataclass

from timeline.queries.storage import Day, Stored
from tracing.lengths import DAY_NS

GB = 1_000_000_000
_UNITS = ((1_000_000_000_000, "TB"), (GB, "GB"), (1_000_000, "MB"), (1_000, "kB"))


@dataclass(frozen=True, slots=True)
class Rules:
    """Days that healthy flows and exceptions are kept, and bytes that all days may take; None is no limit."""

    whole_days: int
    kept_days: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A day with what will become of it: days since 1970, None where that was already or never will be."""

    day: Day
    thins_on: int | None
    drops_on: int | None
    kept_percent: float | None

    @property
    def state(self) -> str:
        if self.day.dropped_ns is not None:
            return "dropped early"
        if self.day.thinned_ns is None:
            return "whole"
        return "thinned early" if self.day.early else "thinned"

    @property
    def records(self) -> int:
        return self.day.spans + self.day.logs


def lines(stored: Stored, rules: Rules) -> list[Line]:
    return [_line(day, rules) for day in stored.days]


def _line(day: Day, rules: Rules) -> Line:
    # The later of its date and its last receipt counts; gone is what lies before the first day that is kept.
    last = max(day.day or 0, day.received_ns // DAY_NS)
    is_stored = day.dropped_ns is None
    thins = is_stored and day.thinned_ns is None and rules.kept_days > rules.whole_days
    share = None
    if is_stored and day.thinned_ns is not None and day.whole_records:
        share = 100 * (day.kept_records or 0) / day.whole_records
    return Line(
        day,
        last + rules.whole_days + 1 if thins else None,
        last + rules.kept_days + 1 if is_stored else None,
        share,
    )


def sized(size: int) -> str:
    """Bytes in words: three digits at most, thousands as disks are sold."""
    for unit, word in _UNITS:
        if size >= unit:
            value = size / unit
            return f"{value:.1f} {word}" if value < 10 else f"{value:,.0f} {word}"
    return f"{size} B"
