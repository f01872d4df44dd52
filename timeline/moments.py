"""Times and durations in words: pure, from Unix nanoseconds and a zone to text.

Absolute times come with their offset from UTC; "3 h 12 m ago" stands beside them, never instead.
`timeline.templatetags.threadline` puts them into pages, in the zone of the reader's `tz` cookie.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tracing.lengths import MINUTE_NS, SECOND_NS
from tracing.lengths import took as took

CLOCK = len("14:02:11")


def zone_named(name: str) -> tzinfo:
    """The zone of that IANA name; UTC where it is unknown or odd."""
    if not name or name == "UTC" or len(name) > 64:
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return UTC


def moment(time_ns: int, zone: tzinfo) -> datetime | None:
    """The time to the microsecond, or None beyond the years a calendar holds."""
    try:
        exact = datetime.fromtimestamp(time_ns // SECOND_NS, UTC)
        return (exact + timedelta(microseconds=time_ns % SECOND_NS // 1_000)).astimezone(zone)
    except (OverflowError, ValueError, OSError):
        return None


def offset(time: datetime) -> str:
    """`UTC`, `+01:00`."""
    shift = time.utcoffset() or timedelta()
    if not shift and time.tzinfo is UTC:
        return "UTC"
    minutes = int(shift.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def full(time_ns: int, zone: tzinfo) -> str:
    """`2026-11-21 14:02:11.310 +01:00`."""
    time = moment(time_ns, zone)
    if time is None:
        return f"{time_ns} ns"
    return f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond // 1000:03} {offset(time)}"


def short(time_ns: int, zone: tzinfo, now_ns: int = 0) -> str:
    """`14:02:11` today, `21 Nov 14:02:11` this year, `2025-11-21 14:02:11` otherwise. The page names the zone once.

    Without a `now_ns` the time is told whole, for text that is read on another day.
    """
    time, now = moment(time_ns, zone), moment(now_ns, zone)
    if time is None or now is None:
        return f"{time_ns} ns"
    if time.date() == now.date():
        return f"{time:%H:%M:%S}"
    return f"{time.day} {time:%b %H:%M:%S}" if time.year == now.year else f"{time:%Y-%m-%d %H:%M:%S}"


def stretch(first_ns: int, last_ns: int, zone: tzinfo, now_ns: int) -> tuple[str, str]:
    """Both ends of a stretch as `short` tells them; where one has a date, both have."""
    first, last = short(first_ns, zone, now_ns), short(last_ns, zone, now_ns)
    if len(first) == len(last) == CLOCK or CLOCK not in (len(first), len(last)):
        return first, last
    now = moment(now_ns, zone)
    today = f"{now.day} {now:%b} " if now else ""
    return (today + first, last) if len(first) == CLOCK else (first, today + last)


def ago(time_ns: int, now_ns: int) -> str:
    """`3 h 12 m ago`, `in 5 m`, `just now` under ten seconds."""
    age_ns = now_ns - time_ns
    if abs(age_ns) < 10 * SECOND_NS:
        return "just now"
    age_ns = age_ns // SECOND_NS * SECOND_NS if abs(age_ns) < MINUTE_NS else age_ns
    return f"{took(age_ns)} ago" if age_ns > 0 else f"in {took(-age_ns)}"
