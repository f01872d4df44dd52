"""Whether pages can be served: the database answers and holds our newest table layout.

The pages' half of `/readyz` (`tracing.health`); the collector asks its store instead.
"""

from pathlib import Path

from django.db import DatabaseError, InterfaceError, close_old_connections, connection

MIGRATIONS = Path(__file__).parent / "migrations"


def newest_migration() -> str:
    return max(path.stem for path in MIGRATIONS.glob("[0-9]*.py"))


def why_not_ready() -> str | None:
    """A sentence, or None when ready."""
    # No request surrounds this call, so nobody else looks whether the kept connection still lives.
    close_old_connections()
    try:
        found = newest_is_there()
    except (DatabaseError, InterfaceError) as error:
        if connection.connection is None or not connection.is_usable():
            return f"The database does not answer: {first_line(error)}"
        found = False
    finally:
        close_old_connections()
    return None if found else "The database is not migrated: run `manage.py migrate`."


def newest_is_there() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM django_migrations WHERE app = 'tracing' AND name = %s", [newest_migration()]
        )
        return cursor.fetchone() is not None


def first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
