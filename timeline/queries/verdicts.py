"""Flows of one verdict: wrong ones are few, so their ids come first and the list is read by them.

A list by activity would look at a million flows that move to find twenty that are stuck. Where the wrong ones are
many too, `timeline.queries.windows` finds them soon enough by the condition of `timeline.queries.clauses`.
"""

from timeline.queries.clauses import Conditions, standing_at
from timeline.queries.windows import rows_of
from timeline.question import Question

# Those that index expectation_wrong holds.
WRONG = frozenset({"due", "late", "stuck", "unknown", "paused"})
MOST = 20_000


def identities(question: Question) -> list[bytes] | None:
    """The ids of all flows of a wrong verdict that fit; None where another verdict is asked for, or they are too many."""
    if question.verdict not in WRONG or question.of_requests:
        return None
    asked = Conditions()
    asked.add("e.verdict = %s", question.verdict)
    for column, value in (("type", question.type), ("environment", question.environment)):
        if value:
            asked.add(f"e.{column} = %s", value)
    asked = asked + standing_at(question)
    # Served by expectation_wrong.
    rows = rows_of(f"SELECT e.flow_id FROM expectation e {asked.where} LIMIT %s", [*asked.values, MOST + 1])
    return [bytes(row[0]) for row in rows] if len(rows) <= MOST else None
