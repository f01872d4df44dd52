"""Whether a day was being thinned while a copy was taken: between two of its tables' halves nobody finds what is kept.

Partitions come and go whatever a transaction looks at, so `copying` looks here before and after. `tracing.thinning`
exchanges them.
"""

from collections.abc import Collection, Mapping

import psycopg

from tracing.snapshots.later import Later

SENTENCE = (
    "A day of these records is being thinned just now, and a copy would lack some. Try again in a moment."
)

_THINNED = "SELECT day, thinned_ns, exchanging FROM day WHERE exchanging OR thinned_ns IS NOT NULL"

Exchanges = Mapping[int, tuple[int | None, bool]]  # by day: when it was thinned last, and whether it is now


def read(connection: psycopg.Connection) -> Exchanges:
    """Of each day that is or was thinned; as of the caller's transaction, or as of now outside one."""
    rows = connection.execute(_THINNED).fetchall()
    return {day: (thinned_ns, exchanging) for day, thinned_ns, exchanging in rows}


def demand_none(before: Exchanges, after: Exchanges, days: Collection[int]) -> None:
    """Raises `Later` where one of these days was thinned between the two, or any day where none is known.

    A day on either side counts too: a trace may go on where nothing of it is found.
    """
    moved = {day for day in before.keys() | after.keys() if before.get(day) != after.get(day)}
    moved |= {day for day, (_, is_on) in after.items() if is_on}
    if any(not days or min(days) - 1 <= day <= max(days) + 1 for day in moved):
        raise Later(SENTENCE)
