"""Looking up what a find box's text may name: keys exactly, traces, spans, then keys by their beginning.

`timeline.clues` reads the text, `timeline.views.find` redirects to the one flow found or lists several. Span
ids are indexed on closed days only (`tracing.indexing`), so one is looked for day by day under a time limit, and the
answer says how far it came.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import connection

from timeline.addresses import flow_in_address
from timeline.clues import MAX_KEY, Clues, fits
from timeline.queries.clauses import escaped
from timeline.queries.hits import Clock, date_of, flows_of
from timeline.queries.said import LEAST_TEXT, find_said
from timeline.summaries import (
    FLOW_COLUMNS,
    REQUEST_COLUMNS,
    FlowSummary,
    completed,
    find_flows,
    fold_request,
    from_row,
)

SPAN_LIMIT_S = 3.0
MAX_FOUND = 50
LEAST_PREFIX = 2


@dataclass(slots=True)
class Answer:
    """Flows found, best first; `looked` says where, in sentences' ends."""

    flows: list[FlowSummary] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    record: str = ""  # the row of the one flow found that was meant
    address: str = ""  # of the one flow found, as it was given
    earlier: int = 0  # how many of `looked` gave nothing before something was found
    is_cut: bool = False  # more match than are listed, or may

    @property
    def how(self) -> str:
        """As what it was found, where it was not as what one looks for first; empty where there is nothing to say."""
        missed, hit = self.looked[: self.earlier], self.looked[self.earlier :]
        if not (self.flows and missed and hit):
            return ""
        return f"Found as {', '.join(hit)}; not as {', '.join(missed)}."


def look_up(clues: Clues) -> Answer:
    """The flows a text means. Strong clues (an address, ids, named keys) leave the weak ones unread."""
    answer = Answer()
    for step in STEPS:
        answer.earlier = len(answer.looked)
        found = step(clues, answer)
        if found:
            ordered = _ordered(found, clues)
            answer.is_cut |= len(ordered) > MAX_FOUND
            answer.flows = completed(ordered[:MAX_FOUND])
            if len(answer.flows) == 1:
                answer.address = _address(answer.flows[0], clues)
            if len(answer.flows) == 1 and answer.flows[0].kind == "request":
                answer.record = _record(answer.flows[0].key, (*clues.span_ids, *_halves(clues)))
            return answer
    return answer


def _record(trace_id: str, span_ids: Iterable[str]) -> str:
    """The row of the first of these spans that the trace has."""
    wanted = [bytes.fromhex(span) for span in span_ids]
    if not wanted:
        return ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT span_id FROM span WHERE trace_id = %s AND span_id = ANY(%s)",
            [bytes.fromhex(trace_id), wanted],
        )
        there = {bytes(row[0]).hex() for row in cursor.fetchall()}
    return next((f"s-{trace_id}-{span}" for span in span_ids if span in there), "")


def _address(flow: FlowSummary, clues: Clues) -> str:
    """The first address that names the flow, with what it says about the view."""
    name = [flow.kind, flow.type, flow.key.lower()]
    for path in clues.flows:
        kind, type, key, environment = flow_in_address(path) or ("", "", "", None)
        if [kind, type, key.lower()] == name and environment in (None, flow.environment):
            return path
    return ""


def _by_address(clues: Clues, answer: Answer) -> list[FlowSummary]:
    for path in clues.flows:
        if named := flow_in_address(path):
            answer.looked.append(f"the {' '.join(named[:3])}")
            if found := find_flows(*named):
                return found[:1]
    return []


def _by_whole_key(clues: Clues, answer: Answer) -> list[FlowSummary]:
    if not clues.text or len(clues.text) > 400:
        return []
    answer.looked.append(f"keys equal to “{clues.text}”")
    return _keyed([clues.text])


def _by_named_or_trace(clues: Clues, answer: Answer) -> list[FlowSummary]:
    """Keys whose type stands before them, and traces: what a log line says most clearly."""
    found = []
    if clues.named:
        flows = _keyed(value for _, value in clues.named)
        pairs = {(name, value.lower()) for name, value in clues.named}
        found = [
            flow
            for flow in flows
            if any(value == flow.key.lower() and fits(name, flow.type) for name, value in pairs)
        ]
        answer.looked.append("keys with their type before them")
    traces = [*clues.trace_ids, *(span.rjust(32, "0") for span in clues.span_ids)]
    if clues.trace_ids:
        answer.looked.append(f"trace {', '.join(clues.trace_ids[:3])}")
    return found + _traces(traces)


def _by_span(clues: Clues, answer: Answer) -> list[FlowSummary]:
    if not clues.span_ids:
        return []
    return _spans(clues.span_ids, answer)


