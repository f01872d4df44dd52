"""The attributes and events of the few spans that say which try they are, what they deliver or since when they waited.

`tracing.facts` marked them when they were stored; `timeline.layout.hints` understands them.
"""

from collections.abc import Sequence

import numpy as np
import orjson

from timeline.layout.hints import Hint, hint_of
from timeline.layout.tables import Table
from timeline.queries.bykey import look_up
from tracing.facts import ATTEMPT, DELIVERY, OUTCOME, PENDING, WAIT
from tracing.values import plain

TELLING = ATTEMPT | DELIVERY | OUTCOME | PENDING | WAIT
MOST = 50_000  # spans of one flow; what the rest would tell is left unsaid


def read_hints(spans: Table, traces: Sequence[bytes]) -> dict[int, Hint]:
    """Hints by row, of those spans that give one."""
    rows = np.flatnonzero((spans["facts"] & TELLING) != 0)[:MOST]
    found = {}
    for nth, attributes, events, start_ns in look_up("attributes, events, start_ns", spans[rows], traces):
        told = [(str(one.get("name")), int(one["time"])) for one in orjson.loads(events)] if events else []
        hint = hint_of(plain(orjson.loads(attributes)), told, start_ns)
        if any(hint):
            found[int(rows[nth])] = hint
    return found
