"""Flows in order, newest activity first: a page of them and where the next one begins.

Entities and workflows come from table `flow` here, requests from `timeline.queries.requests`; attribute searches
find ids first (`timeline.queries.attributes`). `timeline.views.flows` draws the page.
"""

from dataclasses import dataclass, field

from django.db import connection

from timeline.queries import attributes, keys, requests, verdicts
from timeline.queries.clauses import flow_clauses
from timeline.queries.windows import Row, read
from timeline.question import Position, Question
from timeline.summaries import FLOW_COLUMNS, FlowSummary, completed, from_row


@dataclass(slots=True)
class Page:
    """Flows in order; `next` is None at the end. `cut_ns`: looked no further back than this, there may be more."""

    flows: list[FlowSummary] = field(default_factory=list)
    next: Position | None = None
    cut_ns: int | None = None
    notes: list[str] = field(default_factory=list)


def page(question: Question) -> Page:
    """The page a question asks for."""
    found = attributes.find(question) if question.equalities else None
    identities = _both(None if found is None else found.identities, verdicts.identities(question))
    told = requests.page(question, identities) if question.of_requests else _flows(question, identities)
    flows, cut_at, following = told
    answer = Page(completed(flows), following or cut_at)
    if cut_at is not None:
        answer.cut_ns = cut_at.activity * 60_000_000_000
    if found is not None:
        answer.notes = found.notes
    return answer


def _flows(
    question: Question, identities: list[bytes] | None
) -> tuple[list[FlowSummary], Position | None, Position | None]:
    clauses = flow_clauses(question)
    if identities is not None:
        clauses.indexed.add("flow_id = ANY(%s)", identities)
    told = question.after is not None and question.after.keys_told
    if told and (begins := keys.beginning(question)):
        clauses.picky.add(f"NOT {begins.told}", *begins.values)
    stretch = read(clauses, FLOW_COLUMNS, question.after, question.limit + 1)
    shown = stretch.rows[: question.limit]
    flows = [from_row(row[2:]) for row in shown]
    if len(stretch.rows) > question.limit:
        return flows, None, _place(shown[-1])._replace(keys_told=told)
    if stretch.cut_at is None:
        return flows, None, None
    if not told:
        rows = keys.behind(question, clauses, FLOW_COLUMNS, stretch.cut_at, question.limit - len(shown))
        flows += [from_row(row[2:]) for row in rows]
        told = bool(rows)
    return flows, stretch.cut_at._replace(keys_told=told), None


def _both(first: list[bytes] | None, second: list[bytes] | None) -> list[bytes] | None:
    """Ids that are in both lists; None is all."""
    if first is None or second is None:
        return second if first is None else first
    wanted = set(second)
    return [identity for identity in first if identity in wanted]


def _place(row: Row) -> Position:
    return Position(row[0], bytes(row[1]))


def choices() -> dict[str, list[str]]:
    """What the filters may offer: types by walking their index, services and environments from the senders."""
    with connection.cursor() as cursor:
        # A loose scan of flow_type_recent: one index probe a type, however many flows there are.
        cursor.execute(
            "WITH RECURSIVE seen AS ((SELECT type FROM flow ORDER BY type LIMIT 1) UNION ALL"
            " SELECT (SELECT f.type FROM flow f WHERE f.type > seen.type ORDER BY f.type LIMIT 1)"
            " FROM seen WHERE seen.type IS NOT NULL)"
            " SELECT type FROM seen WHERE type IS NOT NULL LIMIT 200"
        )
        types = [type for (type,) in cursor.fetchall()]
        cursor.execute("SELECT DISTINCT service, environment FROM tracing_sender LIMIT 1000")
        senders = cursor.fetchall()
    return {
        "types": types,
        "services": sorted({service for service, _ in senders if service}),
        "environments": sorted({environment for _, environment in senders if environment}),
    }
