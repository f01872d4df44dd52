"""Which web pages may send from a browser: exact origins from THREADLINE_CORS_ORIGINS, or `*`.

Never with credentials. Without the setting no header is sent, and browsers keep pages of others away. `http`
adds these headers to its answers.
"""

import re
from collections.abc import Sequence

HEADERS = list[tuple[str, str]]
_KEEP_S = "7200"
# Header names a preflight asks for; anything else in there is not given back.
_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_USUAL = "content-type, content-encoding, authorization"


def headers(origins: Sequence[str], origin: str) -> HEADERS:
    """For an answer to a page of `origin`; empty where that page may not send."""
    if not origin or not ("*" in origins or origin in origins):
        return []
    allowed = "*" if "*" in origins else origin
    return [
        ("Access-Control-Allow-Origin", allowed),
        ("Access-Control-Expose-Headers", "Retry-After"),
        ("Vary", "Origin"),
    ]


def preflight(origins: Sequence[str], origin: str, asked: str) -> HEADERS:
    """For the browser's question before it sends; `asked` are the headers it means to use."""
    given = headers(origins, origin)
    if not given:
        return []
    names = ", ".join(_NAMES.findall(asked[:1000])) or _USUAL
    return [
        *given,
        ("Access-Control-Allow-Methods", "POST"),
        ("Access-Control-Allow-Headers", names),
        ("Access-Control-Max-Age", _KEEP_S),
    ]
