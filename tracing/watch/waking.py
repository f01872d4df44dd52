"""Brings looks forward where a person's word changes what is expected: nobody would look at these flows so soon.

`rounds` judges whoever is due. It happens in chunks, each a transaction of its own, after the word itself is committed:
ingest, which takes the same rows, never waits longer than for one chunk. Rows that it or a round holds just now are
passed over, as those are looked at anyway. What is beyond the bounds waits for each flow's own next look.
"""

from collections.abc import Collection
from time import monotonic
from typing import Any, NamedTuple

from django.db import OperationalError, connection, transaction

from tracing.watch.looks import IDLE
from tracing.watch.rulings import Ruling

CHUNK = 2_000
MOST = 50_000
PATIENCE_S = 4.0

# Who stands where a rule holds. What is wrong already is looked at now: the rule may allow more than what was learned.
_RULED = (
    "type = %(type)s AND (%(environment)s = '' OR environment = %(environment)s) AND verdict <> 'ended'"
    " AND (%(step)s = '' OR step = %(step)s)"
)
_ALLOWED = (
    "CASE WHEN verdict IN ('moving', 'due') THEN greatest(%(now)s, since_ns + %(after)s) ELSE %(now)s END"
)
# Who stands at a step that ends flows now, or no longer does; an ended flow is looked at by nobody.
_STEPS = "type = %(type)s AND verdict IS NOT NULL AND (%(all)s OR step = ANY(%(steps)s))"


class Woken(NamedTuple):
    flows: int  # whose look was brought forward
    whole: bool = True  # whether all that should be were


def wake_ruled(ruling: Ruling, now_ns: int) -> Woken:
    """A rule was armed, changed, switched or deleted."""
    # Counted from the start, where a flow stands says nothing of when it is late.
    anywhere = ruling.from_start
    asked = {
        "type": ruling.type,
        "environment": ruling.environment,
        "step": "" if anywhere else ruling.step,
        "after": 0 if anywhere else ruling.within_ns + ruling.grace_ns,
        "now": now_ns,
    }
    return bring_forward(_RULED, _ALLOWED, asked)


def wake_steps(type: str, steps: Collection[str] | None, now_ns: int) -> Woken:
    """Other steps end flows of the type than before. None: the whole type goes otherwise."""
    if steps is not None and not steps:
        return Woken(0)
    asked = {"type": type, "all": steps is None, "steps": sorted(steps or ()), "now": now_ns}
    return bring_forward(_STEPS, "%(now)s", asked)


def bring_forward(whose: str, sooner: str, asked: dict[str, Any]) -> Woken:
    """Flows for which `whose` holds are looked at by `sooner` (both SQL over `expectation`), those that never are too.

    Whose look comes before that anyway keeps it, and is not counted; from now on it cannot wait.
    """
    patient_until = monotonic() + PATIENCE_S
    moved = f"(looks_ns > {sooner} OR looks_ns IS NULL)"
    wanted = f"{whose} AND ({moved} OR {IDLE})"
    # A scan locks nothing; what is written goes by the key.
    found = _found(f"SELECT flow_id FROM expectation WHERE {wanted} LIMIT {MOST + 1}", asked)
    if found is None:
        return Woken(0, whole=False)
    flows, wake = 0, sorted(found[:MOST])
    for begin in range(0, len(wake), CHUNK):
        if monotonic() > patient_until:
            return Woken(flows, whole=False)
        # In the order in which ingest and rounds take them. By now a row may have been judged anew.
        flows += _changed(
            f"WITH held AS (SELECT flow_id, least(looks_ns, {sooner}) AS sooner, {moved} AS moved FROM expectation"
            f" WHERE flow_id = ANY(%(chunk)s) AND {wanted} ORDER BY flow_id FOR NO KEY UPDATE SKIP LOCKED), woken AS ("
            " UPDATE expectation e SET looks_ns = held.sooner, hurried = true FROM held WHERE e.flow_id = held.flow_id"
            " RETURNING held.moved) SELECT count(*) FILTER (WHERE moved) FROM woken",
            {**asked, "chunk": wake[begin : begin + CHUNK]},
        )
    return Woken(flows, whole=len(found) <= MOST)


def _found(sql: str, asked: dict[str, Any]) -> list[bytes] | None:
    """None where it took longer than anybody wants to wait for a page."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {round(PATIENCE_S * 1_000)}")
            cursor.execute(sql, asked)
            return [bytes(flow_id) for (flow_id,) in cursor.fetchall()]
    except OperationalError:
        return None


def _changed(sql: str, asked: dict[str, Any]) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, asked)
        return int(cursor.fetchone()[0])
