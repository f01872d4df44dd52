"""Frozen copies in the database: taken within a quota, read back, let go when their time is over.

Copies that problems pin by themselves make room for what people keep, the oldest first. `copying` takes them,
`tracing.shares` has the tables.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import orjson
import psycopg

from tracing.clock import now_ns
from tracing.snapshots import copying
from tracing.snapshots.copying import Copy, Part, Subject

# Of the advisory locks this one guards the quota: "TLQU".
QUOTA_LOCK = 0x544C5155
# This one is shared by whoever copies something, and belongs to one while something is forgotten: "TLFG".
FORGET_LOCK = 0x544C4647
# Copies that nobody asked for take at most this share of the room.
AUTOMATIC_SHARE = 0.5

_INSERT = """
INSERT INTO tracing_snapshot (subject, title, path, flow_id, problem_id, role, taken_ns, expires_ns, pinned, with_values,
    records, size, reason, name)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id
"""
_PART = 'INSERT INTO tracing_snapshotpart (snapshot_id, "table", place, columns, data) VALUES (%s, %s, %s, %s, %s)'
_MARKS = "INSERT INTO tracing_snapshotmark (snapshot_id, mark) SELECT %s, unnest(%s::bytea[])"
_PARTS = 'SELECT "table", columns, data FROM tracing_snapshotpart WHERE snapshot_id = %s ORDER BY id'
_USED = """
SELECT coalesce(sum(size), 0)::bigint, coalesce(sum(size) FILTER (WHERE role <> ''), 0)::bigint, count(*) FROM tracing_snapshot
"""
_AUTOMATIC = "SELECT id, size FROM tracing_snapshot WHERE role <> '' ORDER BY taken_ns, id"
# What nobody needs any more: its time is over, or it was behind links that are.
_OVER = """
SELECT id FROM tracing_snapshot s WHERE expires_ns < %(now)s OR NOT pinned AND role = '' AND taken_ns < %(now)s - 60000000000
AND NOT EXISTS (SELECT FROM tracing_share h WHERE h.snapshot_id = s.id AND h.revoked_ns IS NULL
    AND (h.expires_ns IS NULL OR h.expires_ns >= %(now)s))
"""


class Connection(Protocol):
    """Django's connection, or psycopg's."""

    def cursor(self) -> Any: ...


class Usage(NamedTuple):
    """Bytes of all copies, bytes of those that problems pinned, and how many copies there are."""

    used: int
    of_problems: int
    copies: int


class QuotaFull(Exception):
    """There is no room; `sentence` says how much is there and what to do."""

    def __init__(self, size: int, used: int, quota: int) -> None:
        self.sentence = (
            f"There is no room for a frozen copy of {megabytes(size)}: {megabytes(used)} of {megabytes(quota)} are taken."
            " Let some go under Settings → Shares, raise THREADLINE_SNAPSHOT_MB, or share the view live."
        )
        super().__init__(self.sentence)


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a copy beside its rows; see `tracing.shares.Snapshot`."""

    subject: str  # flow, record, problem, comparison or file
    title: str
    path: str
    flow_id: bytes | None = None
    problem_id: bytes | None = None
    role: str = ""
    expires_ns: int | None = None
    pinned: bool = False
    with_values: bool = True
    reason: str = ""
    name: str = ""


@contextmanager
def undisturbed(connection: psycopg.Connection, *, wait: bool = True) -> Iterator[bool]:
    """Nothing is forgotten meanwhile, so what is read in it may be kept, its name too. False where one need not wait for that.

    In autocommit, and never by two sessions within each other: whoever forgets stands between them in the queue.
    """
    how = "pg_advisory_lock_shared" if wait else "pg_try_advisory_lock_shared"
    row = connection.execute(f"SELECT {how}(%s)", (FORGET_LOCK,)).fetchone()
    is_held = wait or bool(row and row[0])
    try:
        yield is_held
    finally:
        if is_held and not connection.closed:
            connection.execute("SELECT pg_advisory_unlock_shared(%s)", (FORGET_LOCK,))


