"""Reading a list in its index's order when the filters have no index: in growing windows, under a time limit.

A rare match among a million flows must not hold a page for seconds. So each query looks at a bounded stretch of the
index, and when the time is used up the answer says how far it came and where to go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import connection

from timeline.queries.clauses import Clauses, Conditions
from timeline.question import Position

WINDOWS = (5_000, 40_000, 200_000)  # rows looked at by the first queries; the last size repeats
TIME_LIMIT_S = 1.0
Row = tuple[Any, ...]


@dataclass(slots=True)
class Stretch:
    """Rows found in order. `cut_at`: the list goes on behind it, unread; None where all was read."""

    rows: list[Row]
    cut_at: Position | None = None


def read(
    clauses: Clauses, columns: str, after: Position | None, limit: int, seconds: float | None = None
) -> Stretch:
    """At most `limit` rows behind `after`, each beginning with activity and identity."""
    if not clauses.picky:
        return Stretch(_select(clauses, columns, _span(clauses, after, None), limit))
    rows: list[Row] = []
    ends_at = monotonic() + (TIME_LIMIT_S if seconds is None else seconds)
    for window in _sizes(clauses.costly):
        bound = _bound(clauses, after, window)
        rows += _select(clauses, columns, _span(clauses, after, bound) + clauses.picky, limit - len(rows))
        if bound is None or len(rows) >= limit:
            return Stretch(rows)
        after = bound
        if monotonic() > ends_at:
            return Stretch(rows, cut_at=bound)
    raise AssertionError("windows never end")


def _sizes(costly: bool) -> Iterator[int]:
    """How many rows to look at in turn: few at a time where each takes long, so that the time limit is kept."""
    sizes = WINDOWS[:1] if costly else WINDOWS
    yield from sizes
    while True:
        yield sizes[-1]


def _span(clauses: Clauses, after: Position | None, bound: Position | None) -> Conditions:
    """The stretch behind `after` down to `bound`, inclusive."""
    conditions = Conditions() + clauses.indexed
    if after is not None:
        conditions.add(f"(activity, {clauses.identity}) < (%s, %s)", after.activity, after.identity)
    if bound is not None:
        conditions.add(f"(activity, {clauses.identity}) >= (%s, %s)", bound.activity, bound.identity)
    return conditions


def _bound(clauses: Clauses, after: Position | None, window: int) -> Position | None:
    """The last place of a window; None where the list ends inside it. Read from the index alone."""
    found = _select(clauses, "", _span(clauses, after, None), 1, skip=window - 1)
    return Position(found[0][0], bytes(found[0][1])) if found else None


def _select(clauses: Clauses, columns: str, conditions: Conditions, limit: int, skip: int = 0) -> list[Row]:
    identity = clauses.identity
    wanted = f"activity, {identity}" + (f", {columns}" if columns else "")
    return rows_of(
        f"SELECT {wanted} FROM {clauses.table} {conditions.where}"
        f" ORDER BY activity DESC, {identity} DESC LIMIT %s OFFSET %s",
        [*conditions.values, limit, skip],
    )


def rows_of(sql: str, values: list[Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        rows: list[Row] = cursor.fetchall()
        return rows
