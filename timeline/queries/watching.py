"""When the watcher last judged: without that, a quiet page says nothing."""

from timeline.queries.windows import rows_of

JUDGE = "judge"


def judged_ns() -> int | None:
    """When a round of judging last ended, our clock; None where none ever did."""
    rows = rows_of("SELECT ended_ns FROM watch_round WHERE duty = %s", [JUDGE])
    return int(rows[0][0]) if rows else None
