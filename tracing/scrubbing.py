"""Takes a flow's key out of what was written about it: problems, flips, messages, notes, links, the audit.

Here is where such texts stand; `striking` says what is left of each. `erasing` calls it, and `snapshots.cleaning` for what
stands in frozen copies.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from psycopg import sql
from psycopg.types.json import Jsonb

from tracing.striking import Pen, Target, sought


class _Texts(NamedTuple):
    table: LiteralString
    texts: tuple[LiteralString, ...]
    documents: tuple[LiteralString, ...]
    # What tells whose a row is: the column of its problem, and whether it has a path.
    problem: LiteralString = "NULL::bytea"
    page: bool = False
    copied: bool = False  # frozen copies have rows of it


_OF_PROBLEM: LiteralString = "problem_id"
# Those whose texts are quoted stand before those that quote them.
_WHERE = (
    _Texts("problem", ("title", "why", "step"), ("evidence", "quieted"), _OF_PROBLEM, copied=True),
    _Texts("flip", ("sentence", "step"), ("evidence",), _OF_PROBLEM, copied=True),
    _Texts("message", ("subject", "body", "url", "error"), ("facts",), _OF_PROBLEM, copied=True),
    _Texts("tracing_note", ("text",), (), _OF_PROBLEM, copied=True),
    _Texts("failure", ("message", "operation"), ()),
    _Texts("learned", (), ("facts",)),
    _Texts("expectation", (), ("evidence",), copied=True),
    _Texts("tracing_expectationrule", (), ("backtest",)),
    _Texts("tracing_maintenance", ("reason",), ()),
    _Texts("tracing_closure", ("reason",), (), copied=True),
    _Texts("tracing_snapshot", ("path", "title", "reason"), (), _OF_PROBLEM, page=True),
    _Texts("tracing_share", ("path", "title", "reason", "query"), (), page=True),
    _Texts("tracing_audit", ("subject", "detail"), ()),
)
COPIED = tuple(where.table for where in _WHERE if where.copied)
# What the audit repeats.
_QUOTED = {
    "problem": ("title",),
    "tracing_snapshot": ("title", "reason"),
    "tracing_share": ("title", "reason"),
}


def scrub(cursor: Any, target: Target, problems: Sequence[bytes], stage_id: int | None = None) -> int:
    """Take the key out; how many rows were changed. In the caller's transaction; of a stage its rows alone."""
    pen = Pen(target)
    wanted = [f"%{_escaped(one)}%" for one in sought(target)]
    changed = 0
    for where in _WHERE if stage_id is None else (one for one in _WHERE if one.copied):
        limits: dict[str, int] | None = None
        for place, problem_id, *values in _rows(cursor, where, wanted, stage_id):
            is_own = problem_id is not None and bytes(problem_id) in problems
            if where.page:
                left = pen.page(values, problems, is_own)
            elif where.table == "tracing_audit":
                left = pen.audit(*values)
            else:
                left = pen.row(values, is_own)
            if left == values:
                continue
            limits = _limits(cursor, where.table) if limits is None else limits
            _write(cursor, where, place, left, stage_id, limits)
            for column, old, new in zip(where.texts, values, left, strict=False):
                if column in _QUOTED.get(where.table, ()):
                    pen.remember(old, new, is_reason=column == "reason")
            changed += 1
    return changed


def _table_and_rows(where: _Texts, stage_id: int | None) -> tuple[sql.Composable, sql.Composable]:
    """The table, and which of its rows."""
    if stage_id is None:
        return sql.Identifier(where.table), sql.SQL("true")
    return sql.Identifier("stage", f"{where.table}_rows"), sql.SQL("stage_id = {}").format(stage_id)


def _rows(cursor: Any, where: _Texts, wanted: list[str], stage_id: int | None) -> list[tuple[Any, ...]]:
    table, of_stage = _table_and_rows(where, stage_id)
    columns = [*where.texts, *where.documents]
    question = sql.SQL(
        "SELECT ctid::text, {problem}, {columns} FROM {table}"
        " WHERE {of_stage} AND concat_ws(' ', {texts}) LIKE ANY(%s) FOR UPDATE"
    ).format(
        problem=sql.SQL(where.problem),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=table,
        of_stage=of_stage,
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in columns),
    )
    found: list[tuple[Any, ...]] = cursor.execute(question, (wanted,)).fetchall()
    return found


def _write(
    cursor: Any,
    where: _Texts,
    place: str,
    values: Sequence[Any],
    stage_id: int | None,
    limits: dict[str, int],
) -> None:
    table, _ = _table_and_rows(where, stage_id)
    columns = [*where.texts, *where.documents]
    set_all = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(one)) for one in columns)
    texts = [
        text if text is None else text[: limits.get(column)]
        for column, text in zip(where.texts, values, strict=False)
    ]
    documents = [None if one is None else Jsonb(one) for one in values[len(where.texts) :]]
    question = sql.SQL("UPDATE {} SET {} WHERE ctid = %s::tid").format(table, set_all)
    cursor.execute(question, (*texts, *documents, place))


def _limits(cursor: Any, table: str) -> dict[str, int]:
    """How long the texts of a table may be: what takes a key's place is longer than most."""
    cursor.execute(
        "SELECT column_name, character_maximum_length FROM information_schema.columns"
        " WHERE table_name = %s AND table_schema = 'public' AND character_maximum_length IS NOT NULL",
        (table,),
    )
    return dict(cursor.fetchall())


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
