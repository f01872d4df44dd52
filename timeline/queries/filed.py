"""What a file that was laid out holds: asked on its stage (`timeline.staged`), where nothing else is."""

from itertools import groupby
from typing import NamedTuple

from django.db import connection

from timeline.summaries import FLOW_COLUMNS, REQUEST_COLUMNS, FlowSummary, completed, fold_request, from_row

_FLOWS = f"SELECT {FLOW_COLUMNS} FROM flow ORDER BY spans + logs DESC, type, key, environment, kind LIMIT %s"
_REQUESTS = f"""
SELECT {REQUEST_COLUMNS} FROM request WHERE trace_id IN (
    SELECT trace_id FROM request GROUP BY trace_id ORDER BY sum(spans + logs) DESC, trace_id LIMIT %s
) ORDER BY trace_id, day
"""
_COUNTS = "SELECT (SELECT count(*) FROM flow), (SELECT count(DISTINCT trace_id) FROM request)"


class Filed(NamedTuple):
    """The flows and requests with most records first, and how many there are of each."""

    flows: list[FlowSummary]
    requests: list[FlowSummary]
    all_flows: int
    all_requests: int


def read_filed(most: int) -> Filed:
    """At most so many of each."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        all_flows, all_requests = cursor.fetchone()
        cursor.execute(_FLOWS, [most])
        flows = [from_row(row) for row in cursor.fetchall()]
        cursor.execute(_REQUESTS, [most])
        folded = [fold_request(rows) for _, rows in groupby(cursor.fetchall(), lambda row: bytes(row[0]))]
    requests = [one for one in folded if one is not None]
    requests.sort(key=lambda one: (-(one.spans + one.logs), one.key))
    return Filed(completed(flows), completed(requests), all_flows, all_requests)