def _by_decimal(clues: Clues, answer: Answer) -> list[FlowSummary]:
    """Datadog's ids: 64 bits as a decimal number, of a trace the lower half."""
    if not clues.decimals:
        return []
    halves = _halves(clues)
    told = ", ".join(halves[:3])
    answer.looked.append(f"Datadog's decimal id as the lower half of a trace id: {told}")
    wanted = [bytes.fromhex(half) for half in halves]
    try:
        rows = Clock(SPAN_LIMIT_S).run(
            "SELECT DISTINCT trace_id FROM request WHERE substr(trace_id, 9) = ANY(%s) LIMIT 50", [wanted]
        )
    except TimeoutError:
        answer.looked.append("there it would have taken too long")
        rows = []
    if rows:
        return _traces(bytes(trace).hex() for (trace,) in rows)
    return _spans(halves, answer)


def _halves(clues: Clues) -> tuple[str, ...]:
    return tuple(f"{int(one):016x}" for one in clues.decimals)


def _spans(span_ids: tuple[str, ...], answer: Answer) -> list[FlowSummary]:
    clock, days = Clock(SPAN_LIMIT_S), []
    wanted = [bytes.fromhex(span) for span in span_ids]
    try:
        for (day,) in clock.run("SELECT day FROM day WHERE dropped_ns IS NULL ORDER BY day DESC", []):
            rows = clock.run(
                "SELECT trace_id FROM span WHERE day = %s AND span_id = ANY(%s) UNION"
                " SELECT trace_id FROM log WHERE day = %s AND span_id = ANY(%s) AND trace_id <> ''::bytea LIMIT 50",
                [day, wanted, day, wanted],
            )
            days.append(day)
            if rows:
                return _traces([bytes(trace).hex() for (trace,) in rows])
        answer.looked.append(f"span {', '.join(span_ids[:3])} on all stored days")
    except TimeoutError:
        reach = f"back to {date_of(days[-1])}" if days else "on part of the newest day"
        answer.looked.append(
            f"span {', '.join(span_ids[:3])} {reach} only: looking longer would take too long"
        )
    return []


def _by_word(clues: Clues, answer: Answer) -> list[FlowSummary]:
    """Any word of a longer text that is a key."""
    words = [*clues.words, *(value for _, value in clues.named)]
    if words == [clues.text]:
        return []
    answer.looked.append("every word of it as a key")
    return _keyed(words)


def _by_prefix(clues: Clues, answer: Answer) -> list[FlowSummary]:
    text = clues.text if clues.is_one_word or not clues.named else clues.named[0][1]
    if len(text) < LEAST_PREFIX or len(text) > 400:
        return []
    answer.looked.append(f"keys that begin with “{text}”")
    # Served by flow_key (text_pattern_ops): a prefix is a range of the index.
    return _select("lower(key) LIKE lower(%s)", [f"{escaped(text)}%"])


def _by_text(clues: Clues, answer: Answer) -> list[FlowSummary]:
    """What records say: the flows of the latest that say this, or where none has a key their requests."""
    if not LEAST_TEXT <= len(clues.text) <= MAX_KEY:
        return []
    hits, back_to, answer.is_cut = find_said(clues.text)
    answer.looked.append(
        f"“{clues.text}” in what logs and spans say" + (f", back to {back_to}" if back_to else "")
    )
    flows, _ = flows_of(hits)
    return _select("flow_id = ANY(%s)", [flows]) or _traces(trace.hex() for trace in hits.traces)


def _keyed(keys: Iterable[str]) -> list[FlowSummary]:
    wanted = sorted({key for key in keys if len(key) <= 400})
    if not wanted:
        return []
    return _select("lower(key) = ANY(SELECT lower(wanted) FROM unnest(%s::text[]) AS wanted)", [wanted])


def _select(condition: str, values: list[Any]) -> list[FlowSummary]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {FLOW_COLUMNS} FROM flow WHERE {condition} LIMIT 500", values)
        return [from_row(row) for row in cursor.fetchall()]


def _traces(trace_ids: Iterable[str]) -> list[FlowSummary]:
    wanted = sorted({bytes.fromhex(trace_id) for trace_id in trace_ids})
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {REQUEST_COLUMNS} FROM request WHERE trace_id = ANY(%s)", [wanted])
        rows = cursor.fetchall()
    folded = (fold_request(row for row in rows if bytes(row[0]) == trace) for trace in wanted)
    return [flow for flow in folded if flow is not None]


def _ordered(flows: list[FlowSummary], clues: Clues) -> list[FlowSummary]:
    """One flow a name: of the environment that was named, else the default one's, else the latest; the latest first."""
    by_name: dict[tuple[str, str, str], FlowSummary] = {}
    named = {word.lower() for word in clues.words}

    def rank(flow: FlowSummary) -> tuple[bool, bool, int]:
        return flow.environment.lower() not in named, flow.environment != settings.ENVIRONMENT, -flow.activity

    for flow in sorted(flows, key=rank):
        by_name.setdefault((flow.kind, flow.type, flow.key), flow)
    return list(by_name.values())


# Strong clues first.
STEPS = (
    _by_address,
    _by_whole_key,
    _by_named_or_trace,
    _by_span,
    _by_decimal,
    _by_word,
    _by_prefix,
    _by_text,
)
