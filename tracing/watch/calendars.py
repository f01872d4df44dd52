"""When a rule's time counts: the opening hours of a week in a zone, without the holidays (pure).

`tracing.people.Calendar` stores them, `judging` adds open time to a moment. Days of 23 or 25 hours are counted as they
are: what the wall clock skips was not open, what it shows twice was open twice. No question is followed for more than two
years, so a calendar that never opens costs as much as any other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from tracing.lengths import SECOND_NS
from tracing.unfit import Unfit

DAY_S = 86_400
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_DAYS = 731
# What a zone may be ahead of or behind UTC, rounded up.
WIDEST_S = 15 * 3_600
FIRST_S, LAST_S = 0, 4 * 10**9  # 1970 to 2096; a moment outside is taken for the nearest


@dataclass(frozen=True, slots=True)
class Calendar:
    """As stored. `hours`: {"mon": [["09:00", "17:00"]], …}, to 24:00 at most; an absent day is closed."""

    zone: str = "UTC"
    hours: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    holidays: Sequence[str] = ()  # ["2026-12-25", …]


def check(calendar: Calendar) -> None:
    """Raises `Unfit` with a sentence for whoever typed it; what passes here makes no other function raise."""
    _zone(calendar.zone)
    holidays = _holidays(calendar)
    week = _week(calendar)
    if not any(week):
        raise Unfit("hours", "The calendar never opens: give at least one day its hours.")
    if holidays and not any(week[day.weekday()] and day not in holidays for day in _year_around(holidays)):
        raise Unfit("holidays", "The calendar never opens: each of its open days is a holiday.")


def add(calendar: Calendar, start_ns: int, duration_ns: int) -> int:
    """The moment when so much open time has passed since `start_ns`; a duration of 0 or less is `start_ns` itself.

    Where that takes longer than two years (731 days), the moment two years after the start: nothing is late before.
    """
    left = duration_ns
    if left <= 0:
        return start_ns
    for since, until in _open(calendar, start_ns, start_ns + MOST_DAYS * DAY_S * SECOND_NS):
        if until - since >= left:
            return since + left
        left -= until - since
    return start_ns + MOST_DAYS * DAY_S * SECOND_NS


def open_between(calendar: Calendar, from_ns: int, to_ns: int) -> int:
    """Open nanoseconds between the two; 0 where they are the wrong way round. At most two years from the first count."""
    return sum(until - since for since, until in _open(calendar, from_ns, to_ns))


def openings(calendar: Calendar, from_ns: int, count: int) -> list[tuple[int, int]]:
    """The next open stretches from a moment on, at most so many, as Unix nanoseconds; a person sees by them what they set."""
    return list(islice(_open(calendar, from_ns, from_ns + MOST_DAYS * DAY_S * SECOND_NS), count))


def _open(calendar: Calendar, from_ns: int, to_ns: int) -> Iterator[tuple[int, int]]:
    """Open stretches between the two in order, cut to them."""
    zone, week, holidays = _zone(calendar.zone), _week(calendar), _holidays(calendar)
    day = _utc(from_ns // SECOND_NS).astimezone(zone).date()
    for _ in range(MOST_DAYS + 2):
        for since_s, until_s in _day(zone, day, () if day in holidays else week[day.weekday()]):
            since, until = max(since_s * SECOND_NS, from_ns), min(until_s * SECOND_NS, to_ns)
            if since < until:
                yield since, until
        day += timedelta(days=1)
        # The clock of no zone is further ahead than this.
        if datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() - WIDEST_S > to_ns // SECOND_NS:
            return


def _day(zone: ZoneInfo, day: date, hours: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Unix seconds at which the wall clock of that day shows these hours."""
    if not hours:
        return []
    midnight = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    stretches = []
    for since, until, ahead in _offsets(zone, midnight - WIDEST_S, midnight + DAY_S + WIDEST_S):
        for opens, closes in hours:
            start, end = max(midnight + opens - ahead, since), min(midnight + closes - ahead, until)
            if start < end:
                stretches.append((start, end))
    return sorted(stretches)


