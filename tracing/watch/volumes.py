"""What services sent, by minute: ingest leaves a tally with each transaction, here they become one row a minute.

`volume` goes by the sender's minute and has milestones once more by their names, `arrival` by ours. Silence, storms,
slowness and blindness are judged by them; `delay_p99` says how late a service's records usually come. Fifteen days are kept.
"""

from collections.abc import Iterable
from typing import Any, LiteralString

import orjson
import psycopg

from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS
from tracing.watch import buckets

CHUNK = 5_000
KEPT_MINUTES = 15 * 1_440
# A sender's clock may run ahead; what lies beyond is no minute of anything.
AHEAD_MINUTES = 60
DAY_MINUTES = 1_440
# Longer than this is an outage or a replay, not how long records usually take.
LONGEST_DELAY_NS = 30 * MINUTE_NS
# A quantile of fewer says nothing.
FEWEST_DELAYS = 100

# Two watchers never take the same row: the second passes over what the first has locked.
_TAKE: LiteralString = """
DELETE FROM tally WHERE ctid = ANY (ARRAY(SELECT ctid FROM tally LIMIT %s FOR UPDATE SKIP LOCKED))
RETURNING service, environment, operation, minute, arrived, records, errors, retries, lengths, delays
"""
# Rows in the order of their keys: two watchers that add to the same ones wait for each other, and do not lock up.
_ADD_VOLUME: LiteralString = """
INSERT INTO volume AS v (service, environment, operation, minute, records, errors, retries, lengths)
SELECT * FROM json_to_recordset(%s::json) AS n (service text, environment text, operation text, minute integer,
    records bigint, errors bigint, retries bigint, lengths integer[])
ORDER BY 1, 2, 3, 4
ON CONFLICT (service, environment, operation, minute) DO UPDATE SET records = v.records + excluded.records,
    errors = v.errors + excluded.errors, retries = v.retries + excluded.retries,
    lengths = ARRAY(SELECT coalesce(one, 0) + coalesce(two, 0)
                    FROM unnest(v.lengths, excluded.lengths) WITH ORDINALITY AS both_of (one, two, n) ORDER BY n)
"""
_ADD_ARRIVAL: LiteralString = """
INSERT INTO arrival AS a (service, environment, minute, records, delays)
SELECT * FROM json_to_recordset(%s::json) AS n (service text, environment text, minute integer, records bigint,
    delays integer[])
ORDER BY 1, 2, 3
ON CONFLICT (service, environment, minute) DO UPDATE SET records = a.records + excluded.records,
    delays = ARRAY(SELECT coalesce(one, 0) + coalesce(two, 0)
                   FROM unnest(a.delays, excluded.delays) WITH ORDINALITY AS both_of (one, two, n) ORDER BY n)
"""
_FORGET: tuple[LiteralString, ...] = tuple(
    f"DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE minute < %s LIMIT %s))"
    for table in ("volume", "arrival")
)
_DELAYS: LiteralString = """
SELECT service, environment, delays FROM arrival WHERE minute > %s AND minute <= %s AND delays <> '{}'
"""

Sums = dict[tuple[Any, ...], dict[str, Any]]


def keep(connection: psycopg.Connection) -> bool:
    """Sum one chunk up; True when more is waiting. `connection` is in autocommit; a tally is gone when it counts."""
    now = now_ns() // MINUTE_NS
    with connection.transaction():
        taken = connection.execute(_TAKE, (CHUNK,)).fetchall()
        volume, arrival = summed(taken, now)
        if volume:
            connection.execute(_ADD_VOLUME, (_rows(volume.values()),))
        if arrival:
            connection.execute(_ADD_ARRIVAL, (_rows(arrival.values()),))
    for statement in _FORGET:
        connection.execute(statement, (now - KEPT_MINUTES, CHUNK))
    return len(taken) == CHUNK


def summed(taken: Iterable[tuple[Any, ...]], now: int) -> tuple[Sums, Sums]:
    """Rows of `volume` and of `arrival`. What happened in minutes that are not kept counts as arrived only."""
    volume: Sums = {}
    arrival: Sums = {}
    for service, environment, operation, minute, arrived, records, errors, retries, lengths, delays in taken:
        if now - KEPT_MINUTES <= minute <= now + AHEAD_MINUTES:
            key = {"service": service, "environment": environment, "operation": operation, "minute": minute}
            counts = {"records": records, "errors": errors, "retries": retries}
            _add(volume, key, counts, "lengths", counted(lengths))
        if operation:
            continue  # a milestone is among the records of its service already
        key = {"service": service, "environment": environment, "minute": arrived}
        _add(arrival, key, {"records": records}, "delays", counted(delays))
    return volume, arrival


def counted(places: bytes) -> list[int]:
    """A byte each, its bucket, as counts by bucket up to the last that holds any."""
    found = [0] * (max(places) + 1) if places else []
    for place in places:
        found[min(place, buckets.BUCKETS - 1)] += 1
    return found


def delay_p99(connection: psycopg.Connection) -> dict[tuple[str, str], int]:
    """By service and environment: within how many ns after their end 99 % of its records came, over the last day.

    Without what took more than half an hour, and without the minutes of replays; a service of fewer than 100 records is
    absent.
    """
    now = now_ns() // MINUTE_NS
    longest = buckets.bucket_of(LONGEST_DELAY_NS)
    counts: dict[tuple[str, str], list[list[int]]] = {}
    for service, environment, delays in connection.execute(_DELAYS, (now - DAY_MINUTES, now)):
        usual = delays[: longest + 1]
        # In a minute in which most came later still, the rest is the end of the same outage or replay.
        if 2 * sum(usual) >= sum(delays):
            counts.setdefault((service, environment), []).append(usual)
    totals = {key: buckets.added(many) for key, many in counts.items()}
    return {
        key: p99_ns
        for key, total in totals.items()
        if sum(total) >= FEWEST_DELAYS and (p99_ns := buckets.quantile_ns(total, 0.99)) is not None
    }


def _add(sums: Sums, key: dict[str, Any], counts: dict[str, int], name: str, array: list[int]) -> None:
    row = sums.get(tuple(key.values()))
    if row is None:
        sums[tuple(key.values())] = {**key, **counts, name: list(array)}
        return
    for column, count in counts.items():
        row[column] += count
    kept = row[name]
    kept.extend([0] * (len(array) - len(kept)))
    for place, count in enumerate(array):
        kept[place] += count


def _rows(sums: Iterable[dict[str, Any]]) -> str:
    return orjson.dumps(list(sums)).decode()
