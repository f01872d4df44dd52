"""How flows of a type go, as a person confirmed it: `people.TypeSettings` as the value that `layout.manner` works with."""

import orjson
from django.db import connection

from timeline.layout.manner import ANY, Manner, manner


def read_manner(type: str) -> Manner:
    """Of one type; restricts nothing where nobody has said how it goes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT phases::text, transitions::text, incompatible::text FROM tracing_typesettings WHERE type = %s",
            [type],
        )
        row = cursor.fetchone()
    return manner(*map(orjson.loads, row)) if row else ANY
