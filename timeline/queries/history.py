"""What became of a problem: its flips, the messages sent about it and people's notes, in one order of time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from timeline import signs
from timeline.problem import Problem
from timeline.queries.windows import rows_of
from timeline.signs import Sign

MOST = 300  # of each sort, the latest

_FLIPS = """
SELECT at_ns, before, after, sentence FROM flip WHERE problem_id = %s ORDER BY at_ns DESC, judged_ns DESC LIMIT %s
"""
_MESSAGES = """
SELECT m.at_ns, m.phase, m.state, m.error, m.attempts, m.doubtful, c.label
FROM message m LEFT JOIN tracing_channel c ON c.id = m.channel_id
WHERE m.problem_id = %s ORDER BY m.at_ns DESC, m.message_id LIMIT %s
"""
_NOTES = "SELECT at_ns, text, name, id FROM tracing_note WHERE problem_id = %s ORDER BY at_ns DESC, id DESC LIMIT %s"

_MESSAGE = {
    "sent": Sign("✉", "ok", "sent"),
    "failed": Sign("✕", "bad", "failed"),
    "dropped": Sign("◌", "off", "not sent"),
    "waiting": Sign("◌", "open", "waiting"),
    "trying": Sign("◌", "open", "being sent"),
}
_NOTE = Sign("✎", "off", "note")
_FLIP = Sign("◇", "off", "flip")
# Turns that are no state by themselves.
_TURNS = {"worse": Sign("▲", "stuck", "worse"), "reopened": Sign("■", "bad", "open again")}
_STATE_AFTER = {"reopened": "open"}
# What a turn is called whose sentence says what is so, not what happened. Muted: by an older word, as it opened.
_HAPPENED = {
    "open": "Opened", "reopened": "Opened again", "worse": "Became stuck", "muted": "Opened, muted",
    "acknowledged": "Acknowledged", "resolved": "Resolved",
}  # fmt: skip
# Sentences that begin with what happened: `Acknowledged by Ann: asking the carrier`.
_SAYS_IT = ("Acknowledged", "Muted", "Open again", "No longer muted", "Resolved")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `what` is flip, notification or note; `after` is the state that a flip led to, else empty.

    `happened` is a flip in a few words (`Opened`, `Acknowledged by Ann`), `rest` what its text says besides.
    """

    at_ns: int
    what: str
    sign: Sign
    text: str
    name: str = ""
    after: str = ""
    happened: str = ""
    rest: str = ""
    number: int = 0  # of a note


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch in one state; `until_ns` of the last one is None while it holds."""

    state: str
    from_ns: int
    until_ns: int | None


def entries(problem: Problem) -> list[Entry]:
    """Oldest first. Where the watcher wrote no flip of its opening, the row itself says when that was."""
    told = [_flip(row) for row in rows_of(_FLIPS, [problem.identity, MOST])]
    if not any(entry.after for entry in told):
        told.append(
            Entry(
                problem.opened_ns,
                "flip",
                signs.PROBLEM_STATE["open"],
                "Opened.",
                after="open",
                happened="Opened",
            )
        )
    told += [_message(row) for row in rows_of(_MESSAGES, [problem.identity, MOST])]
    told += [
        Entry(row[0], "note", _NOTE, row[1], row[2], number=row[3])
        for row in rows_of(_NOTES, [problem.identity, MOST])
    ]
    return sorted(told, key=lambda entry: entry.at_ns)


def bands(problem: Problem, told: Sequence[Entry]) -> list[Band]:
    """The states it was in, in order; the last is the one it is in now."""
    flips = [replace(entry, after=_STATE_AFTER.get(entry.after, entry.after)) for entry in told]
    flips = [entry for entry in flips if entry.after in signs.PROBLEM_STATE]
    found: list[Band] = []
    for entry in flips:
        if found and found[-1].state == entry.after:
            continue
        if found:
            found[-1] = Band(found[-1].state, found[-1].from_ns, entry.at_ns)
        found.append(Band(entry.after, entry.at_ns, None))
    if not found:
        return [Band(problem.state, problem.opened_ns, problem.resolved_ns)]
    if found[-1].state != problem.state:
        # Its flip is not among the latest that were read.
        found[-1] = Band(problem.state, found[-1].from_ns, None)
    return found


def _flip(row: tuple[int, str | None, str, str]) -> Entry:
    at_ns, before, after, sentence = row
    sign = _TURNS.get(after) or signs.PROBLEM_STATE.get(after) or _FLIP
    text = sentence or (f"{before} → {after}" if before else after)
    happened, rest = _happened(before, after, sentence)
    return Entry(at_ns, "flip", sign, text, after=after, happened=happened, rest=rest)


def _happened(before: str | None, after: str, sentence: str) -> tuple[str, str]:
    head, colon, rest = sentence.partition(": ")
    says_it = colon and head.startswith(_SAYS_IT) and after != "worse"
    if says_it and (after == "resolved" or before not in ("forming", "resolved")):
        return head, rest
    return _HAPPENED.get(after, after.capitalize()), sentence


def _message(row: tuple[int, str, str, str, int, bool, str | None]) -> Entry:
    at_ns, phase, state, error, attempts, doubtful, label = row
    sign = _MESSAGE.get(state, _FLIP)
    parts = [f"{label or 'a channel that was removed'}: {sign.word} ({phase})"]
    if attempts > 1:
        parts.append(f"{attempts} tries")
    if doubtful:
        parts.append("an earlier try may have arrived")
    if error:
        parts.append(error)
    return Entry(at_ns, "notification", sign, "; ".join(parts))
