"""Where the database is: a DATABASE_URL read into Django's words, and Django's words as a libpq string.

Pure text work. `tracing.settings` calls the first half, everything that opens a psycopg connection of its
own (the store, the watcher) the second; the embedded server is `tracing.postgres`.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from tracing.sentence import Sentence

# A dead host must not hold a page for minutes, and a half-open connection must be noticed within seconds.
PATIENCE: dict[str, str | int] = {"connect_timeout": 3, "keepalives_idle": 20, "tcp_user_timeout": 10_000}
EXAMPLE = "postgresql://user:password@host:5432/name"


def parse(url: str) -> dict[str, Any]:
    """Django's database settings for a `postgresql://` URL; query options go to libpq as they are.

    Raises Sentence for anything that is no such URL. A socket folder may be given as `?host=/folder`.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError as error:
        raise Sentence(f"DATABASE_URL is not an address ({error}); write {EXAMPLE}.") from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise Sentence(f"DATABASE_URL must start with postgresql://; write {EXAMPLE}.")
    options: dict[str, str | int] = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = str(options.pop("dbname", "")) or unquote(parts.path.lstrip("/"))
    if not name:
        raise Sentence(f"DATABASE_URL names no database; write {EXAMPLE}.")
    return {
        "NAME": name,
        "USER": str(options.pop("user", "")) or unquote(parts.username or ""),
        "PASSWORD": str(options.pop("password", "")) or unquote(parts.password or ""),
        "HOST": str(options.pop("host", "")) or unquote(host),
        "PORT": str(options.pop("port", "")) or (str(port) if port else ""),
        "OPTIONS": PATIENCE | options,
    }


def conninfo(database: Mapping[str, Any] | None = None) -> str:
    """libpq's connection string for Django's default database, or for the given settings.

    Read at the call: the tests point Django at a database of their own after start.
    """
    from psycopg.conninfo import make_conninfo

    if database is None:
        from django.db import connection

        database = connection.settings_dict
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in NOT_LIBPQ}
    return make_conninfo(
        host=database.get("HOST") or None,
        port=database.get("PORT") or None,
        dbname=database["NAME"],
        user=database.get("USER") or None,
        password=database.get("PASSWORD") or None,
        **options,
    )


def described(database: Mapping[str, Any]) -> str:
    """`name at host:port` for sentences, never with the password."""
    port = f":{database['PORT']}" if database.get("PORT") else ""
    return f"{database['NAME']} at {database.get('HOST') or 'the local socket'}{port}"


# Django's own options, which libpq would refuse.
NOT_LIBPQ = frozenset({"pool", "server_side_binding", "isolation_level", "assume_role"})
