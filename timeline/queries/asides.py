"""What people and the watcher said about a flow, as rows of its timeline, and what should come next.

Turns of the verdict, messages about the flow and its problems, notes; a ghost for what is awaited and for each
announced try that has not come. `layout.asides` hangs them between the records.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from typing import Any, NamedTuple
from urllib.parse import quote

from django.db import connection

from timeline import markdown
from timeline.layout.forest import Aside
from timeline.queries.standing import Standing
from timeline.summaries import FlowSummary
from tracing.lengths import MINUTE_NS, spoken
from tracing.watch.evidence import clock

MOST = 500  # rows of a sort, up to twice as many; a verdict that turned more often is a problem of its own
AFTER_NS = 600_000_000_000  # that a problem is over is told a while after the flow left it


def _latest(rows: str, columns: str, order: str) -> str:
    """The latest of them. What is too old goes in runs of `MOST`: were it one for one, no cursor would find its row.

    `order` is that in which rows are written: none comes in between later.
    """
    return f"""
SELECT {columns} FROM (
    SELECT *, row_number() OVER (ORDER BY {order}) AS place, count(*) OVER () AS many FROM ({rows}) AS one
) AS numbered WHERE place > (many / {MOST} - 1) * {MOST}"""


_FLIPS = _latest(
    "SELECT * FROM flip WHERE flow_id = %(flow)s",
    "flip_id, at_ns, before, after, sentence, judged_ns",
    "judged_ns, at_ns, flip_id",
)
# What is only planned may be dropped, and is no row yet; what may have arrived remains one. Of a problem's messages those
# that were sent while this flow was in it. Two parts, served by message_flow and message_problem.
_TOLD = f"""
SELECT * FROM message WHERE flow_id = %(flow)s AND (state IN ('sent', 'failed') OR doubtful)
UNION
SELECT m.* FROM problem_flow f JOIN message m ON m.problem_id = f.problem_id
    AND m.at_ns >= f.since_ns AND (f.until_ns IS NULL OR m.at_ns <= f.until_ns + {AFTER_NS})
WHERE f.flow_id = %(flow)s AND (m.state IN ('sent', 'failed') OR m.doubtful)"""
_MESSAGES = _latest(
    _TOLD,
    "message_id, at_ns, state, phase, subject, doubtful, error,"
    " (SELECT label FROM tracing_channel c WHERE c.id = channel_id)",
    "at_ns, message_id",
)
_NOTES = _latest("SELECT * FROM tracing_note WHERE flow_id = %(flow)s", "id, at_ns, text, name", "id")
# The last announcement of each operation that it will be tried again.
_RETRIES = """
SELECT DISTINCT ON (operation, system) said_ns, by_ns, operation, system, attempt, most, trace_id, record_id
FROM stated WHERE flow_id = %(flow)s AND what = 'retry'
ORDER BY operation, system, said_ns DESC, digest LIMIT 20"""
# For the pulse: whether any of these changed.
COUNTED = f"""
SELECT (SELECT (count(*), max(judged_ns))::text FROM flip WHERE flow_id = %(flow)s),
       (SELECT (count(*), max(id))::text FROM tracing_note WHERE flow_id = %(flow)s),
       (SELECT (count(*), sum(hashtext(state)))::text FROM ({_TOLD}) AS told),
       (SELECT (count(*), max(id))::text FROM tracing_closure WHERE flow_id = %(flow)s)"""


# How it is known what should come, as a ghost says it.
EXPECTED = {
    "stated": ("said to come", ""), "rule": ("expected", "rule"), "heartbeat": ("expected", "heartbeat"),
    "learned": ("expected", "learned"), "type": ("expected", "learned of the type"),
}  # fmt: skip


# What is awaited where no step is named, by the reason.
NAMELESS = {"heartbeat": "the next beat", "deadline": "its end"}

# A judge that is there tells within that, and for the usual delay of its records.
PROMPT_NS = 2 * MINUTE_NS


class Promise(NamedTuple):
    """An announced try. `trace_id` is empty and `record_id` a log's where a log without a trace said so."""

    said_ns: int
    by_ns: int
    operation: str
    system: str
    attempt: int | None
    most: int | None
    trace_id: bytes
    record_id: bytes

    @property
    def row(self) -> str:
        """The row of the record that said so."""
        record = self.record_id.hex()
        return f"s-{self.trace_id.hex()}-{record}" if len(self.record_id) == 8 else f"l-{record}"


