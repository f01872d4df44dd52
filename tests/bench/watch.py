"""The watcher at a million open flows: one round, the duties beside it, and what it takes from ingest.

    uv run python -m tests.bench.watch [--flows 1000000] [--rounds 5] [--minutes 5] [--no-ingest]

A round: 10,000 flows due of which 500 are truly late, everything on one core (median of the rounds, in seconds). Then as
many are due each minute while two connections send spans as fast as they are taken, whole minutes with the watcher and
without it in turns: the ratio of the two rates. Each minute begins when a watcher has judged what came before, so that none has
another's work. Prints one JSON line.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.flood import rate
from tests.drill.house import House, built, end
from tracing import clock

SECOND = 1_000_000_000
DUE, LATE = 10_000, 500
MINUTE_S = 60.0
PATIENCE_S = 600.0
FEW = 2_000

# Flow n waits since 20 s at `paid`; each late one waits since two hours. `{set}` picks the flows of one statement.
_FLOWS = """
INSERT INTO flow (flow_id, kind, type, key, environment, rule_id, spans, events, logs, errors, retries, chapters, first_ns,
    last_ns, services, state, state_order, state_since_ns, activity, xid, state_system)
SELECT decode(md5(n::text), 'hex'), 1, 'order', n::text, 'production', 1, 2, 0, 0, 0, 0, 2, at - 60000000000, at, '{shop}',
    'paid', int8send(at) || '\\x00', at, at / 60000000000, '1', 'billing'
FROM (SELECT n, %(now)s::bigint - 20000000000 AS at FROM generate_series(0, %(flows)s - 1) AS n) AS made
"""
_ASSERTIONS = """
INSERT INTO assertion (flow_id, valid_ns, system, digest, state, received_ns, trace_id, record_id, day, rule_id, xid)
SELECT flow_id, last_ns - 60000000000 * (1 - which), (array['shop', 'billing'])[1 + which], int4send(which),
    (array['created', 'paid'])[1 + which], last_ns, flow_id, substring(flow_id FOR 8), %(day)s, 1, '1'
FROM flow, generate_series(0, 1) AS which
"""
_MEMBERS = """
INSERT INTO member (day, flow_id, trace_id, service, rule_id, span_ids, span_marks, log_ids, xid)
SELECT %(day)s, flow_id, flow_id, '', 1, substring(flow_id FOR 8), '', '', '1' FROM flow
"""
# Spread over the hours to come: as many in a minute as the bench wants due.
_EXPECTATIONS = """
INSERT INTO expectation (flow_id, kind, type, environment, looks_ns, verdict, verdict_since_ns, step, system, since_ns,
    heard_ns, expected_ns, late_ns, stuck_ns, source, reason, evidence, judged_ns)
SELECT flow_id, 1, 'order', 'production', %(now)s + 600000000000 + key::bigint * 60000000000 / %(due)s, 'moving', last_ns,
    'paid', 'billing', last_ns, last_ns, last_ns + 1800000000000, last_ns + 3600000000000, last_ns + 7200000000000,
    'learned', 'step', '{}', last_ns FROM flow
"""
_LEARNED = """
INSERT INTO learned (type, environment, step, source, passed, waiting, threshold_ns, level, is_end, facts, learned_ns)
VALUES ('order', 'production', 'paid', 'state', 2000, 10, 3600000000000, 'p99', false,
    '{"p50": 600000000000, "p90": 900000000000, "p95": 1200000000000, "p99": 1800000000000, "needed": 299, "plateau": 0.0,
      "ways": [{"step": "shipped", "system": "wms", "share": 0.99}], "quiet": false}', %(now)s)
"""
_SPANS = """
INSERT INTO span (day, trace_id, span_id, start_ns, digest, parent_span_id, end_ns, kind, status, flags, dropped_attributes,
    dropped_events, dropped_links, redacted, rule_version, received_ns, xid, resource_id, scope_id, name, service,
    status_message, trace_state, attributes)
