"""Brings looks forward where a person's word changes what is expected: nobody would look at these flows so soon.

`rounds` judges whoever is due. Rows that it or ingest holds just now are passed over: they are looked at anyway.
"""

from collections.abc import Collection
from typing import Any

from django.db import connection

from tracing.watch.rulings import Ruling

# Who stands where a rule holds, and would be looked at later than it allows. What is wrong already is looked at now: the
# rule may allow more than what was learned.
_RULED = """
UPDATE expectation e SET looks_ns = held.sooner FROM (
    SELECT flow_id, CASE WHEN verdict IN ('moving', 'due') THEN greatest(%(now)s, since_ns + %(after)s) ELSE %(now)s END AS sooner
    FROM expectation
    WHERE type = %(type)s AND (%(environment)s = '' OR environment = %(environment)s) AND verdict <> 'ended'
        AND (%(step)s = '' OR step = %(step)s)
    FOR UPDATE SKIP LOCKED
) AS held WHERE e.flow_id = held.flow_id AND e.looks_ns > held.sooner
"""
# Who stands at a step that ends flows now, or no longer does; an ended flow is looked at by nobody.
_STEPS = """
UPDATE expectation e SET looks_ns = %(now)s FROM (
    SELECT flow_id FROM expectation WHERE type = %(type)s AND verdict IS NOT NULL AND (%(all)s OR step = ANY(%(steps)s))
    FOR UPDATE SKIP LOCKED
) AS held WHERE e.flow_id = held.flow_id AND (e.looks_ns > %(now)s OR e.looks_ns IS NULL)
"""


def wake_ruled(ruling: Ruling, now_ns: int) -> int:
    """A rule was armed, changed, switched or deleted: how many flows are looked at sooner for it."""
    # Counted from the start, where a flow stands says nothing of when it is late.
    anywhere = ruling.from_start
    return _count(
        _RULED,
        {
            "type": ruling.type,
            "environment": ruling.environment,
            "step": "" if anywhere else ruling.step,
            "after": 0 if anywhere else ruling.within_ns + ruling.grace_ns,
            "now": now_ns,
        },
    )


def wake_steps(type: str, steps: Collection[str] | None, now_ns: int) -> int:
    """Other steps end flows of the type than before: how many are looked at now. None: the whole type goes otherwise."""
    if steps is not None and not steps:
        return 0
    asked = {"type": type, "all": steps is None, "steps": sorted(steps or ()), "now": now_ns}
    return _count(_STEPS, asked)


def _count(sql: str, asked: dict[str, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql, asked)
        return int(cursor.rowcount)
