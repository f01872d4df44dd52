"""Keys that begin with a searched word, far behind where a search by time was cut.

Free text has no index, so among a million flows `timeline.queries.windows` stops early; but who types a whole order
number wants that order now. `timeline.queries.listing` shows these on the first page, and the pages after it
leave them out.
"""

from timeline.queries.clauses import Clauses, Conditions, escaped
from timeline.queries.windows import Row, rows_of
from timeline.question import Position, Question

LEAST_WORD = 3
MAX_CANDIDATES = 2_000


def behind(question: Question, clauses: Clauses, columns: str, after: Position, room: int) -> list[Row]:
    """All flows behind `after` whose key begins with a word; none where they do not fit or are too many to sort."""
    begins = beginning(question)
    if not begins:
        return []
    # Served by flow_key. The limit bounds the rows read; when it is reached the newest may not be among them.
    candidates = f"(SELECT * FROM flow {begins.where} LIMIT {MAX_CANDIDATES + 1}) AS flow"
    counted = rows_of(f"SELECT count(*) FROM {candidates}", begins.values)
    if counted[0][0] > MAX_CANDIDATES:
        return []
    asked = begins + clauses.indexed + clauses.picky
    asked.add("(activity, flow_id) < (%s, %s)", after.activity, after.identity)
    found = rows_of(
        f"SELECT activity, flow_id, {columns} FROM flow {asked.where} ORDER BY activity DESC, flow_id DESC LIMIT %s",
        [*asked.values, room + 1],
    )
    return found if len(found) <= room else []


def beginning(question: Question) -> Conditions:
    """True for keys that begin with a word long enough; empty where there is none."""
    words = [f"{escaped(word)}%" for word in question.words if len(word) >= LEAST_WORD]
    conditions = Conditions()
    if words and not question.of_requests:
        conditions.add(f"({' OR '.join('lower(key) LIKE lower(%s)' for _ in words)})", *words)
    return conditions
