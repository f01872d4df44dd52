"""A question's filters as SQL conditions with their parameters.

Split in two: `indexed` conditions follow an index whose order is the list's, `picky` ones are checked row by row,
so a list with picky conditions is read in bounded windows (`timeline.queries.windows`).
"""

from dataclasses import dataclass, field
from typing import Any

from timeline.kinds import KIND_NUMBERS
from timeline.question import Question

REQUEST_FAILING = "root_status = 2"
# `FlowSummary.status` of a trace, from one of its rows: most traces have no other, and only where one has are all
# its days put together, which takes ten times as long.
REQUEST_STATUS = """CASE WHEN EXISTS (
    SELECT FROM request AS other WHERE other.trace_id = request.trace_id AND other.day <> request.day
) THEN coalesce((
    SELECT CASE WHEN rooted.root_status = 2 THEN 'error' ELSE 'ok' END FROM request AS rooted
    WHERE rooted.trace_id = request.trace_id AND rooted.root IS NOT NULL ORDER BY rooted.root LIMIT 1
), 'open') WHEN root IS NULL THEN 'open' WHEN root_status = 2 THEN 'error' ELSE 'ok' END"""


@dataclass(slots=True)
class Conditions:
    """Conditions that must all hold."""

    texts: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, text: str, *values: Any) -> None:
        self.texts.append(text)
        self.values.extend(values)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def __add__(self, other: "Conditions") -> "Conditions":
        return Conditions(self.texts + other.texts, self.values + other.values)

    @property
    def where(self) -> str:
        return f"WHERE {' AND '.join(self.texts)}" if self.texts else ""

    @property
    def told(self) -> str:
        """One expression: true where nothing is asked."""
        return " AND ".join(self.texts) or "true"


@dataclass(frozen=True, slots=True)
class Clauses:
    table: str
    identity: str  # the column that ends the order
    failing: str  # true for a row that carries an error
    indexed: Conditions
    picky: Conditions
    costly: bool = False  # whether `picky` looks at other rows too: some ten times as long


# As `summaries` says it: the owner's word where the type has an owner and it spoke, else the latest. Types without one,
# most of them, cost a look into a short array that is read once.
_STATE = """CASE WHEN type = ANY(ARRAY(SELECT type FROM tracing_typesettings WHERE owner <> '')) THEN coalesce((
    SELECT s.state FROM tracing_typesettings t JOIN current_state s ON s.system = t.owner
    WHERE t.type = flow.type AND s.flow_id = flow.flow_id), state, step) ELSE coalesce(state, step) END"""


def flow_clauses(question: Question) -> Clauses:
    indexed, picky = _range(question), Conditions()
    if question.type:
        indexed.add("type = %s", question.type)
    if question.kind:
        picky.add("kind = %s", KIND_NUMBERS[question.kind])
    _common(question, picky)
    if question.status:
        picky.add({"ok": "errors = 0", "error": "errors > 0", "open": "false"}[question.status])
    _standing(question, picky)
    for word in question.words:
        # In collation "C" the same comparison takes half the time, but it folds the case of ASCII letters only.
        collation = 'COLLATE "C"' if word.isascii() else ""
        picky.add(f"(type || ' ' || key) {collation} ILIKE %s", f"%{escaped(word)}%")
    return Clauses("flow", "flow_id", "errors > 0", indexed, picky)


def request_clauses(question: Question) -> Clauses:
    """A status is one of all days of a trace; what one row can rule out by itself is ruled out first."""
    indexed, picky = _range(question), Conditions()
    if question.type and question.type != "trace":
        picky.add("false")
    _common(question, picky)
    if question.status:
        narrow = {"ok": "root_status IS DISTINCT FROM 2", "open": "root IS NULL"}
        picky.add(
            f"({narrow.get(question.status, REQUEST_FAILING)} AND {REQUEST_STATUS} = %s)", question.status
        )
    if question.state or question.step or question.verdict or question.waits or question.grey:
        picky.add("false")
    for word in question.words:
        like = f"%{escaped(word)}%"
        picky.add(
            "(root_name ILIKE %s OR root_service ILIKE %s OR encode(trace_id, 'hex') LIKE %s OR 'trace' = %s)",
            like,
            like,
            f"{escaped(word.lower())}%",
            word.lower(),
        )
    return Clauses("request", "trace_id", REQUEST_FAILING, indexed, picky, bool(question.status))


def standing_at(question: Question) -> Conditions:
    """What a question asks of a row of `expectation` (as `e`), its verdict aside."""
    asked = Conditions()
    if question.waits:
        asked.add("e.awaited_step = %s", question.waits)
    if question.state:
        asked.add("e.step = %s", question.state)
    if question.step:
        asked.add("coalesce(e.step, '') = ''")
    if question.grey:
        asked.add("NOT e.quiet")
    return asked


def escaped(text: str) -> str:
    """Text as itself inside a LIKE pattern."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _standing(question: Question, picky: Conditions) -> None:
    """Where a flow is: as its own row says, or as it was judged where a verdict is asked for with it."""
    if not (question.verdict or question.waits or question.grey or question.step):
        if question.state:
            picky.add(f"{_STATE} = %s", question.state)
        return
    asked = Conditions(["e.flow_id = flow.flow_id"])
    if question.verdict == "open":
        asked.add("e.verdict <> 'ended'")
    elif question.verdict:
        asked.add("e.verdict = %s", question.verdict)
    asked = asked + standing_at(question)
    picky.add(f"EXISTS (SELECT FROM expectation e {asked.where})", *asked.values)


def _range(question: Question) -> Conditions:
    indexed = Conditions()
    if question.from_minute is not None:
        indexed.add("activity >= %s", question.from_minute)
    if question.to_minute is not None:
        indexed.add("activity < %s", question.to_minute)
    return indexed


def _common(question: Question, picky: Conditions) -> None:
    if question.environment:
        picky.add("environment = %s", question.environment)
    if question.service:
        picky.add("services @> ARRAY[%s]::text[]", question.service)
