"""`manage.py migrate`: Django's, behind a lock, so that two starting at once do not race.

The first migrates, the second waits and finds nothing left to do.
"""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

# Of all advisory locks of Threadline this one guards migrating: "TLMI".
LOCK = 0x544C4D49


class Command(migrate.Command):
    # Tables do not depend on pages: starting up need not load them all to check their addresses.
    requires_system_checks: list[str] = []  # noqa: RUF012  (Django's own declaration)

    def handle(self, *arguments: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        try:
            super().handle(*arguments, **options)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
