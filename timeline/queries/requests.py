"""Requests in order, newest activity first; `timeline.queries.listing` does the same for entities and workflows.

A trace has one row for each day it touched. It is listed once, at the newest of its rows that pass the filters.
"""

from django.db import connection

from timeline.queries.clauses import Clauses, request_clauses
from timeline.queries.windows import Row, read
from timeline.question import Position, Question
from timeline.summaries import REQUEST_COLUMNS, FlowSummary, fold_request


def page(
    question: Question, identities: list[bytes] | None
) -> tuple[list[FlowSummary], Position | None, Position | None]:
    """Requests, where reading was cut, and where the next page begins."""
    clauses = request_clauses(question)
    if identities is not None:
        clauses.indexed.add("trace_id = ANY(%s)", identities)
    stretch = read(clauses, "day", question.after, question.limit + 1)
    places = [Position(row[0], bytes(row[1])) for row in stretch.rows[: question.limit]]
    flows = _listed(clauses, places)
    more = len(stretch.rows) > question.limit
    return flows, None if more else stretch.cut_at, places[-1] if more else None


def _listed(clauses: Clauses, places: list[Position]) -> list[FlowSummary]:
    rows = _rows(clauses, list({place.identity for place in places}))
    flows: dict[bytes, FlowSummary] = {}
    for place in places:
        newest = max((row[-2] for row in rows[place.identity] if row[-1]), default=place.activity)
        flow = fold_request(row[:-2] for row in rows[place.identity])
        # An older row of a trace that stands on this page or one before.
        if flow is not None and newest == place.activity:
            flows.setdefault(place.identity, flow)
    return list(flows.values())


def _rows(clauses: Clauses, identities: list[bytes]) -> dict[bytes, list[Row]]:
    """All days of these traces, each row ending with its activity and whether it passes the filters itself."""
    rows: dict[bytes, list[Row]] = {identity: [] for identity in identities}
    passes = clauses.indexed + clauses.picky
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {REQUEST_COLUMNS}, activity, ({passes.told}) FROM request WHERE trace_id = ANY(%s)",
            [*passes.values, identities],
        )
        for row in cursor.fetchall():
            rows[bytes(row[0])].append(row)
    return rows
