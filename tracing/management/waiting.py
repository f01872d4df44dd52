"""Whether a long-running command waits for a database that is away.

`manage.py up` starts its parts with `--wait`, because it has looked itself and the database may come and go;
who starts one by hand is told at once, in the words of `tracing.up`.
"""

from typing import Any

from django.core.management.base import CommandParser

from tracing import guarding, up


def add_argument(parser: CommandParser) -> None:
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for a database that does not answer instead of refusing to start",
    )


def demand(options: dict[str, Any], *, listens: bool = False) -> None:
    """Raises Sentence where the database does not answer and nobody said to wait for it.

    So it does for what `listens` where other machines reach it and nobody has been made an administrator. Who waits is closed
    until then: without a user nobody can sign in, without a key nobody can send.
    """
    if not options["wait"]:
        up.demand_database()
        if listens:
            guarding.demand_people()
