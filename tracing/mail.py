"""Where e-mail goes out, from one address such as `smtp://user:password@host:587?tls=1` (pure).

`tracing.settings` reads it from the environment and gives Django what it asks for; `tracing.watch.channels` sends.
"""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tracing.sentence import Sentence

PORTS = {"smtp": 25, "smtps": 465}
TIMEOUT_S = 8


def parse(name: str, url: str) -> dict[str, Any]:
    """Django's e-mail settings; nothing for an empty address. `name` is the variable, for the sentence of Sentence.

    `smtp` takes `?tls=1` for STARTTLS; `smtps` speaks TLS from the first byte. User and password are percent-encoded.
    """
    if not url:
        return {}
    # The address holds a password, so the sentence never repeats it.
    sentence = f"{name} must be an address such as smtp://user:password@mail.example.com:587?tls=1."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Sentence(sentence) from None
    query = parse_qs(parts.query, keep_blank_values=True)
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or set(query) - {"tls"}:
        raise Sentence(sentence)
    return {
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": port or PORTS[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_USE_TLS": parts.scheme == "smtp"
        and query.get("tls", ["0"])[0] not in ("", "0", "no", "false"),
        "EMAIL_TIMEOUT": TIMEOUT_S,
    }
