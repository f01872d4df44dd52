"""Problems as pages ask for them: those that need a person, lists of them, one, and those of some flows.

`tracing.watch.problems` writes the table. What is still forming is nobody's problem yet and is never read here.
An effect is folded under its cause while that stands; `timeline.queries.affected` reads a problem's flows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from timeline.problem import Problem
from timeline.queries.clauses import Conditions
from timeline.queries.windows import rows_of

COLUMNS = (
    "p.problem_id, p.kind, p.type, p.environment, p.step, p.system, p.title, p.why, p.severity, p.state, p.flows,"
    " p.all_flows, p.first_ns, p.last_ns, p.opened_ns, p.resolved_ns, p.flaps, p.cause_id, p.quieted, p.evidence"
)
MOST_EFFECTS = 50  # under one cause
# Who stands in a circle of causes is shown all the same: only another's standing problem hides one.
_HIDDEN = (
    "EXISTS (SELECT FROM problem c WHERE c.problem_id = p.cause_id AND c.state NOT IN ('forming', 'resolved')"
    " AND c.problem_id <> p.problem_id AND c.cause_id IS DISTINCT FROM p.problem_id)"
)
# Read through problem_standing, which holds no resolved ones.
_NEEDS = f"p.state = 'open' AND p.severity >= 2 AND NOT {_HIDDEN}"
# Effects of effects lie under the first cause. UNION drops what was met before, so a circle ends.
_EFFECTS = f"""
WITH RECURSIVE below AS (
    SELECT problem_id AS root, problem_id FROM problem WHERE problem_id = ANY(%s)
    UNION
    SELECT b.root, p.problem_id FROM below b JOIN problem p ON p.cause_id = b.problem_id
    WHERE p.state <> 'resolved' AND p.state <> 'forming'
)
SELECT b.root, {COLUMNS} FROM below b JOIN problem p ON p.problem_id = b.problem_id
WHERE b.root <> b.problem_id ORDER BY p.severity DESC, p.flows DESC, p.opened_ns, p.problem_id
"""


class Place(NamedTuple):
    """Where a page of problems begins: latest sign first, then the smaller id."""

    last_ns: int
    identity: bytes

    def __str__(self) -> str:
        return f"{self.last_ns}.{self.identity.hex()}"


@dataclass(frozen=True, slots=True)
class ProblemQuestion:
    """Empty text filters nothing. `state` is one of `problem.STATES`, or `all`."""

    state: str = "open"
    kind: str = ""
    type: str = ""
    environment: str = ""
    system: str = ""
    grey: str = ""  # "only" those that nobody is told of, "no" leaves them out
    after: Place | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class ProblemPage:
    problems: list[Problem]
    next: Place | None


def needing(limit: int) -> list[Problem]:
    """Open problems that need a person, the gravest first, each with what follows from it."""
    found = _read(
        f"SELECT {COLUMNS} FROM problem p WHERE {_NEEDS}"
        " ORDER BY p.severity DESC, p.flows DESC, p.opened_ns, p.problem_id LIMIT %s",
        [limit],
    )
    return with_effects(found)


def count_needing() -> int:
    """How many need a person: the number in the header, the title and the favicon."""
    return int(rows_of(f"SELECT count(*) FROM problem p WHERE {_NEEDS}", [])[0][0])


def with_effects(problems: Sequence[Problem]) -> list[Problem]:
    """The same problems with those that follow from them, however far."""
    if not problems:
        return []
    below: dict[bytes, list[Problem]] = {}
    for row in rows_of(_EFFECTS, [[one.identity for one in problems]]):
        below.setdefault(bytes(row[0]), []).append(_problem(row[1:]))
    return [replace(one, effects=below.get(one.identity, [])[:MOST_EFFECTS]) for one in problems]


def standing() -> dict[str, int]:
    """How many stand, by state; open ones that are grey as `grey`."""
    rows = rows_of(
        "SELECT CASE WHEN severity < 2 AND state = 'open' THEN 'grey' ELSE state END, count(*)"
        " FROM problem WHERE state <> 'resolved' GROUP BY 1",
        [],
    )
    return {str(state): int(count) for state, count in rows}


def silent() -> dict[tuple[str, str], Problem]:
    """Services that a problem says are silent, by service and environment."""
    found = _read(
        f"SELECT {COLUMNS} FROM problem p"
        " WHERE p.state <> 'resolved' AND p.state <> 'forming' AND p.kind = 'silent_service' LIMIT 200",
        [],
    )
    return {(one.system, one.environment): one for one in found}


def page(question: ProblemQuestion) -> ProblemPage:
    """The page a question asks for, latest sign first. Served by problem_recent."""
    asked = _conditions(question)
    if question.after is not None:
        asked.add(
            "(p.last_ns < %s OR (p.last_ns = %s AND p.problem_id > %s))",
            question.after.last_ns,
            question.after.last_ns,
            question.after.identity,
        )
    found = _read(
        f"SELECT {COLUMNS} FROM problem p {asked.where} ORDER BY p.last_ns DESC, p.problem_id LIMIT %s",
        [*asked.values, question.limit + 1],
    )
    shown = found[: question.limit]
    more = len(found) > question.limit
    return ProblemPage(shown, Place(shown[-1].last_ns, shown[-1].identity) if more else None)


def counts(question: ProblemQuestion) -> dict[str, int]:
    """How many of those a question asks for stand in each state; resolved ones are not counted."""
    asked = _conditions(replace(question, state="all"))
    asked.add("p.state <> 'resolved'")
    rows = rows_of(f"SELECT p.state, count(*) FROM problem p {asked.where} GROUP BY 1", asked.values)
    return {str(state): int(count) for state, count in rows}


def not_needing(question: ProblemQuestion) -> tuple[int, int]:
    """Of the open ones that a question asks for, how many need nobody: grey ones, and told ones under their cause."""
    asked = _conditions(replace(question, state="open"))
    rows = rows_of(
        f"SELECT count(*) FILTER (WHERE p.severity < 2), count(*) FILTER (WHERE p.severity >= 2 AND {_HIDDEN})"
        f" FROM problem p {asked.where}",
        asked.values,
    )
    grey, behind = rows[0]
    return int(grey), int(behind)


def choices() -> dict[str, list[str]]:
    """What the filters may offer: what the latest problems concern."""
    rows = rows_of(
        "SELECT DISTINCT type, environment, system FROM"
        " (SELECT type, environment, system FROM problem ORDER BY last_ns DESC LIMIT 1000) AS latest",
        [],
    )
    names = ("types", "environments", "systems")
    return {name: sorted({str(row[place]) for row in rows} - {""}) for place, name in enumerate(names)}


def one(identity: bytes) -> Problem | None:
    """The problem of this id, or None."""
    asked = f"SELECT {COLUMNS} FROM problem p WHERE p.problem_id = %s AND p.state <> 'forming'"
    return next(iter(_read(asked, [identity])), None)


def named(identities: Iterable[bytes]) -> dict[bytes, Problem]:
    """Problems by their ids: the causes of those on a page."""
    wanted = list(set(identities))
    if not wanted:
        return {}
    asked = f"SELECT {COLUMNS} FROM problem p WHERE p.problem_id = ANY(%s) AND p.state <> 'forming'"
    return {found.identity: found for found in _read(asked, [wanted])}


def of_flows(flow_ids: Sequence[bytes]) -> dict[bytes, list[dict[str, str]]]:
    """The contract's `flow.problems` of these flows (or trace ids): problems that stand and that they are wrong in now.

    Flows without one are absent. Served by problem_flow_flow.
    """
    told: dict[bytes, list[dict[str, str]]] = {}
    if not flow_ids:
        return told
    rows = rows_of(
        "SELECT DISTINCT f.flow_id, p.severity, p.opened_ns, p.problem_id, p.kind, p.title"
        " FROM problem_flow f JOIN problem p ON p.problem_id = f.problem_id"
        " WHERE f.flow_id = ANY(%s) AND f.until_ns IS NULL AND p.state NOT IN ('forming', 'resolved')"
        " ORDER BY p.severity DESC, p.opened_ns, p.problem_id",
        [list(flow_ids)],
    )
    for flow_id, _, _, identity, kind, title in rows:
        url = f"{settings.URL}/problems/{bytes(identity).hex()}"
        told.setdefault(bytes(flow_id), []).append({"kind": kind, "title": title, "url": url})
    return told


def _conditions(question: ProblemQuestion) -> Conditions:
    asked = Conditions()
    if question.state == "all":
        asked.add("p.state <> 'forming'")
    else:
        asked.add("p.state = %s", question.state)
    for column, value in (
        ("kind", question.kind),
        ("type", question.type),
        ("environment", question.environment),
        ("system", question.system),
    ):
        if value:
            asked.add(f"p.{column} = %s", value)
    if question.grey:
        asked.add("p.severity < 2" if question.grey == "only" else "p.severity >= 2")
    return asked


def _read(sql: str, values: list[Any]) -> list[Problem]:
    return [_problem(row) for row in rows_of(sql, values)]


def _problem(row: Sequence[Any]) -> Problem:
    told = list(row)
    told[0] = bytes(told[0])
    told[17] = None if told[17] is None else bytes(told[17])
    told[18:20] = [as_mapping(told[18]), as_mapping(told[19])]
    return Problem(*told)


def as_mapping(text: str | None) -> dict[str, Any]:
    """A jsonb column, which Django hands over as text; empty where it is null or no object."""
    told = orjson.loads(text) if isinstance(text, str) else text
    return told if isinstance(told, dict) else {}
