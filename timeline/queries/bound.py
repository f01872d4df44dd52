"""Queries whose parameters the server binds: large arrays go packed (`tracing.arrays`), large answers come in binary.

Django's own cursor writes every value into the statement's text and asks for text, which is fine for lists and takes as
long as the query itself for a window of five hundred ids.
"""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg import Cursor


def fetched(sql: str, asked: Mapping[str, Any], *, binary: bool = False) -> list[tuple[Any, ...]]:
    """All rows. jsonb comes as text, in binary as objects."""
    with (
        connection.cursor() as wrapped,
        connection.wrap_database_errors,
        Cursor(wrapped.connection) as cursor,
    ):
        cursor.execute(sql.encode(), asked, prepare=False, binary=binary)
        return cursor.fetchall()
