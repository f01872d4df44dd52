"""Services that try again far more often than they usually do.

The last ten minutes of a service against ten minutes of its earlier hours with traffic (their median): five times as many,
and at least twenty. The sender's minutes count; a service that has sent nothing for a quarter of an hour is not judged.
"""

from statistics import median
from typing import LiteralString

import psycopg

from tracing.lengths import MINUTE_NS
from tracing.watch.finding import WARNING, Finding
from tracing.watch.titles import counted, moment

WINDOW = 10  # minutes
STALE = 15
HOURS = 24
FEWEST = 20
TIMES = 5
MOST_SERVICES = 100

# Services that retry much in their latest ten minutes: few, mostly none.
_NOW: LiteralString = """
WITH recent AS (
    SELECT service, environment, minute, sum(retries)::bigint AS retries, sum(records)::bigint AS records
    FROM volume WHERE operation = '' AND minute > %(now)s - 25 AND minute <= %(now)s + 1 GROUP BY service, environment, minute
), latest AS (
    SELECT service, environment, max(minute) AS last FROM recent GROUP BY service, environment
    HAVING max(minute) >= %(now)s - %(stale)s
)
SELECT service, environment, last, sum(retries)::bigint, sum(records)::bigint,
    min(minute) FILTER (WHERE retries > 0), max(minute) FILTER (WHERE retries > 0)
FROM recent JOIN latest USING (service, environment) WHERE minute > last - %(window)s
GROUP BY service, environment, last HAVING sum(retries) >= %(fewest)s ORDER BY 4 DESC LIMIT %(most)s
"""
# Retries of the hours before, each ending where the ten minutes begin.
_BEFORE: LiteralString = """
SELECT sum(retries)::bigint FROM volume
WHERE service = %(service)s AND environment = %(environment)s AND operation = ''
    AND minute <= %(end)s AND minute > %(end)s - 60 * %(hours)s
GROUP BY (%(end)s - minute) / 60
"""


def find(connection: psycopg.Connection, now_ns: int) -> list[Finding]:
    asked = {
        "now": now_ns // MINUTE_NS,
        "stale": STALE,
        "window": WINDOW,
        "fewest": FEWEST,
        "most": MOST_SERVICES,
    }
    found = []
    for service, environment, last, retries, records, first, latest in connection.execute(
        _NOW, asked
    ).fetchall():
        before = {"service": service, "environment": environment, "end": last - WINDOW, "hours": HOURS}
        hours = [int(row[0]) for row in connection.execute(_BEFORE, before)]
        usual = usual_of(hours)
        if is_storm(retries, usual):
            found.append(_finding(service, environment, retries, usual, records, first, latest, len(hours)))
    return found


def usual_of(hours: list[int]) -> float:
    """Retries in ten minutes, from those of whole hours; none where there was no hour with traffic."""
    return median(hours) * WINDOW / 60 if hours else 0.0


def is_storm(retries: int, usual: float) -> bool:
    return retries >= FEWEST and retries >= TIMES * usual


def _finding(
    service: str,
    environment: str,
    retries: int,
    usual: float,
    records: int,
    first: int,
    latest: int,
    hours: int,
) -> Finding:
    earlier = (
        f"Usually {usual:.0f}, by the median of {counted(hours, 'hour')} before."
        if hours
        else "Nothing before to compare."
    )
    return Finding(
        kind="retry_storm",
        type="",
        environment=environment,
        step="",
        system=service,
        title=f"{service} retries: {retries:,} times in {WINDOW} minutes",
        why=f"{earlier} Since {moment(first * MINUTE_NS)}.",
        severity=WARNING,
        since_ns=first * MINUTE_NS,
        last_ns=(latest + 1) * MINUTE_NS - 1,
        good_looks=3,
        evidence={
            "retries": retries,
            "usual": round(usual, 1),
            "records": records,
            "minutes": WINDOW,
            "hours": hours,
        },
    )
