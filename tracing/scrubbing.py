"""Takes a flow's key out of what was written about it: problems, flips, messages, notes, links, the audit.

Here is where such texts stand; `striking` says what is left of each. `erasing` calls it, and `snapshots.cleaning` for what
stands in frozen copies. Who stores meanwhile waits for rows that are changed, and for no others: what is looked for is
found in many that stay as they are.
"""

from collections.abc import Iterator, Sequence
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
# Rows that are read at once.
STEP = 1_000


def scrub(cursor: Any, target: Target, problems: Sequence[bytes], stage_id: int | None = None) -> int:
    """Take the key out; how many rows were changed. In the caller's transaction; of a stage its rows alone."""
    pen = Pen(target)
    wanted = [f"%{_escaped(one)}%" for one in sought(target)]
    changed = 0
    for where in _WHERE if stage_id is None else (one for one in _WHERE if one.copied):
        is_missed = True
        while is_missed:
            written, is_missed = _scrub_table(cursor, pen, where, wanted, problems, stage_id)
            changed += written
    return changed


def _scrub_table(
    cursor: Any, pen: Pen, where: _Texts, wanted: list[str], problems: Sequence[bytes], stage_id: int | None
) -> tuple[int, bool]:
    """How many rows were changed, and whether somebody else changed one that was to be, so that it is to be read again."""
    changed, is_missed = 0, False
    limits: dict[str, int] | None = None
    for place, xid, problem_id, *values in _rows(cursor, where, wanted, stage_id):
        left = _left(pen, where, problem_id, values, problems)
        if left == values:
            continue
        limits = _limits(cursor, where.table) if limits is None else limits
        if not _write(cursor, where, (place, xid), left, stage_id, limits):
            is_missed = True
            continue
        for column, old, new in zip(where.texts, values, left, strict=False):
            if column in _QUOTED.get(where.table, ()):
                pen.remember(old, new, is_reason=column == "reason")
        changed += 1
    return changed, is_missed


def _left(
    pen: Pen, where: _Texts, problem_id: bytes | None, values: list[Any], problems: Sequence[bytes]
) -> list[Any]:
    """What is left of a row's texts."""
    is_own = problem_id is not None and bytes(problem_id) in problems
    if where.page:
        return pen.page(values, problems, is_own)
    return pen.audit(*values) if where.table == "tracing_audit" else pen.row(values, is_own)


def _table_and_rows(where: _Texts, stage_id: int | None) -> tuple[sql.Composable, sql.Composable]:
    """The table, and which of its rows."""
    if stage_id is None:
        return sql.Identifier(where.table), sql.SQL("true")
    return sql.Identifier("stage", f"{where.table}_rows"), sql.SQL("stage_id = {}").format(stage_id)


def _rows(cursor: Any, where: _Texts, wanted: list[str], stage_id: int | None) -> Iterator[tuple[Any, ...]]:
    """Rows that may name the flow: their version (place and transaction), whose problem's they are, their texts."""
    table, of_stage = _table_and_rows(where, stage_id)
    columns = [*where.texts, *where.documents]
    question = sql.SQL(
        "SELECT ctid::text, xmin::text, {problem}, {columns} FROM {table}"
        " WHERE {of_stage} AND concat_ws(' ', {texts}) LIKE ANY(%s)"
    ).format(
        problem=sql.SQL(where.problem),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=table,
        of_stage=of_stage,
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in columns),
    )
    with cursor.connection.cursor("texts") as reading:
        reading.itersize = STEP
        yield from reading.execute(question, (wanted,))


def _write(
    cursor: Any,
    where: _Texts,
    version: tuple[str, str],
    values: Sequence[Any],
    stage_id: int | None,
    limits: dict[str, int],
) -> bool:
    """False where the row is another by now."""
    table, _ = _table_and_rows(where, stage_id)
    columns = [*where.texts, *where.documents]
    set_all = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(one)) for one in columns)
    texts = [
        text if text is None else text[: limits.get(column)]
        for column, text in zip(where.texts, values, strict=False)
    ]
    documents = [None if one is None else Jsonb(one) for one in values[len(where.texts) :]]
    question = sql.SQL("UPDATE {} SET {} WHERE ctid = %s::tid AND xmin = %s::xid").format(table, set_all)
    return bool(cursor.execute(question, (*texts, *documents, *version)).rowcount)


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
