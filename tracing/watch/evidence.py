"""Why a flow is judged as it is, in words: what it waits for, and the numbers behind that (pure).

Flips keep the sentence as it was at their moment, pages make it anew for each reader. Names stand between backticks,
which pages and channels turn into code. Keys of `evidence` are those of the column `expectation.evidence`, and more that
a caller may add: `by_ns` (until when it was said or usual), `type`, `quiet`, `ended` (the state that ended it), `end`
(good, bad, learned or closed).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from tracing.lengths import SECOND_NS, spoken
from tracing.watch.customs import is_bad_end
from tracing.watch.titles import plural

Evidence = Mapping[str, Any]
MOST_NEEDED = 299  # for p99 (`survival.LEVELS`)
GREY = "too few samples to page anybody"
# How a promise is called by whoever made it.
SAID = {"deadline": "flow.deadline", "step": "flow.expect", "retry": "flow.next_attempt_at"}


def why(
    step: str,
    system: str,
    since_ns: int,
    now_ns: int,
    source: str,
    reason: str,
    evidence: Evidence,
    zone: tzinfo = UTC,
) -> str:
    """One to four sentences.

    `step` and `system` are what is awaited, empty where anything will do; `source` and `reason` are those of an
    expectation, empty where nothing is expected. A flow that ended has the reason `ended` and the step it ended with.
    """
    behind = known(step, system, since_ns, now_ns, source, reason, evidence, zone)
    if _over(step, reason, evidence):
        return behind
    told = [paused(evidence, now_ns, zone), waiting(step, system, since_ns, now_ns, source, reason), behind]
    return " ".join(part for part in told if part)


def known(
    step: str,
    system: str,
    since_ns: int,
    now_ns: int,
    source: str,
    reason: str,
    evidence: Evidence,
    zone: tzinfo = UTC,
) -> str:
    """The same without what is awaited and without maintenance: how it is known, and whether we were blind."""
    if said := _over(step, reason, evidence):
        return said
    told = [_known(step, source, reason, evidence, now_ns, zone, max(0, now_ns - since_ns))]
    told += [_learning(evidence), _blind(evidence, source, now_ns, zone)]
    return " ".join(part for part in told if part)


def clock(time_ns: int, now_ns: int, zone: tzinfo = UTC) -> str:
    """`15:00 UTC` on the same day, `21 Nov 15:00 UTC` on another; where the zone is the reader's it is not named."""
    try:
        time = datetime.fromtimestamp(time_ns // SECOND_NS, zone)
        now = datetime.fromtimestamp(now_ns // SECOND_NS, zone)
    except (OverflowError, ValueError, OSError):
        return f"{time_ns} ns"
    day = "" if time.date() == now.date() else f"{time.day} {time:%b} "
    year = "" if time.year == now.year else f"{time.year} "
    return f"{day}{year}{time:%H:%M}{' UTC' if zone is UTC else ''}"


def percent(share: float) -> str:
    """`97 %`, `99.8 %`; what is not all is never rounded to it."""
    if share >= 1:
        return "All"
    places = 0 if share < 0.995 else 1 if share < 0.9995 else 2
    return f"{min(share * 100, 99.99):.{places}f} %"


def _over(step: str, reason: str, evidence: Evidence) -> str:
    closed = evidence.get("closed")
    if closed:
        return f"Closed by {closed.get('name') or 'somebody'}: {closed.get('reason') or 'no reason told'}"
    ended = evidence.get("ended") or (step if reason == "ended" else "")
    how = evidence.get("end")
    told = "Ended badly" if is_bad_end(how, ended) else "Ended"
    if ended:
        return f"{told}: {ended}{', where most stay' if how == 'learned' else ''}"
    return told if reason == "ended" else ""


def paused(evidence: Evidence, now_ns: int, zone: tzinfo = UTC) -> str:
    """Which maintenance holds the judgement back; empty where none does."""
    told = evidence.get("paused_by")
    if not told:
        return ""
    whose = told.get("service") or told.get("type") or "it"
    until = f" until {clock(told['until_ns'], now_ns, zone)}" if told.get("until_ns") else ""
    name = f" ({told['name']})" if told.get("name") else ""
    return f"Maintenance of {whose}{until}: {told.get('reason') or 'no reason told'}{name}."


def waiting(step: str, system: str, since_ns: int, now_ns: int, source: str, reason: str) -> str:
    """What is awaited, from whom and how long already; empty where the sentence of its evidence says that."""
    length_ns = now_ns - since_ns
    if not source or reason in ("retry", "deadline") or source == "heartbeat":
        return ""
    long = f" for {spoken(length_ns)}" if length_ns >= SECOND_NS else ""
    whom = f" from {_name(system)}" if system else ""
    if not step:
        return f"Nothing came{whom}{long}." if long else f"Waiting for anything{whom}."
    return f"Waiting for {_name(step)}{whom}{long}."


def _known(
    step: str, source: str, reason: str, evidence: Evidence, now_ns: int, zone: tzinfo, length_ns: int
) -> str:
    if source == "stated":
        return _stated(step, reason, evidence, now_ns, zone)
    if source == "rule":
        words = str(evidence.get("rule") or "").rstrip(".")
        return f"Rule: {words}." if words else "A rule says so."
    if source == "heartbeat":
        return _heartbeat(evidence, length_ns)
    return _learned(source, evidence) if source in ("learned", "type") else ""


def _stated(step: str, reason: str, evidence: Evidence, now_ns: int, zone: tzinfo) -> str:
    by_ns = evidence.get("by_ns")
    by = f" by {clock(by_ns, now_ns, zone)}" if by_ns else ""
    is_past = by_ns is not None and by_ns < now_ns
    source = f" ({evidence.get('said') or SAID.get(reason, 'stated')})"
    if reason == "retry":
        operation = _name(evidence.get("operation") or step or "it")
        return f"It said it would try {operation} again{by}{_attempt(evidence)}{'; nothing came' if is_past else ''}."
    past = f", {spoken(now_ns - by_ns)} ago" if by_ns is not None and is_past else ""
    if reason == "deadline":
        return f"It said it should be done{by}{source}{past}."
    return f"It said {_name(step) if step else 'the next step'} would come{by}{source}{past}."


def _attempt(evidence: Evidence) -> str:
    attempt, most = evidence.get("attempt"), evidence.get("most")
    if attempt is None:
        return ""
    return f" (attempt {attempt} of {most})" if most else f" (attempt {attempt})"


def _heartbeat(evidence: Evidence, length_ns: int) -> str:
    period_ns = evidence.get("period_ns")
    if not period_ns:
        return "It came evenly; the next is missing."
    missing = length_ns // period_ns
    beats = "1 beat is missing" if missing == 1 else f"{missing:,} beats are missing"
    return f"Came every {spoken(period_ns)}{f'; {beats}' if missing else ''}."


def _learned(source: str, evidence: Evidence) -> str:
    told = _passed(source, evidence)
    is_grey = evidence.get("quiet") or evidence.get("level") == "p90" or source == "type"
    of = " of the type as a whole" if source == "type" else ""
    return f"{told}Learned{of}{f'; {GREY}' if is_grey else ''}."


def _passed(source: str, evidence: Evidence) -> str:
    passed, within_ns, share = (evidence.get(key) for key in ("passed", "within_ns", "share"))
    if not passed or within_ns is None:
        return ""
    flows = plural(str(evidence.get("type") or "flow"))
    most = f"{percent(share)} of {passed:,} {flows}" if share is not None else f"{passed:,} {flows}"
    point = "any step" if source == "type" else "this point"
    return f"{most} passed {point} within {spoken(within_ns)}. "


def _learning(evidence: Evidence) -> str:
    if (stays := evidence.get("stays")) is not None:
        all = "all" if stays >= 1 else f"{percent(stays)} of all"
        return f"No deadline: {all} stay here for good, and nobody has said whether they may."
    told = evidence.get("learning")
    return f"No deadline yet: {learning(told['seen'], told['needed'])}." if told else ""


def learning(seen: int, needed: int) -> str:
    """`learning, 12 of 29`. Beyond the largest number that any quantile needs, what is missing is time and not flows."""
    if needed > MOST_NEEDED:
        return f"learning: of {seen:,} too few were watched for long enough"
    return f"learning, {min(seen, needed):,} of {needed:,}"


def _blind(evidence: Evidence, source: str, now_ns: int, zone: tzinfo) -> str:
    stretches = evidence.get("blind") or []
    if stretches:
        told = [_stretch(from_ns, to_ns, now_ns, zone) for from_ns, to_ns in stretches[:3]]
        more = f" and {len(stretches) - 3} more times" if len(stretches) > 3 else ""
        return f"We were blind {' and '.join(told)}{more}: what came then, we may not know."
    return "No blind period." if source in ("learned", "type", "heartbeat") else ""


def _stretch(from_ns: int, to_ns: int | None, now_ns: int, zone: tzinfo) -> str:
    begun = clock(from_ns, now_ns, zone).removesuffix(" UTC")
    return f"from {begun} to {clock(to_ns, now_ns, zone)}" if to_ns else f"since {begun}"


def _name(text: str) -> str:
    """What a sender calls it, between backticks; none of its own can end them."""
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"
