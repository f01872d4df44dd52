"""Flows that say themselves that they failed, and told no error: their state is the only sign.

Only words of failure: an order that was cancelled ended badly for the shop, but nothing is broken. `failed` asks for them
beside the failures that records told; after a day they are history.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import LiteralString, NamedTuple

import psycopg

from tracing.lengths import DAY_NS
from tracing.watch.customs import FAILURES, plain
from tracing.watch.detectors import walking
from tracing.watch.finding import WARNING, Affected, Finding
from tracing.watch.titles import counted, moment

# Of flows that were heard those that ended badly, and those that are such a problem already.
_ENDED: LiteralString = """
WITH heard AS (
    SELECT unnest(%(heard)s::bytea[]) AS flow_id
    UNION
    SELECT w.flow_id FROM problem p JOIN problem_flow w USING (problem_id)
    WHERE p.state <> 'resolved' AND p.kind = 'failed' AND w.kind > 0 AND w.until_ns IS NULL
)
SELECT flow_id, kind, type, environment, step, coalesce(system, ''), verdict_since_ns
FROM heard JOIN expectation USING (flow_id)
WHERE verdict = 'ended' AND evidence ->> 'end' = 'bad' AND step IS NOT NULL AND verdict_since_ns > %(since)s
"""


class Ended(NamedTuple):
    flow_id: bytes
    kind: int
    type: str
    environment: str
    state: str
    system: str
    at_ns: int


def find(connection: psycopg.Connection, now_ns: int, named: Collection[bytes]) -> list[Finding]:
    """One for each type, system and state; `named` are flows whose errors have been told."""
    asked = {"heard": walking.heard(connection, "bad_ends", now_ns), "since": now_ns - DAY_NS}
    same: dict[tuple[str, ...], list[Ended]] = defaultdict(list)
    for row in connection.execute(_ENDED, asked):
        one = Ended(*row)
        if one.flow_id not in named and is_failure(one.state):
            same[one.type, one.environment, one.state, one.system].append(one)
    return [_finding(found) for found in same.values()]


def is_failure(state: str) -> bool:
    return plain(state) in FAILURES


def fingerprint(state: str, system: str) -> bytes:
    """12 bytes, as of an error."""
    return blake2b(f"end\0{state}\0{system}".encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _finding(same: Sequence[Ended]) -> Finding:
    same = sorted(same, key=lambda one: (one.at_ns, one.flow_id))
    first = same[0]
    return Finding(
        kind="failed",
        type=first.type,
        environment=first.environment,
        step=first.state,
        system=first.system,
        title=f"{counted(len(same), first.type)} ended as {first.state} in {first.system or 'no service'}",
        why=f"No record told an error. The first at {moment(first.at_ns)}.",
        severity=WARNING,
        since_ns=first.at_ns,
        last_ns=same[-1].at_ns,
        flows=[Affected(one.flow_id, one.kind, one.at_ns) for one in same],
        fingerprint=fingerprint(first.state, first.system),
        evidence={"end": first.state},
    )