SELECT %(day)s, flow_id, CASE WHEN n = 0 THEN substring(flow_id FOR 8) ELSE int8send(n) END, %(now)s - 7300000000000 + n, '\\x01',
    CASE WHEN n = 0 THEN ''::bytea ELSE substring(flow_id FOR 8) END, %(now)s - 7200000000000, 1 + (n = 0)::int, 0, 0, 0, 0,
    0, 0, 1, 0, '1', '', '', 'charge', 'billing', '', '', '{}'
FROM unnest(%(late)s::bytea[]) AS flow_id, generate_series(0, 7) AS n
"""
_REQUESTS = """
INSERT INTO request (day, trace_id, spans, events, logs, errors, retries, resent, late, services, environment, activity, xid)
SELECT %(day)s, flow_id, 8, 0, 0, 0, 0, 0, 0, '{billing}', 'production', 1, '1' FROM unnest(%(late)s::bytea[]) AS flow_id
"""
_PICK = "SELECT decode(md5(n::text), 'hex') FROM generate_series(%s::int, %s::int) AS n"
# One after the other, over `spread` ns from a second ago on.
_MAKE_DUE = """
UPDATE expectation SET looks_ns = %(now)s - 1000000000 + n * %(spread)s::bigint / cardinality(%(due)s)
FROM unnest(%(due)s::bytea[]) WITH ORDINALITY AS picked (flow_id, n) WHERE expectation.flow_id = picked.flow_id
"""
_MAKE_LATE = (
    "UPDATE flow SET state_since_ns = %(now)s - 7200000000000, last_ns = %(now)s - 7200000000000 WHERE flow_id = ANY(%(late)s)",
    "UPDATE assertion SET valid_ns = valid_ns - 7180000000000 WHERE flow_id = ANY(%(late)s)",
    "UPDATE expectation SET verdict = 'due', since_ns = %(now)s - 7200000000000 WHERE flow_id = ANY(%(late)s)",
)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--flows", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--minutes", type=int, default=5, help="of sending, with the watcher and without each"
    )
    options.add_argument("--no-ingest", action="store_true")
    asked = options.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    now = time.time_ns()
    with built(now, {}, fsync="on") as house:
        _set_up_django()
        found: dict[str, Any] = {"bench": "watch", "flows": asked.flows}
        found["fill_s"] = timed(lambda: fill(house, asked.flows, now))
        found |= rounds(house, asked.rounds, now)
        clock.follow(None)
        if not asked.no_ingest:
            os.sched_setaffinity(0, cores)
            found |= ingest(house, asked.minutes, asked.rounds + 1)
        print(json.dumps(found))


def _set_up_django() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracing.settings")
    django.setup()


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 3)


def fill(house: House, flows: int, now: int) -> None:
    from tracing.partitions import keep_ahead

    keep_ahead(house.database, 400)
    values = {"now": now, "flows": flows, "day": now // (86_400 * SECOND), "due": DUE}
    for statement in (_FLOWS, _ASSERTIONS, _MEMBERS, _EXPECTATIONS, _LEARNED):
        house.database.execute(statement.encode(), values)
    for table in ("flow", "assertion", "member", "expectation"):
        house.database.execute(f"VACUUM ANALYZE {table}".encode())
    house.database.execute("CHECKPOINT")


def rounds(house: House, count: int, now: int) -> dict[str, Any]:
    """Each round judges others; the first is left out, it reads cold pages."""
    from tracing.watch import problems
    from tracing.watch.backlogs import count as count_backlogs
    from tracing.watch.learning import learn
    from tracing.watch.rounds import Rounds

    judge, took, cpu = Rounds(), [], []
    with psycopg.connect(house.conninfo, autocommit=True) as connection:
        count_backlogs(connection, now)
        for number in range(count + 1):
            make_due(house, number, now)
            house.reach(now)
            before = flips(house)
            spent_s = cpu_s(connection)
            took.append(timed(lambda: _judge_all(judge, connection)))
            cpu.append(round(cpu_s(connection) - spent_s, 2))
            turned = flips(house) - before
            print(
                f"round {number}: {took[-1]} s ({cpu[-1]} s of the core), {judge.rows} judged, {turned} late",
                file=sys.stderr,
            )
            assert turned == LATE
        return {
            "due": DUE,
            "late": LATE,
            "round_s": round(statistics.median(took[1:]), 2),
            "round_most_s": max(took[1:]),
            "round_core_s": statistics.median(cpu[1:]),
            "problems_s": timed(lambda: problems.keep(connection)),
            "backlogs_s": timed(lambda: count_backlogs(connection, now)),
            "learning_s": timed(lambda: learn(connection, "order", "production", now)),
        }


def cpu_s(connection: psycopg.Connection) -> float:
    """What we and our session at the database have used of a core, in seconds: a busy machine does not change it."""
    fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _judge_all(judge: Any, connection: psycopg.Connection) -> None:
    while judge.work(connection):
        pass


def make_due(house: House, number: int, now: int, spread_ns: int = 0) -> None:
    rows = house.database.execute(_PICK, (number * DUE, (number + 1) * DUE - 1)).fetchall()
    due = [row[0] for row in rows]
    values = {
        "now": now,
        "due": due,
        "late": due[:: DUE // LATE],
        "day": now // (86_400 * SECOND),
        "spread": spread_ns,
    }
    for statement in (_MAKE_DUE, *_MAKE_LATE, _SPANS, _REQUESTS):
        house.database.execute(statement.encode(), values)


def flips(house: House) -> int:
    found = house.asked("SELECT count(DISTINCT flow_id) FROM flip WHERE after = 'late'")
    assert isinstance(found, int)
    return found


def ingest(house: House, minutes: int, judged: int) -> dict[str, Any]:
    """Spans a second with the watcher and without, in turns, a minute each; `judged` sets of flows were due before."""
    house.shut()
    house.open(clocked=False)
    rate(house.otlp, 5.0)  # warm
    with_it: list[float] = []
    without: list[float] = []
    for turn in range(minutes):
        # Which comes first changes: tables grow.
        for watched in (turn % 2 == 0, turn % 2 != 0):
            house.watch = house.begin("watch", "--wait", follows=None)
            catch_up(house)
            if not watched:
                end(house.watch)
            make_due(house, judged, time.time_ns(), round(MINUTE_S * SECOND))
            judged += 1
            (with_it if watched else without).append(rate(house.otlp, MINUTE_S))
            if watched:
                print(f"{due(house)} flows with a deadline due", file=sys.stderr)
                end(house.watch)
        print(f"{with_it[-1]:,.0f} spans/s with, {without[-1]:,.0f} without", file=sys.stderr)
    return {
        "spans_per_s": round(statistics.mean(with_it)),
        "spans_per_s_without": round(statistics.mean(without)),
        "ingest_ratio": round(statistics.mean(with_it) / statistics.mean(without), 3),
        "minutes": minutes,
    }


def due(house: House) -> object:
    """How many flows have a deadline and were not looked at when it came."""
    from tracing.watch.looks import DEADLINE

    return house.asked(
        f"SELECT count(*) FROM expectation WHERE looks_ns <= %s AND {DEADLINE}", time.time_ns()
    )


def catch_up(house: House) -> None:
    """Until next to nobody is due, with a deadline or without."""
    until = time.monotonic() + PATIENCE_S
    behind = "SELECT count(*) > %s FROM expectation WHERE looks_ns <= %s"
    while house.asked(behind, FEW, time.time_ns()):
        assert time.monotonic() < until, "the watcher does not keep up"
        time.sleep(1.0)


if __name__ == "__main__":
    main()
