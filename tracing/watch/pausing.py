"""Ends a maintenance before its time. `lore` reads those that hold, a page declares them.

Flows that are paused are looked at when their maintenance was to end; where it ends sooner, they are looked at now.
"""

from django.db import connection, transaction

from tracing.people import Maintenance

# expectation_wrong holds the paused ones.
_WAKE = "UPDATE expectation SET looks_ns = %s WHERE verdict = 'paused' AND looks_ns > %s"


def end_pause(pause: Maintenance, at_ns: int) -> None:
    """Over at `at_ns` (our clock); one that has not begun by then is gone, one that is over stays as it was."""
    if pause.until_ns <= at_ns:
        return
    with transaction.atomic():
        if pause.from_ns >= at_ns:
            pause.delete()
            return
        pause.until_ns = at_ns
        pause.save()
        with connection.cursor() as cursor:
            cursor.execute(_WAKE, [at_ns, at_ns])
