"""Reads what systems said of flows' states, as the steps that these took (`moving`). Of each flow the latest statements."""

from collections.abc import Iterable, Sequence

import psycopg

from tracing.watch.moving import Told, moves
from tracing.watch.standing import Step

SET = 500

# The primary key serves it backwards.
_ASSERTIONS = """
SELECT a.flow_id, a.valid_ns, a.digest, a.state, a.system, a.received_ns FROM unnest(%s::bytea[]) AS n(flow_id), LATERAL (
    SELECT * FROM assertion WHERE flow_id = n.flow_id ORDER BY valid_ns DESC LIMIT %s
) AS a
"""


def read_steps(
    connection: psycopg.Connection, flow_ids: Sequence[bytes], latest: int
) -> dict[bytes, tuple[Step, ...]]:
    """The steps by flow, of at most so many statements each; a flow of which nothing was said is absent."""
    told: dict[bytes, list[Told]] = {}
    for part in parts(flow_ids):
        for flow_id, *rest in connection.execute(_ASSERTIONS, (part, latest)).fetchall():
            told.setdefault(flow_id, []).append(Told(*rest))
    return {flow_id: moves(said, cut=len(said) >= latest) for flow_id, said in told.items()}


def parts(flow_ids: Sequence[bytes]) -> Iterable[list[bytes]]:
    """As many flows as are read at once."""
    return (list(flow_ids[at : at + SET]) for at in range(0, len(flow_ids), SET))
