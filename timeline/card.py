"""The preview picture that a link shows in a channel: a flow, a problem, two flows or a record as a `Card`, and its PNG.

The functions that begin with `of_` choose what it may say: names, states and times; no attribute's value but the
flow's own key, shortened where it names a person, and an error's type, never its message. `timeline.unfurl` has the tags.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC

from timeline import cardstrip, moments, personal, sentences, signs
from timeline.bodies import severity_word
from timeline.cardshelf import answer as answer
from timeline.cardshelf import etag as etag
from timeline.cardshelf import png as png
from timeline.cardstrip import when
from timeline.layout.card import Card as Card
from timeline.layout.card import Line, Mark, Subject
from timeline.layout.ids import LOG_ID
from timeline.problem import Problem
from timeline.queries.record import LogRecord, SpanRecord, read_log
from timeline.reading import Reading
from timeline.summaries import FlowSummary
from tracing.clock import now_ns
from tracing.lengths import MINUTE_NS

# The tone of a verdict or status; of what is neither, `off`.
TONE = {
    "due": "open", "late": "stuck", "stuck": "stuck", "moving": "open", "ended": "ok",
    "error": "bad", "ok": "ok", "open": "open",
}  # fmt: skip
ANYTHING = "waiting for anything"  # says nothing
MOST_LINES = 2
WARN, ERROR = 13, 17  # from which severity on
# What a type of exception looks like in any language; anything else may be a message.
CERTAIN = re.compile(r"\w[.:/\\]\w|[a-z][A-Z]|Error|Exception")
TYPE = re.compile(r"[*\w.$:/\\<>`,\[\]-]{1,200}")


def of_flow(reading: Reading, at_ns: int | None = None) -> Card:
    """A flow as it is at a time, now if none is given; the axis is that of the view that was read."""
    at_ns = _minute(at_ns)
    flow = reading.flow
    place = f"request {flow.key[:8]}…" if flow.kind == "request" else flow.environment
    facts = sentences.counts(flow)
    return Card(
        place, (_subject(reading, at_ns),), tuple(_lines(reading, at_ns)), " · ".join(facts), _as_of(at_ns)
    )


def of_comparison(first: Reading, second: Reading, at_ns: int | None = None) -> Card:
    """Two flows, one under the other."""
    at_ns = _minute(at_ns)
    longer_ns = (second.flow.duration_ns or 0) - (first.flow.duration_ns or 0)
    took = moments.took(abs(longer_ns))
    told = (
        f"the second took {took} {'longer' if longer_ns > 0 else 'less'}"
        if longer_ns
        else "both took as long"
    )
    if any(one.flow.verdict not in (None, "ended") for one in (first, second)):
        told += " so far"
    return Card("compared", (_subject(first, at_ns), _subject(second, at_ns)), (), told, _as_of(at_ns))


def of_problem(problem: Problem, wrong: Sequence[tuple[int, int | None]], at_ns: int | None = None) -> Card:
    """A problem; `wrong` is from when to when each of its flows was (`queries.affected.stretches`)."""
    at_ns = _minute(at_ns)
    until_ns = at_ns if problem.resolved_ns is None else problem.resolved_ns
    lasted = moments.took(max(0, until_ns - problem.opened_ns))
    state = f"{problem.state} {'after' if problem.resolved_ns is not None else 'for'} {lasted}"
    mark = Mark(problem.sign.shape, problem.sign.word, problem.sign.tone)
    subject = Subject(
        title_of_problem(problem), mark, state, cardstrip.of_problem(problem, wrong, until_ns, at_ns)
    )
    return Card(
        problem.environment or "problem",
        (subject,),
        tuple(_since(problem, at_ns)),
        _flows(problem),
        _as_of(at_ns),
    )


def of_span(span: SpanRecord, at_ns: int | None = None) -> Card:
    """One span: how it ended, how long it took, and the types of what it threw."""
    at_ns = _minute(at_ns)
    word = "no error" if span.status == "unset" else span.status
    mark = Mark(signs.STATUS[span.status], word, TONE.get(span.status, "off"))
    took = f"took {moments.took(max(0, span.end - span.start))}"
    strip = cardstrip.of_span(span.start, span.end, at_ns, failed=span.status == "error")
    subject = Subject(personal.masked(span.name) or "a span", mark, took, strip)
    thrown = (event["attributes"].get("exception.type") for event in span.events)
    return _of_record(span, subject, thrown, f"{span.kind} span", at_ns)


def of_log(log: LogRecord, at_ns: int | None = None) -> Card:
    """One log: how grave it is and when it was; its words are a value."""
    at_ns = _minute(at_ns)
    word = severity_word(log.severity, "") or "log"
    tone = "bad" if log.severity >= ERROR else "open" if log.severity >= WARN else "off"
    sign = {"bad": signs.ERROR, "open": signs.WARNING}.get(tone, signs.STATUS["unset"])
    title = personal.masked(log.event_name) or f"a log of {log.service or 'a service'}"
    subject = Subject(title, Mark(sign, word, tone), "", cardstrip.of_log(log.time, at_ns))
    return _of_record(log, subject, [log.attributes.get("exception.type")], "log", at_ns)


def _of_record(
    record: SpanRecord | LogRecord, subject: Subject, thrown: Iterable[object], kind: str, at_ns: int
) -> Card:
    # One word alone may be anything that was sent.
    named = (one for one in thrown if isinstance(one, str) and CERTAIN.search(one))
    types = list(filter(None, map(error_type, named)))[:MOST_LINES]
    lines = tuple(Line(f"Threw {one}", "", "✕", "bad") for one in dict.fromkeys(types))
    facts = f"{kind} of {record.service}" if record.service else kind
    return Card(record.environment or "record", (subject,), lines, facts, _as_of(at_ns))


def title_of(flow: FlowSummary) -> str:
    """A flow's title, without what names a person."""
    if flow.kind == "request":
        return personal.masked(flow.title)
    return f"{flow.type} {personal.shortened(flow.type, flow.key)}"


