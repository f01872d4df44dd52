"""Takes a flow's key out of what was written about it: problems, flips, messages, notes, links, the audit.

Where a text belongs to a problem of the flow the key goes wherever it stands as a word; elsewhere only where it is named
as this flow (`order 4711`, its address, its id), because 4711 may be anything. `erasing` calls it, and
`snapshots.erasing` for what stands in frozen copies.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, LiteralString, NamedTuple
from urllib.parse import quote, quote_plus

from psycopg import sql
from psycopg.types.json import Jsonb

ERASED = "[forgotten]"


class _Texts(NamedTuple):
    table: LiteralString
    texts: tuple[LiteralString, ...]
    documents: tuple[LiteralString, ...]
    problem: bool = False  # rows tell which problem they are of
    copied: bool = False  # frozen copies have rows of it


_WHERE = (
    _Texts("problem", ("title", "why", "step"), ("evidence", "quieted"), True, True),
    _Texts("flip", ("sentence", "step"), ("evidence",), True, True),
    _Texts("message", ("subject", "body", "url", "error"), ("facts",), True, True),
    _Texts("tracing_note", ("text",), (), True, True),
    _Texts("failure", ("message", "operation"), ()),
    _Texts("learned", (), ("facts",)),
    _Texts("expectation", (), ("evidence",), copied=True),
    _Texts("tracing_expectationrule", (), ("backtest",)),
    _Texts("tracing_maintenance", ("reason",), ()),
    _Texts("tracing_closure", ("reason",), (), copied=True),
    _Texts("tracing_share", ("title", "path", "query", "reason"), ()),
    _Texts("tracing_snapshot", ("title", "path", "reason"), ()),
    _Texts("tracing_audit", ("subject", "detail"), ()),
)
COPIED = tuple(where.table for where in _WHERE if where.copied)
# Between a type and a key: as people write it, in an address, and in an address within an address.
_BETWEEN = r"(?:[ /=:+]|%20|%2F|%3A|%3D)"


def scrub(
    cursor: Any, type: str, key: str, flow_id: bytes, problems: Sequence[bytes], stage_id: int | None = None
) -> int:
    """Take the key out; how many rows were changed. In the caller's transaction; of a stage its rows alone."""
    named = _named(type, key, flow_id)
    as_word = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
    wanted = [f"%{_escaped(one)}%" for one in sought(key, flow_id)]
    changed = 0
    for where in _WHERE if stage_id is None else (one for one in _WHERE if one.copied):
        for place, problem_id, *values in _rows(cursor, where, wanted, stage_id):
            pattern = [*named, as_word] if problem_id is not None and bytes(problem_id) in problems else named
            left = [_without(value, pattern, flow_id.hex()) for value in values]
            if left != values:
                _write(cursor, where, place, left, stage_id)
                changed += 1
    return changed


def sought(key: str, flow_id: bytes) -> set[str]:
    """What stands wherever the flow is named, however it is written.

    JSON and addresses write some characters another way, so of the key its longest plain part.
    """
    return {max(re.split(r"[^A-Za-z0-9._~-]", key), key=len) or key, flow_id.hex()}


def _named(type: str, key: str, flow_id: bytes) -> list[re.Pattern[str]]:
    """Ways of writing this very flow."""
    told, types = _ways(key), _ways(type)
    return [
        re.compile(rf"(?P<before>(?:{types}){_BETWEEN})(?:{told})(?![\w-])"),
        re.compile(rf"(?P<before>[?&]key=|%26key%3D|%3Fkey%3D)(?:{told})(?![\w-])"),
        re.compile(flow_id.hex()),
    ]


def _ways(text: str) -> str:
    """A pattern of the text as it is written, in an address, and in an address within an address."""
    once = {text, quote(text, safe=""), quote(text), quote_plus(text)}
    ways = {*once, *(quote(one, safe="") for one in once)}
    return "|".join(map(re.escape, sorted(ways, key=len, reverse=True)))


def _place(where: _Texts, stage_id: int | None) -> tuple[sql.Composable, sql.Composable]:
    """The table, and which of its rows."""
    if stage_id is None:
        return sql.Identifier(where.table), sql.SQL("true")
    return sql.Identifier("stage", f"{where.table}_rows"), sql.SQL("stage_id = {}").format(stage_id)


def _rows(cursor: Any, where: _Texts, wanted: list[str], stage_id: int | None) -> list[tuple[Any, ...]]:
    table, of_stage = _place(where, stage_id)
    columns = [*where.texts, *where.documents]
    question = sql.SQL(
        "SELECT ctid::text, {problem}, {columns} FROM {table}"
        " WHERE {of_stage} AND concat_ws(' ', {texts}) LIKE ANY(%s) FOR UPDATE"
    ).format(
        problem=sql.SQL("problem_id" if where.problem else "NULL::bytea"),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=table,
        of_stage=of_stage,
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in columns),
    )
    found: list[tuple[Any, ...]] = cursor.execute(question, (wanted,)).fetchall()
    return found


def _write(cursor: Any, where: _Texts, place: str, values: Sequence[Any], stage_id: int | None) -> None:
    table, _ = _place(where, stage_id)
    columns = [*where.texts, *where.documents]
    set_all = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(one)) for one in columns)
    limits = _limits(cursor, where.table)
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


def _without(value: Any, patterns: Iterable[re.Pattern[str]], flow_hex: str) -> Any:
    """The same without the key; examples that are this flow go whole."""
    if isinstance(value, str):
        for pattern in patterns:
            value = pattern.sub(_erased, value)
        return value
    if isinstance(value, dict):
        return {
            _without(name, patterns, flow_hex): _without(one, patterns, flow_hex)
            for name, one in value.items()
        }
    if isinstance(value, list):
        kept = [one for one in value if not (isinstance(one, dict) and one.get("flow") == flow_hex)]
        return [_without(one, patterns, flow_hex) for one in kept]
    return value


def _erased(found: re.Match[str]) -> str:
    return found.groupdict().get("before", "") + ERASED


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
