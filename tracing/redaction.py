"""Secrets replaced on arrival: which attribute keys name one, and values without them.

A key is split into segments at punctuation and camelCase humps, and a name matches whole consecutive segments:
`token` hides `auth.token` and `accessToken`, never `input_tokens`. `otlp.finishing` applies this to every
attribute, log body and nested map, after the record's digest was taken. Pure.
"""

import re
from collections.abc import Iterable
from typing import Any

from tracing.values import REDACTED, plain

# The documented default list; THREADLINE_REDACT adds to it.
DEFAULT_NAMES = (
    "access_key",
    "api_key",
    "apikey",
    "authorization",
    "bearer",
    "card_cvc",
    "card_number",
    "cardnumber",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "cvc",
    "cvv",
    "cvv2",
    "iban",
    "jwt",
    "passphrase",
    "passwd",
    "password",
    "pin",
    "private_key",
    "pwd",
    "secret",
    "secret_key",
    "secrets",
    "security_code",
    "set_cookie",
    "ssn",
    "token",
)
_CACHED_KEYS = 20_000
# Between words: punctuation, a capital after anything else, the last capital of a run before a small letter.
_BETWEEN = re.compile(r"[\W_]+|(?<=[^\W_A-Z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def segments(key: str) -> tuple[str, ...]:
    """The lower-case words of a key: `http.request.header.set-cookie`, `cardNumber`, `API_KEY`."""
    return tuple(word.lower() for word in _BETWEEN.split(key) if word)


class Redaction:
    """Decides which keys name a secret. Decisions are remembered per key."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        names = {segments(name) for name in (*DEFAULT_NAMES, *extra)}
        self._names = frozenset(names - {()})
        self._longest = max(len(name) for name in self._names)
        self._known: dict[str, bool] = {}

    def hides(self, key: str) -> bool:
        decision = self._known.get(key)
        if decision is None:
            decision = self._decide(segments(key))
            if len(self._known) < _CACHED_KEYS and len(key) < 200:
                self._known[key] = decision
        return decision

    def _decide(self, words: tuple[str, ...]) -> bool:
        return any(
            words[start : start + length] in self._names
            for length in range(1, self._longest + 1)
            for start in range(len(words) - length + 1)
        )

    def without_secrets(self, value: Any) -> tuple[Any, int]:
        """A tagged value (or attribute map) with its secrets replaced, and how many were."""
        if isinstance(value, list):
            return self._list(value)
        if isinstance(value, dict):
            if len(value) == 1 and isinstance(value.get("$map"), list):
                pairs, count = self._pairs([tuple(pair) for pair in value["$map"]])
                return {"$map": [list(pair) for pair in pairs]}, count
            pairs, count = self._pairs(list(value.items()))
            return dict(pairs), count
        return value, 0

    def _list(self, items: list[Any]) -> tuple[list[Any], int]:
        cleaned = [self.without_secrets(item) for item in items]
        return [item for item, _ in cleaned], sum(count for _, count in cleaned)

    def _pairs(self, pairs: list[tuple[Any, Any]]) -> tuple[list[tuple[Any, Any]], int]:
        cleaned, total = [], 0
        for key, value in pairs:
            if self.hides(key if isinstance(key, str) else str(plain(key))):
                kept, count = REDACTED, 0 if value == REDACTED else 1
            else:
                kept, count = self.without_secrets(value)
            cleaned.append((key, kept))
            total += count
        return cleaned, total
