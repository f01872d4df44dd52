"""The stage: a copy laid out in tables of its own, which pages read as if they were the real ones.

Each row says of which stage it is; views of the schema `stage` show those of one (`migrations/_stage`). Who reads sets the
stage and looks into that schema alone (`timeline.staged`): what was not copied is not there. What nobody looks at is
evicted; it can be staged again from the copy.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tracing.clock import now_ns
from tracing.lengths import HOUR_NS, MINUTE_NS
from tracing.snapshots.copying import ROWS, Part
from tracing.snapshots.later import Later

KEPT_NS = HOUR_NS  # after somebody looked last
LIVE = "live "  # a name that begins so is of a view that moves: the next look stages it anew
LIVE_NS = 3 * MINUTE_NS
MOST_ROWS = 3_000_000  # of all stages
# Of the advisory locks this family guards the making of stages: "TLST".
LAYING_LOCK = 0x544C5354
SLOW = "What this link shows is large and is just being laid out for somebody else. Try again in a moment."

_FIND = "SELECT stage_id, used_ns FROM stage.staged WHERE name = %s"
_TOUCH = "UPDATE stage.staged SET used_ns = %s WHERE stage_id = %s AND used_ns < %s"
_NEW = "INSERT INTO stage.staged (name, used_ns, rows) VALUES (%s, %s, 0) RETURNING stage_id"
_OLD = """
SELECT stage_id FROM (
    SELECT *, sum(rows) OVER (ORDER BY used_ns DESC, stage_id DESC) AS newer FROM stage.staged
) AS one WHERE used_ns < CASE WHEN starts_with(name, %s) THEN %s ELSE %s END OR newer > %s AND used_ns < %s
"""


def staged(connection: psycopg.Connection, name: str, copy: Callable[[], Iterable[Part]]) -> int:
    """The stage of this name; it is made of the copy where there is none. `connection` is in autocommit.

    However many open a link at once, one copies and lays out what it shows. The others wait for that, and raise `Later`
    where it takes longer than they wait for a lock.
    """
    found = known(connection, name)
    if found is not None:
        return found
    with _alone(connection, name):
        found = known(connection, name)
        if found is not None:
            return found
        parts = list(copy())
        with connection.transaction():
            return _lay_out(connection, name, parts)


@contextmanager
def _alone(connection: psycopg.Connection, name: str) -> Iterator[None]:
    """Nobody else lays out this name. Of the session: a copy is taken in a transaction of its own.

    Whoever is `keeping.undisturbed` is so before this, never within it: forgetting would stand between the two.
    """
    try:
        connection.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (LAYING_LOCK, name))
    except psycopg.errors.LockNotAvailable:
        raise Later(SLOW) from None
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s, hashtext(%s))", (LAYING_LOCK, name))


def known(connection: psycopg.Connection, name: str) -> int | None:
    """The stage of this name, where there is one."""
    row = connection.execute(_FIND, (name,)).fetchone()
    if row is None:
        return None
    now = now_ns()
    if row[1] < now - MINUTE_NS:
        connection.execute(_TOUCH, (now, row[0], now - MINUTE_NS))
    return int(row[0])


def _lay_out(connection: psycopg.Connection, name: str, parts: Iterable[Part]) -> int:
    row = connection.execute(_NEW, (name, now_ns())).fetchone()
    assert row is not None
    stage_id = int(row[0])
    choose(connection, stage_id)
    rows = 0
    by_table: dict[str, list[Part]] = {}
    for part in parts:
        by_table.setdefault(part.table, []).append(part)
    for table, told in by_table.items():
        if table in ROWS:
            rows += _fill(connection, table, told)
    connection.execute("UPDATE stage.staged SET rows = %s WHERE stage_id = %s", (rows, stage_id))
    return stage_id


def choose(connection: psycopg.Connection, stage_id: int) -> None:
    """Until the transaction ends, the views of the schema `stage` show this one, and what is written there is its."""
    connection.execute("SELECT set_config('threadline.stage', %s, true)", (str(stage_id),))


def _fill(connection: psycopg.Connection, table: str, parts: list[Part]) -> int:
    columns = sql.SQL(", ").join(map(sql.Identifier, parts[0].columns))
    statement = sql.SQL("COPY stage.{} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(f"{table}_rows"), columns
    )
    with connection.cursor() as cursor:
        with cursor.copy(statement) as stream:
            for part in parts:
                stream.write(zlib.decompress(part.data))
        return cursor.rowcount


def leave_live(connection: psycopg.Connection) -> None:
    """Views that move are laid out anew at the next look; what was is cleared by `evict`."""
    connection.execute(
        "UPDATE stage.staged SET used_ns = 0, name = name || ' gone ' || stage_id WHERE starts_with(name, %s) AND used_ns > 0",
        (LIVE,),
    )


def evict(connection: psycopg.Connection) -> int:
    """Clear what nobody looked at for a while, and the oldest beyond the room; how many stages. In autocommit."""
    now = now_ns()
    asked = (LIVE, now - LIVE_NS, now - KEPT_NS, MOST_ROWS, now - 2 * MINUTE_NS)
    old = [row[0] for row in connection.execute(_OLD, asked).fetchall()]
    for stage_id in old:
        clear(connection, stage_id)
    return len(old)


def clear(connection: psycopg.Connection, stage_id: int) -> None:
    with connection.transaction():
        connection.execute("DELETE FROM stage.staged WHERE stage_id = %s", (stage_id,))
        for table in ROWS:
            connection.execute(
                sql.SQL("DELETE FROM stage.{} WHERE stage_id = %s").format(sql.Identifier(f"{table}_rows")),
                (stage_id,),
            )
