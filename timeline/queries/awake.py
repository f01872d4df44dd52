"""When receivers were there: rows of `awake` around a stretch of time, for `layout.blind`."""

from django.db import connection

# The last that ended before the stretch too: a hole may have begun before it.
_AWAKE = """
SELECT since_ns, until_ns FROM awake WHERE until_ns >= %(start)s
UNION ALL
(SELECT since_ns, until_ns FROM awake WHERE until_ns < %(start)s ORDER BY until_ns DESC LIMIT 1)
"""


def read_awake(start_ns: int) -> list[tuple[int, int]]:
    """Stretches in Unix nanoseconds of our clock, in no order."""
    with connection.cursor() as cursor:
        cursor.execute(_AWAKE, {"start": start_ns})
        return [(since_ns, until_ns) for since_ns, until_ns in cursor.fetchall()]