def title_of_problem(problem: Problem) -> str:
    """Its title, which tells the message of an error: here its type stands instead."""
    if problem.kind != "failed" or "message" not in problem.evidence:
        return personal.masked(problem.title)
    head, colon, _ = problem.title.partition(" failed: ")
    what = error_type(str(problem.evidence.get("error_type") or "")) or "an error"
    where = f" in {problem.system}" if problem.system else ""
    return f"{head} failed: {what}{where}" if colon else f"Failed: {what}{where}"


def error_type(text: str) -> str:
    """`CardDeclined` of `psp.errors.CardDeclined`; empty where it does not look like the name of a type."""
    if not TYPE.fullmatch(text):
        return ""
    last = re.split(r"[./\\:$]", text.split("<")[0].rstrip("./\\:$"))[-1].strip("*`")
    return last if last[:1].isalpha() or last.startswith("_") else ""


def _subject(reading: Reading, at_ns: int) -> Subject:
    flow = reading.flow
    told = sentences.mark_of(flow, reading.first_error is not None, at_ns)
    mark = Mark(told.sign, told.word, TONE.get(told.css, "off"))
    return Subject(
        title_of(flow), mark, personal.masked(flow.standing or ""), cardstrip.of_flow(reading, at_ns)
    )


def _lines(reading: Reading, at_ns: int) -> list[Line]:
    """What it waits for and what went wrong first; where there is room, what else is wrong with it."""
    found, judged, error = [], reading.flow.judged, reading.first_error
    if judged and judged.since_ns is not None and (told := sentences.awaited(judged)) not in ("", ANYTHING):
        found.append(Line(personal.masked(told), f"since {when(judged.since_ns, at_ns)}"))
    if error is not None:
        thrown = error_type(error.type or _thrown_by_log(error.row_id))
        what = thrown or personal.masked(error.name) or "an error"
        told = f"First error: {what}{f' in {error.service}' if error.service else ''}"
        found.append(Line(told, when(error.time_ns, at_ns), "✕", "bad"))
    # Waiting and failing are said already, and the title of what failed tells a message.
    others = [one for one in reading.flow.troubles if one.kind not in ("failed", "stuck", "late")]
    signed = [(signs.PROBLEM[one.kind], one.title) for one in others if one.kind in signs.PROBLEM]
    return (found + [Line(personal.masked(title), "", sign.shape, sign.tone) for sign, title in signed])[
        :MOST_LINES
    ]


def _thrown_by_log(row_id: str) -> str:
    match = LOG_ID.fullmatch(row_id)
    log = read_log(bytes.fromhex(match[1])) if match else None
    return str(log.attributes.get("exception.type") or "") if log else ""


def _minute(at_ns: int | None) -> int:
    """The minute in which that is, so that a picture is drawn once a minute at most; by default this one."""
    return (now_ns() if at_ns is None else at_ns) // MINUTE_NS * MINUTE_NS


def _as_of(at_ns: int) -> str:
    time = moments.moment(at_ns, UTC)
    return f"as of {time.day} {time:%b %Y %H:%M} UTC" if time else ""


def _since(problem: Problem, at_ns: int) -> list[Line]:
    told = f"since {when(problem.opened_ns, at_ns)}"
    if problem.resolved_ns is not None:
        told = f"{when(problem.opened_ns, at_ns)} → {when(problem.resolved_ns, at_ns)}"
    found = [Line(told)]
    if problem.is_older and problem.resolved_ns is None:
        found.append(Line("", f"the oldest is wrong since {when(problem.first_ns, at_ns)}"))
    return found


def _flows(problem: Problem) -> str:
    told = [sentences.counted(problem.flows, "flow wrong now", "flows wrong now")]
    if problem.all_flows > problem.flows:
        told.append(f"{problem.all_flows:,} ever")
    if problem.flaps:
        told.append(f"came back {sentences.counted(problem.flaps, 'time', 'times')}")
    if problem.effects:
        told.append(sentences.counted(len(problem.effects), "follows from it", "follow from it"))
    return " · ".join(told)