@contextmanager
def forgetting(connection: psycopg.Connection) -> Iterator[None]:
    """Until it ends nobody is `undisturbed`: copies that were begun are there, others have not begun. In autocommit."""
    connection.execute("SELECT pg_advisory_lock(%s)", (FORGET_LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (FORGET_LOCK,))


def freeze(connection: psycopg.Connection, subject: Subject, about: About, quota_bytes: int) -> int:
    """Take a copy and keep it, `undisturbed`; its id. In autocommit. Raises `QuotaFull` and what `copying.take` raises."""
    taken_ns = now_ns()
    copy = copying.take(connection, subject, taken_ns, values=about.with_values)
    return keep(connection, copy, about, taken_ns, quota_bytes)


def keep(connection: psycopg.Connection, copy: Copy, about: About, taken_ns: int, quota_bytes: int) -> int:
    """Keep a copy that was taken; its id. In autocommit. Raises `QuotaFull`."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (QUOTA_LOCK,))
        _make_room(connection, copy.size, quota_bytes, automatic=bool(about.role))
        return _insert(connection, copy, about, taken_ns)


def _insert(connection: psycopg.Connection, copy: Copy, about: About, taken_ns: int) -> int:
    row = connection.execute(
        _INSERT,
        (
            about.subject,
            about.title[:300],
            about.path,
            about.flow_id,
            about.problem_id,
            about.role,
            taken_ns,
            about.expires_ns,
            about.pinned,
            about.with_values,
            copy.records,
            copy.size,
            about.reason[:300],
            about.name[:100],
        ),
    ).fetchone()
    assert row is not None
    snapshot_id = int(row[0])
    insert_parts(connection, snapshot_id, copy.parts)
    connection.execute(_MARKS, (snapshot_id, sorted(copy.marks)))
    return snapshot_id


def insert_parts(connection: psycopg.Connection, snapshot_id: int, parts: Sequence[Part]) -> None:
    """Store the rows of a copy that has none, in the order given; in the caller's transaction."""
    rows = [
        (snapshot_id, part.table, place, orjson.dumps(part.columns).decode(), part.data)
        for place, part in enumerate(parts)
    ]
    connection.cursor().executemany(_PART, rows)


def replace_parts(
    connection: psycopg.Connection, snapshot_id: int, parts: Sequence[Part], records: int
) -> None:
    """Other rows for a copy, in the caller's transaction; what is laid out of it is laid out anew."""
    connection.execute("DELETE FROM tracing_snapshotpart WHERE snapshot_id = %s", (snapshot_id,))
    insert_parts(connection, snapshot_id, parts)
    size = sum(len(part.data) for part in parts)
    connection.execute(
        "UPDATE tracing_snapshot SET size = %s, records = %s WHERE id = %s", (size, records, snapshot_id)
    )
    _unstage(connection, [snapshot_id])


def _make_room(connection: psycopg.Connection, size: int, quota: int, *, automatic: bool) -> None:
    used, of_problems, _ = usage(connection)
    over = used + size - quota
    if automatic:
        over = max(over, of_problems + size - int(quota * AUTOMATIC_SHARE))
    gone: list[int] = []
    for snapshot_id, freed in connection.execute(_AUTOMATIC).fetchall():
        if over <= 0:
            break
        gone.append(snapshot_id)
        over -= freed
    if over > 0:
        raise QuotaFull(size, used, quota)
    drop(connection, gone)


def usage(connection: Connection) -> Usage:
    """How much room copies take."""
    with connection.cursor() as cursor:
        cursor.execute(_USED)
        return Usage(*cursor.fetchone())


def parts(connection: psycopg.Connection, snapshot_id: int) -> Iterator[Part]:
    """The rows of a copy, table by table."""
    for table, columns, data in connection.execute(_PARTS, (snapshot_id,)).fetchall():
        yield Part(table, tuple(columns), data)


def stage_name(snapshot_id: int) -> str:
    """What a frozen copy is called where it is laid out for pages (`staging.staged`)."""
    return f"snapshot {snapshot_id}"


def drop(connection: psycopg.Connection, ids: Sequence[int]) -> None:
    """Let copies go, and what is laid out of them."""
    if not ids:
        return
    with connection.transaction():
        for statement in (
            "UPDATE tracing_share SET snapshot_id = NULL WHERE snapshot_id = ANY(%s)",
            "DELETE FROM tracing_snapshotpart WHERE snapshot_id = ANY(%s)",
            "DELETE FROM tracing_snapshotmark WHERE snapshot_id = ANY(%s)",
            "DELETE FROM tracing_snapshot WHERE id = ANY(%s)",
        ):
            connection.execute(statement, (list(ids),))
        _unstage(connection, ids)


def _unstage(connection: psycopg.Connection, ids: Sequence[int]) -> None:
    """Nobody finds from here on what was laid out of these; the rows are cleared by who evicts."""
    connection.execute(
        "UPDATE stage.staged SET used_ns = 0, name = name || ' gone ' || stage_id WHERE name = ANY(%s)",
        ([stage_name(one) for one in ids],),
    )


def drop_over(connection: psycopg.Connection) -> int:
    """Let go what nobody needs any more; how many. In autocommit."""
    ids = [row[0] for row in connection.execute(_OVER, {"now": now_ns()}).fetchall()]
    drop(connection, ids)
    return len(ids)


def megabytes(size: int) -> str:
    """A size in bytes as people read it, in units of 2^20 bytes: 1,234.5 MB."""
    return f"{size / 2**20:,.1f} MB"
