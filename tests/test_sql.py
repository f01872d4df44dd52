"""SQL that is put together holds constants and what this list names; values are always parameters.

A scanner (bandit's B608) cannot tell the two apart and marks every such statement. A new expression in one is looked at
here first: it must be made of literals of our own, never of what somebody sent.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
STATEMENT = re.compile(
    r"select\s.*from\s|delete\s+from\s|insert\s+into\s|update\s.*set\s", re.IGNORECASE | re.DOTALL
)
CONSTANT = re.compile(r"(\w+\.)?_?[A-Z][A-Z0-9_]*")
# Names of our tables and columns, and conditions whose values are `%s`.
KNOWN: dict[str, set[str]] = {
    "timeline/queries/asides.py": {"columns", "order", "rows"},
    "timeline/queries/attributes.py": {"conditions.where", "logs.told", "spans.told", "tests"},
    "timeline/queries/chart.py": {
        "asked.where",
        "clauses.failing",
        "clauses.indexed.where",
        "clauses.table",
        "inside.where",
        "one",
        "sample",
    },
    "timeline/queries/clauses.py": {"asked.where"},
    "timeline/queries/find.py": {"condition"},
    "timeline/queries/keys.py": {
        "MAX_CANDIDATES + 1",
        "asked.where",
        "begins.where",
        "candidates",
        "columns",
    },
    "timeline/queries/problems.py": {"asked.where"},
    "timeline/queries/requests.py": {"passes.told"},
    "timeline/queries/skeleton.py": {
        "TYPE_AND_MESSAGE.format(\"(told -> 'attributes')\")",
        "columns",
        "source",
    },
    "timeline/queries/usual.py": {"SPAN_FIELDS['operation']"},
    "timeline/queries/verdicts.py": {"asked.where"},
    "timeline/queries/windows.py": {"clauses.table", "conditions.where", "identity", "wanted"},
    "tracing/retention.py": {"table"},
    "tracing/watch/ledger.py": {"', '.join(['%s'] * 26)", "table"},
    "tracing/watch/rounds.py": {"which"},
    "tracing/watch/volumes.py": {"table"},
    "tracing/watch/waking.py": {"MOST + 1", "moved", "sooner", "wanted"},
}


def expressions(path: Path) -> Iterator[str]:
    """What is put into SQL of this file, other than constants."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.JoinedStr):
            continue
        text = "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
        if STATEMENT.search(text):
            told = (ast.unparse(part.value) for part in node.values if isinstance(part, ast.FormattedValue))
            yield from (one for one in told if not CONSTANT.fullmatch(one))


def test_sql_is_put_together_of_our_own_literals() -> None:
    paths = [path for folder in ("tracing", "timeline") for path in (ROOT / folder).rglob("*.py")]
    found = {
        str(path.relative_to(ROOT)): told
        for path in paths
        if "migrations" not in path.parts and (told := set(expressions(path)))
    }
    assert found == KNOWN