def read_asides(flow: FlowSummary) -> list[Aside]:
    """What was said about a flow until now; of requests, which nobody judges, messages and notes.

    As of no snapshot: a row goes away only when hundreds of its sort came after it, so a cursor finds its row again.
    """
    asked = {"flow": flow.identity}
    found = [_message(row) for row in _fetch(_MESSAGES, asked)] + [
        _note(row) for row in _fetch(_NOTES, asked)
    ]
    return found if flow.kind == "request" else found + [_flip(row) for row in _fetch(_FLIPS, asked)]


def read_promises(flow: FlowSummary) -> list[Promise]:
    if flow.kind == "request":
        return []
    rows = _fetch(_RETRIES, {"flow": flow.identity})
    return [Promise(*row[:6], *map(bytes, row[6:])) for row in rows]


def ghosts(
    judged: Standing | None, promises: Sequence[Promise], now_ns: int, zone: tzinfo = UTC
) -> list[Aside]:
    """What should come next. `promises` are those after which nothing of the kind came."""
    awaited = [_awaited(judged, now_ns, zone)] if judged and judged.waits else []
    ended = judged is not None and judged.verdict == "ended"
    # What is awaited may be just that try.
    tried = {judged.told.get("operation")} if judged and awaited and judged.reason == "retry" else set()
    return awaited + [
        _promised(one, now_ns, zone) for one in promises if not ended and one.operation not in tried
    ]


def _awaited(judged: Standing, now_ns: int, zone: tzinfo) -> Aside:
    name = judged.awaited_step or NAMELESS.get(judged.reason, "the next step")
    marks = ["abandoned"] if judged.reason == "retry" and _is_past(judged.expected_ns, now_ns) else []
    if judged.reason == "retry":
        name = f"{judged.told.get('operation') or name}, tried again"
    return Aside(
        "ghost", "x-awaited", judged.since_ns or now_ns, max(now_ns, judged.expected_ns or 0), name,
        _expected(judged.expected_ns, now_ns, zone, *EXPECTED.get(judged.source, ("expected", ""))),
        judged.awaited_system, "open", tuple(marks), judged.expected_ns,
    )  # fmt: skip


def _promised(told: Promise, now_ns: int, zone: tzinfo) -> Aside:
    marks = ("abandoned",) if _is_past(told.by_ns, now_ns) else ()
    # What said so was the try before.
    attempt = None if told.attempt is None else told.attempt + 1
    count = f"try {attempt} of {told.most}" if attempt is not None and told.most else ""
    return Aside(
        "ghost", f"x-retry-{told.said_ns}-{quote(told.operation, safe='')[:400]}", told.said_ns,
        max(now_ns, told.by_ns), f"{told.operation or 'it'}, tried again",
        _expected(told.by_ns, now_ns, zone, "said to come", count), told.system, "open", marks, told.by_ns,
        record=told.row, attempt=attempt,
    )  # fmt: skip


def _expected(by_ns: int | None, now_ns: int, zone: tzinfo, verb: str, how: str = "") -> str:
    if by_ns is None:
        return "nothing yet"
    told = f"{verb} by {clock(by_ns, now_ns, zone)}{f' ({how})' if how else ''}"
    return f"{told}, nothing yet" if by_ns <= now_ns else told


def _is_past(by_ns: int | None, now_ns: int) -> bool:
    return by_ns is not None and by_ns < now_ns


def _flip(row: Sequence[Any]) -> Aside:
    """At its true moment; where the judge could only tell much later, it says so."""
    flip_id, at_ns, before, after, sentence, judged_ns = row
    name = f"{before} → {after}" if before else str(after)
    behind_ns = judged_ns - at_ns
    marks = (f"noticed {spoken(behind_ns)} later",) if behind_ns > PROMPT_NS else ()
    return Aside("flip", f"f-{bytes(flip_id).hex()}", at_ns, at_ns, name, sentence, marks=marks)


def _message(row: Sequence[Any]) -> Aside:
    message_id, at_ns, state, phase, subject, doubtful, error, label = row
    failed = state == "failed"
    words = {"sent": "sent", "failed": "failed"}.get(state, "perhaps sent")
    told = f"{words} to {label or 'a channel that is gone'}{f': {error}' if failed and error else ''}"
    marks = (phase, *(["possibly twice"] if doubtful else []))
    return Aside(
        "notification", f"m-{quote(message_id, safe='')}", at_ns, at_ns, subject, told,
        status="error" if failed else "ok" if state == "sent" else "unset", marks=marks,
    )  # fmt: skip


def _note(row: Sequence[Any]) -> Aside:
    number, at_ns, text, name = row
    return Aside(
        "note",
        f"n-{number}",
        at_ns,
        at_ns,
        markdown.plain(text)[:200] or "note",
        text,
        marks=(f"by {name}",) if name else (),
    )


def _fetch(query: str, asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        return iter(cursor.fetchall())
