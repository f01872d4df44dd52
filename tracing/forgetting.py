"""What goes with a flow: every row that names it. `retention` forgets flows by age, `undoing` those that a rule made alone,
`erasing` those that a person names.

Kept in one place, because a table that names flows and is forgotten here keeps rows for good.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, LiteralString, Protocol

_OF_A_FLOW: tuple[LiteralString, ...] = (
    "DELETE FROM chapter WHERE flow_id = ANY(%s)",
    "DELETE FROM assertion WHERE flow_id = ANY(%s)",
    "DELETE FROM current_state WHERE flow_id = ANY(%s)",
    "DELETE FROM told_exception WHERE scope_id = ANY(%s)",
    "DELETE FROM expectation WHERE flow_id = ANY(%s)",
    "DELETE FROM stated WHERE flow_id = ANY(%s)",
    "DELETE FROM failure WHERE scope_id = ANY(%s)",
    "DELETE FROM flip WHERE flow_id = ANY(%s)",
    "DELETE FROM problem_flow WHERE flow_id = ANY(%s) AND kind > 0",
    "DELETE FROM message WHERE flow_id = ANY(%s)",
    "DELETE FROM tracing_closure WHERE flow_id = ANY(%s)",
    "DELETE FROM tracing_follow WHERE flow_id = ANY(%s)",
    "DELETE FROM tracing_note WHERE flow_id = ANY(%s)",
)


class Executes(Protocol):
    """A connection or a cursor of psycopg."""

    def execute(self, query: LiteralString, params: Sequence[object], /) -> object: ...


def forget_flows(executes: Executes, ids: Sequence[bytes]) -> None:
    """Delete what names these flows, whose own rows are gone already. In the caller's transaction."""
    for statement in _OF_A_FLOW if ids else ():
        executes.execute(statement, (list(ids),))


def count_flows(cursor: Any, ids: Sequence[bytes]) -> Counter[str]:
    """How many rows name these flows, by table."""
    found: Counter[str] = Counter()
    for statement in _OF_A_FLOW:
        question = statement.replace("DELETE FROM", "SELECT count(*) FROM")
        found[statement.split()[2].removeprefix("tracing_")] += cursor.execute(
            question, (list(ids),)
        ).fetchone()[0]
    return found
