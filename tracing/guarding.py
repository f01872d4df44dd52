"""Whether Threadline is open, and what it still needs before other machines may reach it.

On this machine alone and without users it is open to everybody who sits at it. Once others can reach it, by the address it
listens on, through a proxy or by the name its links have, `up`, `pages` and `collect` refuse to start until there are an
administrator, a sender's key, a secret and https. `tracing.ports` knows addresses.
"""

from typing import Any
from urllib.parse import urlsplit

from tracing import ports, settings
from tracing.sentence import Sentence

_SECRET = "THREADLINE_SECRET (at least 32 random characters)"
_HTTPS = "THREADLINE_URL with https (or with http and THREADLINE_PROXY=1, behind a proxy that ends TLS)"
_ADMINISTRATOR = "an administrator (`manage.py user create NAME --role administrator`)"
EVERYWHERE = "0.0.0.0"
_KEY = "a key for senders (`manage.py key create NAME`)"

_LACKS = """
SELECT NOT EXISTS (SELECT FROM tracing_user WHERE role = 3 AND is_active),
    NOT EXISTS (SELECT FROM tracing_senderkey WHERE revoked_ns IS NULL AND until_ns IS NULL)
"""
# What the process that listens was told: `--host` may say something else than the settings. None until it was.
_host: str | None = None


def listening(host: str) -> str:
    """The number to bind for `host`; from here on this process knows whether others can reach it. Raises Sentence."""
    global _host
    found = _host = ports.number_of(host)
    if is_reachable() and (lacking := _unset()):
        raise Sentence(_sentence([*lacking, "an administrator and a key for senders, if there are none yet"]))
    return found


def served() -> None:
    """The pages are about to be served. By another server than ours nobody knows where, so that counts as reachable."""
    global _host
    _host = EVERYWHERE if _host is None else _host


def is_reachable() -> bool:
    """Whether other machines can reach this process, as far as it can know."""
    return bool(_ways_in())


def _ways_in() -> list[tuple[str, str]]:
    """Through what others come, and what to do so that they do not."""
    found = []
    host = settings.HOST if _host is None else _host
    if not ports.is_loopback(host):
        found.append((host, "with --host 127.0.0.1"))
    if settings.PROXY:
        found.append(("it through the proxy that THREADLINE_PROXY=1 tells of", "without THREADLINE_PROXY"))
    name = urlsplit(settings.URL).hostname or ""
    if name != "localhost" and not ports.is_loopback(name):
        found.append((f"it as {name}, which THREADLINE_URL says", "without THREADLINE_URL"))
    return found


def warning() -> str:
    """What is safe enough to start with, but is most likely not meant; empty where all is well."""
    if settings.IS_HTTPS and not settings.PROXY:
        return (
            "THREADLINE_URL is https, so something in front ends TLS, and without THREADLINE_PROXY=1 everybody seems to"
            " come from its address: the wrong passwords of one then hold up all. Set it if that is a proxy which writes"
            " X-Forwarded-For and X-Forwarded-Proto itself."
        )
    return ""


def is_open() -> bool:
    """Local mode: nobody but this machine reaches us, and nobody was made a user."""
    from tracing import users

    return not is_reachable() and not users.exist()


def demand_people() -> None:
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
        raise Sentence(_sentence(lacking))


def _unset() -> list[str]:
    given = ((_SECRET, settings.SECRET), (_HTTPS, settings.IS_HTTPS and settings.HAS_URL))
    return [word for word, there in given if not there]


def _sentence(lacking: list[str]) -> str:
    ways = _ways_in()
    return (
        f"Other machines can reach {ways[0][0]}, so Threadline does not start there before it has {_listed(lacking)}; "
        f"{' and '.join(instead for _, instead in ways)} it starts for this machine alone."
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{'; '.join(words[:-1])}; and {words[-1]}"
