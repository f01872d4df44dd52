"""Problems keep what they were about: frozen copies of their first, their worst and their latest flow, of one flow one.

Taken a while after the problem opened, so that the flow has told its story, and again when another is the worst or the
latest; once it is resolved, a last time. `tracing.snapshots.keeping` keeps them within a share of the room.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import psycopg

from tracing.clock import now_ns
from tracing.lengths import DAY_NS, MINUTE_NS
from tracing.shares import ROLES
from tracing.snapshots import copying, keeping
from tracing.snapshots.belonging import TooLarge
from tracing.snapshots.copying import Subject
from tracing.snapshots.later import Later
from tracing.watch.wording import flow_path

logger = logging.getLogger(__name__)

SETTLES_NS = 5 * MINUTE_NS
# The latest changes with each flow that joins: it is copied anew no more often.
AGAIN_NS = 30 * MINUTE_NS
AT_ONCE = 5

# Of problems that are told, whose copies are older than what they should show. The worst is wrong for the longest,
# those that are wrong now before those that were.
_WANTED = """
WITH told AS (
    SELECT problem_id, title, opened_ns, resolved_ns FROM problem
    WHERE severity >= 2 AND state <> 'forming' AND opened_ns < %(settled)s AND coalesce(resolved_ns, %(now)s) > %(recent)s
), ranked AS (
    SELECT told.*, f.flow_id, f.kind,
        row_number() OVER (PARTITION BY f.problem_id ORDER BY f.since_ns, f.flow_id) AS first,
        row_number() OVER (PARTITION BY f.problem_id ORDER BY f.since_ns DESC, f.flow_id) AS latest,
        row_number() OVER (PARTITION BY f.problem_id
            ORDER BY coalesce(f.until_ns, %(now)s) - f.since_ns DESC, f.until_ns IS NOT NULL, f.flow_id) AS worst
    FROM told JOIN problem_flow f USING (problem_id)
), wanted AS (
    SELECT problem_id, title, resolved_ns, flow_id, kind, role FROM ranked, LATERAL (
        VALUES ('first', first), ('worst', worst), ('latest', latest)) AS roles(role, place) WHERE place = 1
)
SELECT w.problem_id, w.title, w.flow_id, w.kind, w.role FROM wanted w
WHERE NOT EXISTS (SELECT FROM tracing_snapshot s
    WHERE s.problem_id = w.problem_id AND w.role = ANY(string_to_array(s.role, ' '))
    AND (s.flow_id = w.flow_id AND (w.resolved_ns IS NULL OR s.taken_ns >= w.resolved_ns) OR s.taken_ns > %(again)s))
ORDER BY w.problem_id, w.role LIMIT %(most)s
"""
_NAMES = "SELECT kind, type, key, environment FROM flow WHERE flow_id = %s"
_REQUEST = "SELECT min(root_name) FROM request WHERE trace_id = %s"
_BEFORE = """
SELECT id, flow_id, records, role FROM tracing_snapshot
WHERE problem_id = %s AND string_to_array(role, ' ') && string_to_array(%s, ' ')
"""
_LEFT = "UPDATE tracing_snapshot SET role = %s WHERE id = %s"


class Wanted(NamedTuple):
    """A copy to take. `role` is one of `ROLES`; of several, with spaces between them."""

    problem_id: bytes
    title: str
    flow_id: bytes
    kind: int
    role: str


class Pinning:
    """The duty; it remembers what could not be copied, so that it is not tried each time and others have their turn."""

    def __init__(self, environment: str, quota_bytes: int, days: int) -> None:
        self._environment = environment
        self._quota_bytes = quota_bytes
        self._days = days
        self._failed: dict[tuple[bytes, str, bytes], int] = {}

    def work(self, connection: psycopg.Connection) -> bool:
        """Copy a few; true where more are waiting. While something is forgotten it is for later."""
        with keeping.undisturbed(connection, wait=False) as is_free:
            return is_free and self._work(connection)

    def _work(self, connection: psycopg.Connection) -> bool:
        now = now_ns()
        asked: Mapping[str, int] = {
            "now": now, "settled": now - SETTLES_NS, "recent": now - DAY_NS, "again": now - AGAIN_NS,
            "most": len(ROLES) * (AT_ONCE + 1 + len(self._failed)),
        }  # fmt: skip
        self._failed = {key: at_ns for key, at_ns in self._failed.items() if at_ns > now - AGAIN_NS}
        found = [Wanted(*row) for row in connection.execute(_WANTED, asked).fetchall()]
        wanted = [
            one for one in _of_one_flow(found) if (one.problem_id, one.role, one.flow_id) not in self._failed
        ]
        for one in wanted[:AT_ONCE]:
            try:
                self._pin(connection, one)
            except (keeping.QuotaFull, TooLarge, Gone, Poorer) as why:
                self._failed[one.problem_id, one.role, one.flow_id] = now
                logger.info("The %s flow of a problem was not copied: %s", one.role, why)
            except Later as why:
                self._failed[one.problem_id, one.role, one.flow_id] = now - AGAIN_NS + MINUTE_NS
                logger.info("The %s flow of a problem is copied in a minute: %s", one.role, why)
        return len(wanted) > AT_ONCE

    def _pin(self, connection: psycopg.Connection, one: Wanted) -> None:
        path, title = self._named(connection, one)
        subject = Subject(requests=(one.flow_id,)) if one.kind == 0 else Subject(flows=(one.flow_id,))
        about = keeping.About(
            subject="flow", title=title, path=path, flow_id=one.flow_id, problem_id=one.problem_id, role=one.role,
            expires_ns=now_ns() + self._days * DAY_NS, reason=one.title,
        )  # fmt: skip
        taken_ns = now_ns()
        copy = copying.take(connection, subject, taken_ns)
        before = connection.execute(_BEFORE, (one.problem_id, one.role)).fetchall()
        for _, flow_id, records, _ in before:
            if copy.records < (records if flow_id == one.flow_id else min(records, 1)):
                raise Poorer(f"retention left {copy.records} records, and the copy there is has {records}")
        keeping.keep(connection, copy, about, taken_ns, self._quota_bytes)
        for snapshot_id, _, _, role in before:
            if left := [each for each in role.split() if each not in one.role.split()]:
                connection.execute(_LEFT, (" ".join(left), snapshot_id))
            else:
                keeping.drop(connection, [snapshot_id])

    def _named(self, connection: psycopg.Connection, one: Wanted) -> tuple[str, str]:
        """The path of the flow's page, and its title. Raises `Gone` where nothing of it is left."""
        if one.kind == 0:
            row = connection.execute(_REQUEST, (one.flow_id,)).fetchone()
            key = one.flow_id.hex()
            return f"/flow/request/trace/{key}", row[0] if row and row[0] else f"trace {key}"
        row = connection.execute(_NAMES, (one.flow_id,)).fetchone()
        if row is None:
            raise Gone("nothing of it is left")
        kind, type, key, environment = row
        return flow_path(
            kind, type, key, "" if environment == self._environment else environment
        ), f"{type} {key}"


def _of_one_flow(found: Iterable[Wanted]) -> list[Wanted]:
    """One copy for all that a flow is to a problem."""
    roles: dict[Wanted, list[str]] = {}
    for one in found:
        roles.setdefault(one._replace(role=""), []).append(one.role)
    return [one._replace(role=" ".join(sorted(told, key=ROLES.index))) for one, told in roles.items()]


class Gone(Exception):
    """The flow is not stored any more."""


class Poorer(Exception):
    """What is left to copy is less than what was copied before."""