def _offsets(zone: ZoneInfo, since: int, until: int) -> list[tuple[int, int, int]]:
    """Stretches between the two Unix seconds in which the zone keeps one distance from UTC; at most one change."""
    first, last = _ahead(zone, since), _ahead(zone, until)
    if first == last:
        return [(since, until, first)]
    low, high = since, until
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _ahead(zone, middle) == first else (low, middle)
    return [(since, high, first), (high, until, last)]


def _ahead(zone: ZoneInfo, moment: int) -> int:
    offset = _utc(moment).astimezone(zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _utc(moment: int) -> datetime:
    return datetime.fromtimestamp(min(max(moment, FIRST_S), LAST_S), UTC)


def _zone(name: str) -> ZoneInfo:
    # Besides its own error ZoneInfo lets those of the files through: "Europe" is a folder, "../x" no key.
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError, TypeError):
        raise Unfit(
            "zone", f"There is no time zone “{name}”. Write one as in Europe/Berlin, or UTC."
        ) from None


def _week(calendar: Calendar) -> list[list[tuple[int, int]]]:
    """Hours of Monday to Sunday as seconds since midnight, in order and joined where they overlap."""
    if not isinstance(calendar.hours, Mapping):
        raise Unfit("hours", "Hours are given by weekday, as in mon: 09:00 to 17:00.")
    unknown = [str(name) for name in calendar.hours if name not in WEEKDAYS]
    if unknown:
        raise Unfit("hours", f"There is no weekday “{unknown[0]}”. Write {', '.join(WEEKDAYS)}.")
    return [
        _joined([_stretch(day, pair) for pair in _listed(calendar.hours.get(day, ()))]) for day in WEEKDAYS
    ]


def _listed(pairs: Any) -> Sequence[Any]:
    if isinstance(pairs, str) or not isinstance(pairs, Sequence):
        raise Unfit("hours", "The hours of a day are a list of beginnings and ends, as in [[09:00, 17:00]].")
    return pairs


def _stretch(day: str, pair: Sequence[str]) -> tuple[int, int]:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
        raise Unfit("hours", f"On {day} a beginning and an end are needed, as in 09:00 to 17:00.")
    opens, closes = _seconds(day, pair[0]), _seconds(day, pair[1])
    if closes <= opens:
        raise Unfit(
            "hours",
            f"On {day} {pair[1]} does not come after {pair[0]}. For hours over midnight write until 24:00, "
            "and from 00:00 on the next day.",
        )
    return opens, closes


def _seconds(day: str, text: str) -> int:
    hour, _, minute = str(text).partition(":")
    right = hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit() and len(minute) == 2
    seconds = int(hour) * 3_600 + int(minute) * 60 if right and len(hour) <= 2 and int(minute) < 60 else -1
    if not 0 <= seconds <= DAY_S:
        raise Unfit("hours", f"On {day} “{text}” is no time. Write one as in 09:00, to 24:00 at most.")
    return seconds


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for opens, closes in sorted(stretches):
        if joined and opens <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], closes))
        else:
            joined.append((opens, closes))
    return joined


def _holidays(calendar: Calendar) -> set[date]:
    holidays = set()
    if not isinstance(calendar.holidays, Sequence):
        raise Unfit("holidays", "Holidays are a list of days, as in 2026-12-25.")
    for text in calendar.holidays:
        try:
            holidays.add(date.fromisoformat(text))
        except (ValueError, TypeError):
            raise Unfit("holidays", f"“{text}” is no day. Write one as in 2026-12-25.") from None
    return holidays


def _year_around(holidays: set[date]) -> Iterator[date]:
    """A year from the first holiday on: a list that closes all of it was meant to."""
    first = min(holidays)
    for ahead in range(366):
        yield first + timedelta(days=ahead)
