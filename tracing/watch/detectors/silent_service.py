"""Services that usually speak at this time and have gone quiet: "billing went quiet".

Judged by when records arrive (our minutes), today's six hours against the same minutes of seven earlier days
(`tracing.watch.blindness`). Where most services of an environment fall quiet at once it is the way to us that broke, and
none of them is a problem of its own; minutes in which we were not there are not judged.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray

from tracing.lengths import MINUTE_NS
from tracing.watch import sight
from tracing.watch.blindness import FEW_MIN, collapsed_since, silent_since
from tracing.watch.finding import NEEDS_A_PERSON, Finding
from tracing.watch.titles import moment

MINUTES, DAYS, DAY = 360, 7, 1_440
# After a gap of ours exporters send what they kept: the minutes after it are no measure.
GRACE = 2

# The same minutes of each day; what ingest has counted and nobody has summed up yet counts too.
_ARRIVED: LiteralString = """
SELECT day, service, environment, minute, records FROM generate_series(0, %(days)s) AS day, LATERAL (
    SELECT service, environment, minute, records FROM arrival
    WHERE minute > %(last)s - day * %(day)s - %(minutes)s AND minute <= %(last)s - day * %(day)s
) AS a
UNION ALL
SELECT 0, service, environment, arrived, records FROM tally
WHERE arrived > %(last)s - %(minutes)s AND arrived <= %(last)s AND operation = ''
"""
_LAST_HEARD: LiteralString = (
    "SELECT max(minute) FROM arrival WHERE service = %s AND environment = %s AND minute <= %s"
)

Who = tuple[str, str]  # service, environment
Counts = NDArray[np.int64]


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    last = now_ns // MINUTE_NS - 1  # the running minute is not over
    blind = sight.blind(connection, (last - MINUTES) * MINUTE_NS, now_ns)
    seen_from = max((until // MINUTE_NS + 1 + GRACE for _, until in blind), default=0)
    asked = {"last": last, "minutes": MINUTES, "days": DAYS, "day": DAY}
    days = _days(connection.execute(_ARRIVED, asked), last)
    first = last - MINUTES + 1
    skipped = max(0, seen_from - first)
    if skipped >= MINUTES:
        return []
    days = {who: [counts[skipped:] for counts in every] for who, every in days.items()}
    silent = silences(days, first + skipped)
    return [
        _finding(
            who,
            _heard(connection, who, minute),
            days[who],
            int(days[who][0][minute - first - skipped :].sum()),
        )
        for who, minute in silent.items()
    ]


def silences(days: Mapping[Who, list[Counts]], first: int) -> dict[Who, int]:
    """The minute from which each silent service is silent; without those that fell quiet with most others at once."""
    found = {who: silent_since(every[0], _known(every), first) for who, every in days.items()}
    silent = {who: minute for who, minute in found.items() if minute is not None}
    if not silent:
        return {}
    for environment in {None, *(who[1] for who in silent)}:
        among = {who: every for who, every in days.items() if environment in (None, who[1])}
        today = {"\0".join(who): every[0] for who, every in among.items()}
        earlier = {"\0".join(who): _known(every) for who, every in among.items()}
        together = collapsed_since(today, earlier, first)
        if together is not None:
            # Who was silent long before is silent by itself.
            silent = {
                who: minute
                for who, minute in silent.items()
                if who not in among or minute < together - FEW_MIN
            }
    return silent


def _days(rows: Iterable[tuple[int, str, str, int, int]], last: int) -> dict[Who, list[Counts]]:
    """By service: the counts of today and of each earlier day, the latest first."""
    days: dict[Who, list[Counts]] = defaultdict(
        lambda: [np.zeros(MINUTES, dtype=np.int64) for _ in range(DAYS + 1)]
    )
    for day, service, environment, minute, records in rows:
        place = minute - (last - day * DAY - MINUTES + 1)
        days[service, environment][day][place] += records
    return days


def _known(every: list[Counts]) -> list[Counts]:
    """The earlier days since the service was first heard."""
    known = max((day for day, counts in enumerate(every) if counts.any()), default=0)
    return every[1 : known + 1]


def _heard(connection: psycopg.Connection, who: Who, silent_from: int) -> int:
    """The minute after the last one in which it spoke; before the window, the table knows."""
    row = connection.execute(_LAST_HEARD, (*who, silent_from)).fetchone()
    return row[0] + 1 if row and row[0] is not None and row[0] < silent_from - 1 else silent_from


def _finding(who: Who, since: int, days: list[Counts], still: int) -> Finding:
    service, environment = who
    known = _known(days)
    usual = float(np.median([counts.mean() for counts in known])) if known else float(days[0].mean())
    since_ns = since * MINUTE_NS
    came = "Hardly anything came" if still else "Nothing came"
    return Finding(
        kind="silent_service",
        type="",
        environment=environment,
        step="",
        system=service,
        title=f"{service} went quiet",
        why=f"{came} from {service} since {moment(since_ns)}; usually {usual * 60:,.0f} records an hour at this time.",
        severity=NEEDS_A_PERSON,
        since_ns=since_ns,
        last_ns=since_ns,
        bad_looks=2,
        good_looks=2,
        evidence={"usual_an_hour": round(usual * 60), "days": len(known)},
        causes_system=service,
    )
