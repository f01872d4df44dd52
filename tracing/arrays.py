"""Rows as PostgreSQL's binary arrays, one a column, packed by hand.

psycopg packs an array item by item; a storing transaction (`tracing.summing`) sends fifty of them, and this takes
a quarter of the time. The parameters are %b, and the statement's casts (%b::bigint[]) say what they are.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

# One letter a column: numbers by `struct`'s letter, b for bytea, t for text. The size and PostgreSQL's id of each.
_NUMBERS = {"h": (2, 21), "i": (4, 23), "q": (8, 20)}
_BYTEA, _TEXT = 17, 25
_NULL = b"\xff\xff\xff\xff"
_EMPTY = Struct(">iii").pack
_HEAD = Struct(">iiiii").pack
_length = Struct(">i").pack


class Packed(bytes):
    """An array as the database receives it."""


class _AsItIs(Dumper):
    """No type of its own: the database takes the one of the cast."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> Buffer:
        return obj


psycopg.adapters.register_dumper(Packed, _AsItIs)


def columns(letters: str, rows: Iterable[Sequence[Any]]) -> list[Packed]:
    """The columns of rows, each packed as its letter says; None is NULL."""
    found = list(zip(*rows, strict=True)) or [()] * len(letters)
    return [array(letter, column) for letter, column in zip(letters, found, strict=True)]


def array(letter: str, values: Sequence[Any]) -> Packed:
    """One column."""
    oid = _NUMBERS[letter][1] if letter in _NUMBERS else _BYTEA if letter == "b" else _TEXT
    if not values:
        return Packed(_EMPTY(0, 0, oid))
    return Packed(_HEAD(1, None in values, oid, len(values), 1) + _items(letter, values))


def _items(letter: str, values: Sequence[Any]) -> bytes:
    if letter in _NUMBERS:
        return _numbers(letter, values)
    return b"".join([_NULL if value is None else _sized(value, letter) for value in values])


def _sized(value: Any, letter: str) -> bytes:
    raw: bytes = value.encode() if letter == "t" else value
    return _length(len(raw)) + raw


def _numbers(letter: str, values: Sequence[int | None]) -> bytes:
    size = _NUMBERS[letter][0]
    if None in values:
        one = Struct(f">i{letter}").pack
        return b"".join([_NULL if value is None else one(size, value) for value in values])
    # Every second place is the size, which does not change.
    parts = [size] * (2 * len(values))
    parts[1::2] = values  # type: ignore[assignment]  # none of them is None
    return _run(letter, len(values))(*parts)


@lru_cache(maxsize=1024)
def _run(letter: str, count: int) -> Callable[..., bytes]:
    return Struct(">" + f"i{letter}" * count).pack
