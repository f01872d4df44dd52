"""Whether Threadline is open, and what it still needs before other machines may reach it.

On this machine alone and without users it is open to everybody who sits at it. Any other address is refused by `up`, `pages`
and `collect` until there are an administrator, a sender's key, a secret and https. `tracing.ports` knows addresses.
"""

from typing import Any

from tracing import ports, settings
from tracing.sentence import Sentence

_SECRET = "THREADLINE_SECRET (at least 32 random characters)"
_HTTPS = "THREADLINE_URL with https (or with http and THREADLINE_PROXY=1, behind a proxy that ends TLS)"
_ADMINISTRATOR = "an administrator (`manage.py user create NAME --role administrator`)"
_KEY = "a key for senders (`manage.py key create NAME`)"

_LACKS = """
SELECT NOT EXISTS (SELECT FROM tracing_user WHERE role = 3 AND is_active),
    NOT EXISTS (SELECT FROM tracing_senderkey WHERE revoked_ns IS NULL AND until_ns IS NULL)
"""
# Set by the process that listens: `--host` may say something else than the settings.
_reachable = False


def listening(host: str) -> str:
    """The number to bind for `host`; from here on this process knows whether others can reach it. Raises Sentence."""
    global _reachable
    found = ports.number_of(host)
    _reachable = not ports.is_loopback(found)
    if _reachable and (lacking := _unset()):
        raise Sentence(
            _sentence(host, [*lacking, "an administrator and a key for senders, if there are none yet"])
        )
    return found


def is_reachable() -> bool:
    """Whether other machines can reach this process."""
    return _reachable or not ports.is_loopback(settings.HOST)


def is_open() -> bool:
    """Local mode: nobody but this machine reaches us, and nobody was made a user."""
    from tracing import users

    return not is_reachable() and not users.exist()


def demand_people(host: str) -> None:
    """Raises Sentence where others can reach us and there is no administrator or no key. Needs the migrated database."""
    if not is_reachable():
        return
    import psycopg

    from tracing.database import conninfo

    try:
        with psycopg.connect(conninfo(settings.DATABASES["default"])) as connection:
            row: Any = connection.execute(_LACKS).fetchone()
    except psycopg.errors.UndefinedTable:
        row = (True, True)
    lacking = [word for word, lacks in zip((_ADMINISTRATOR, _KEY), row, strict=True) if lacks]
    if lacking:
        raise Sentence(_sentence(host, lacking))


def _unset() -> list[str]:
    given = ((_SECRET, settings.SECRET), (_HTTPS, settings.IS_HTTPS and settings.HAS_URL))
    return [word for word, there in given if not there]


def _sentence(host: str, lacking: list[str]) -> str:
    return (
        f"Other machines can reach {host}, so Threadline does not start there before it has {_listed(lacking)}; "
        "with --host 127.0.0.1 it starts for this machine alone."
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{'; '.join(words[:-1])}; and {words[-1]}"
