"""Secrets that are shown once and kept as a hash: API tokens (`tlt_`), senders' keys (`tlk_`), passwords made for people.

They are random and long, so one round of SHA-256 cannot be turned back; and because they are looked up by their hash,
comparing them takes the same time whatever was guessed. `tracing.tokens` and `tracing.senderkeys` keep the hashes.
"""

import hashlib
import secrets
import string

LENGTH = 32  # of 62 letters and digits: 190 bits, and a double click takes all of it
_LETTERS = string.ascii_letters + string.digits
# Without letters and digits that are read as each other.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"


def made(prefix: str) -> str:
    """A new secret that says what it is for."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(LENGTH))


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def hint(secret: str) -> str:
    """What may be shown of it later: enough to tell two apart, not to guess one."""
    return secret[:8]


def password() -> str:
    """A password to be typed once from paper: 80 bits in groups of four."""
    letters = "".join(secrets.choice(_READABLE) for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))
