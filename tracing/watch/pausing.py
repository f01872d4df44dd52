"""Begins a maintenance, and ends one before its time. `lore` reads those that hold, a page declares them.

Flows that are wrong already are looked at when it begins, so that nobody is told of them for another hour; flows that
are paused are looked at when it was to end, or now where it ends sooner.
"""

from tracing.people import Maintenance
from tracing.watch.waking import Woken, bring_forward

# Served by expectation_wrong, which holds both.
_WRONG = (
    "verdict IN ('due', 'late', 'stuck', 'unknown') AND (%(environment)s = '' OR environment = %(environment)s)"
    " AND CASE WHEN %(type)s <> '' THEN type = %(type)s ELSE %(service)s IN (system, awaited_system) END"
)
_PAUSED = "verdict = 'paused'"
_AT = "%(at)s"


def begin_pause(pause: Maintenance, at_ns: int) -> Woken:
    """Declared at `at_ns` (our clock); it begins then or later."""
    pause.save()
    covered = {"type": pause.type, "service": pause.service, "environment": pause.environment}
    return bring_forward(_WRONG, _AT, {**covered, "at": max(at_ns, pause.from_ns)})


def end_pause(pause: Maintenance, at_ns: int) -> Woken:
    """Over at `at_ns` (our clock); one that has not begun by then is gone, one that is over stays as it was."""
    if pause.until_ns <= at_ns:
        return Woken(0)
    if pause.from_ns >= at_ns:
        pause.delete()
        return Woken(0)
    pause.until_ns = at_ns
    pause.save()
    return bring_forward(_PAUSED, _AT, {"at": at_ns})
