"""The flows of a problem: those that are wrong now, and those that were.

`problem_flow` says which; what they are and where they stand comes from the tables of flows and of requests, in a
fixed few queries. A flow that retention took is still told, by its id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection

from timeline import signs
from timeline.queries.windows import rows_of
from timeline.summaries import FLOW_COLUMNS, REQUEST_COLUMNS, FlowSummary, fold_request, from_row
from tracing.watch.customs import is_bad_end

REQUEST = 0

# The longest wrong first; those that no longer are, the latest first. A flow that was wrong twice is told twice.
_NOW = """
SELECT flow_id, kind, since_ns, until_ns FROM problem_flow WHERE problem_id = %s AND until_ns IS NULL
AND (since_ns, flow_id) > (%s, %s) ORDER BY since_ns, flow_id LIMIT %s
"""
_EARLIER = """
SELECT flow_id, kind, since_ns, until_ns FROM problem_flow WHERE problem_id = %s AND until_ns IS NOT NULL
AND (until_ns, flow_id) < (%s, %s) ORDER BY until_ns DESC, flow_id DESC LIMIT %s
"""
_COUNT = """
SELECT count(*) FILTER (WHERE until_ns IS NULL), count(*) FILTER (WHERE until_ns IS NOT NULL)
FROM problem_flow WHERE problem_id = %s
"""
_STRETCHES = """
SELECT since_ns, until_ns FROM problem_flow WHERE problem_id = %s ORDER BY since_ns DESC LIMIT %s
"""
_STANDING = """
SELECT flow_id, verdict, verdict_since_ns, step, system, since_ns, awaited_step, awaited_system, expected_ns, late_ns,
       evidence ->> 'end'
FROM expectation WHERE flow_id = ANY(%s)
"""
_BEFORE_ALL = (-(2**63), b"")
_AFTER_ALL = (2**63 - 1, b"\xff" * 17)


class FlowPlace(NamedTuple):
    """Where a page of a problem's flows begins."""

    time_ns: int
    identity: bytes

    def __str__(self) -> str:
        return f"{self.time_ns}.{self.identity.hex()}"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a flow is and what it waits for, as judged. None or empty is unknown."""

    verdict: str | None
    verdict_since_ns: int | None
    step: str | None
    system: str | None
    since_ns: int | None
    awaited_step: str
    awaited_system: str
    expected_ns: int | None
    late_ns: int | None
    end: str | None  # of an ended flow: good, bad, learned or closed

    @property
    def sign(self) -> signs.Sign | None:
        """Its verdict as shape, colour and word; None until judged."""
        if self.verdict is None:
            return None
        return signs.judged(self.verdict, self.ended_badly)

    @property
    def ended_badly(self) -> bool:
        return self.verdict == "ended" and is_bad_end(self.end, self.step or "")


@dataclass(frozen=True, slots=True)
class Affected:
    """One flow of a problem. `flow` is None where retention took it; `until_ns` is None while it is wrong."""

    identity: bytes
    kind: int
    since_ns: int
    until_ns: int | None
    flow: FlowSummary | None
    standing: Standing | None

    @property
    def wrong_ns(self) -> int | None:
        """How long it was wrong; None while it is."""
        return None if self.until_ns is None else self.until_ns - self.since_ns

    def as_json(self, base_url: str) -> dict[str, Any]:
        flow, at = self.flow, self.standing
        waits = at and (at.awaited_step or at.awaited_system)
        return {
            "kind": flow.kind if flow else None,
            "type": flow.type if flow else None,
            "key": flow.key if flow else None,
            "environment": flow.environment if flow else None,
            "title": flow.title if flow else self.identity.hex(),
            "url": base_url + flow.path if flow else None,
            "state": flow.standing if flow else None,
            "verdict": at.verdict if at else None,
            "waiting_for": {"step": at.awaited_step or None, "service": at.awaited_system or None}
            if at and waits
            else None,
            "since": str(self.since_ns),
            "until": None if self.until_ns is None else str(self.until_ns),
        }


def count(problem: bytes) -> tuple[int, int]:
    """How many flows are wrong in this way now, and how often one no longer is."""
    now, earlier = rows_of(_COUNT, [problem])[0]
    return int(now), int(earlier)


def stretches(problem: bytes, most: int = 20_000) -> list[tuple[int, int | None]]:
    """From when to when each flow was wrong in this way, the latest of them; None while it is."""
    return [(since, until) for since, until in rows_of(_STRETCHES, [problem, most])]


def page(
    problem: bytes, is_now: bool, after: FlowPlace | None, limit: int
) -> tuple[list[Affected], FlowPlace | None]:
    """A page of the flows that are wrong now, or of the others, and where the next begins."""
    begins = after or (_BEFORE_ALL if is_now else _AFTER_ALL)
    rows = rows_of(_NOW if is_now else _EARLIER, [problem, *begins, limit + 1])
    shown = rows[:limit]
    found = _told(shown)
    if len(rows) <= limit:
        return found, None
    last = shown[-1]
    return found, FlowPlace(last[2] if is_now else last[3], bytes(last[0]))


def _told(rows: Sequence[tuple[Any, ...]]) -> list[Affected]:
    requests = [bytes(row[0]) for row in rows if row[1] == REQUEST]
    others = [bytes(row[0]) for row in rows if row[1] != REQUEST]
    flows = _flows(others) | _requests(requests)
    standing = {bytes(row[0]): _standing(row) for row in rows_of(_STANDING, [others])} if others else {}
    return [
        Affected(bytes(row[0]), row[1], row[2], row[3], flows.get(bytes(row[0])), standing.get(bytes(row[0])))
        for row in rows
    ]


def _standing(row: Sequence[Any]) -> Standing:
    told = [*row[1:6], row[6] or "", row[7] or "", *row[8:11]]
    return Standing(*told)


def _flows(identities: list[bytes]) -> dict[bytes, FlowSummary]:
    if not identities:
        return {}
    rows = rows_of(f"SELECT {FLOW_COLUMNS} FROM flow WHERE flow_id = ANY(%s)", [identities])
    return {bytes(row[0]): from_row(row) for row in rows}


def _requests(identities: list[bytes]) -> dict[bytes, FlowSummary]:
    if not identities:
        return {}
    days: dict[bytes, list[Any]] = {}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {REQUEST_COLUMNS} FROM request WHERE trace_id = ANY(%s)", [identities])
        for row in cursor.fetchall():
            days.setdefault(bytes(row[0]), []).append(row)
    folded = {identity: fold_request(rows) for identity, rows in days.items()}
    return {identity: flow for identity, flow in folded.items() if flow is not None}
