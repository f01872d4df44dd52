"""Takes a flow's key out of what was written about it: problems, flips, messages, notes, examples of expectations.

Where a text belongs to a problem of the flow the key goes wherever it stands as a word; elsewhere only where it is named
as this flow (`order 4711`, its address, its id), because 4711 may be anything. `erasing` calls it.
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


_WHERE = (
    _Texts("problem", ("title", "why", "step"), ("evidence", "quieted"), True),
    _Texts("flip", ("sentence", "step"), ("evidence",), True),
    _Texts("message", ("subject", "body", "url", "error"), ("facts",), True),
    _Texts("tracing_note", ("text",), (), True),
    _Texts("failure", ("message", "operation"), ()),
    _Texts("learned", (), ("facts",)),
    _Texts("expectation", (), ("evidence",)),
    _Texts("tracing_expectationrule", (), ("backtest",)),
    _Texts("tracing_maintenance", ("reason",), ()),
    _Texts("tracing_closure", ("reason",), ()),
)


def scrub(cursor: Any, type: str, key: str, flow_id: bytes, problems: Sequence[bytes]) -> int:
    """Take the key out; how many rows were changed. In the caller's transaction."""
    named = _named(type, key, flow_id)
    as_word = re.compile(rf"(?<![\w-]){re.escape(key)}(?![\w-])")
    # JSON writes some characters another way: what the database looks for is the longest plain part of the key.
    part = max(re.split(r'["\\\x00-\x1f]', key), key=len)
    wanted = [f"%{_escaped(one)}%" for one in (part, flow_id.hex()) if one]
    changed = 0
    for where in _WHERE:
        for place, problem_id, *values in _rows(cursor, where, wanted):
            pattern = [*named, as_word] if problem_id is not None and bytes(problem_id) in problems else named
            left = [_without(value, pattern, flow_id.hex()) for value in values]
            if left != values:
                _write(cursor, where, place, left)
                changed += 1
    return changed


def _named(type: str, key: str, flow_id: bytes) -> list[re.Pattern[str]]:
    """Ways of writing this very flow."""
    keys = sorted({key, quote(key, safe=""), quote(key), quote_plus(key)}, key=len, reverse=True)
    told = "|".join(map(re.escape, keys))
    return [
        re.compile(rf"(?<={re.escape(type)}[ /=:])(?:{told})(?![\w-])"),
        re.compile(rf"(?<=[?&]key=)(?:{told})(?![\w-])"),
        re.compile(flow_id.hex()),
    ]


def _rows(cursor: Any, where: _Texts, wanted: list[str]) -> list[tuple[Any, ...]]:
    columns = [*where.texts, *where.documents]
    question = sql.SQL(
        "SELECT ctid::text, {problem}, {columns} FROM {table} WHERE concat_ws(' ', {texts}) LIKE ANY(%s) FOR UPDATE"
    ).format(
        problem=sql.SQL("problem_id" if where.problem else "NULL::bytea"),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        table=sql.Identifier(where.table),
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(one)) for one in columns),
    )
    found: list[tuple[Any, ...]] = cursor.execute(question, (wanted,)).fetchall()
    return found


def _write(cursor: Any, where: _Texts, place: str, values: Sequence[Any]) -> None:
    columns = [*where.texts, *where.documents]
    set_all = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(one)) for one in columns)
    texts = list(values[: len(where.texts)])
    documents = [None if one is None else Jsonb(one) for one in values[len(where.texts) :]]
    question = sql.SQL("UPDATE {} SET {} WHERE ctid = %s::tid").format(sql.Identifier(where.table), set_all)
    cursor.execute(question, (*texts, *documents, place))


def _without(value: Any, patterns: Iterable[re.Pattern[str]], flow_hex: str) -> Any:
    """The same without the key; examples that are this flow go whole."""
    if isinstance(value, str):
        for pattern in patterns:
            value = pattern.sub(ERASED, value)
        return value
    if isinstance(value, dict):
        return {name: _without(one, patterns, flow_hex) for name, one in value.items()}
    if isinstance(value, list):
        kept = [one for one in value if not (isinstance(one, dict) and one.get("flow") == flow_hex)]
        return [_without(one, patterns, flow_hex) for one in kept]
    return value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
