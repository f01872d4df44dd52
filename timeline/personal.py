"""Which flows' keys name a person, and how much of such a key leaves the product in a preview picture or a tag.

One list for all: `timeline.card` draws with it. Pages and text forms, which only their readers see, show keys whole.
"""

import re

# Whole words of a type: `shop.customer`, `user_session`.
TYPES = frozenset(
    """account applicant candidate client contact contractor customer device driver email employee guest household
    lead login mail member msisdn owner participant passenger passport patient payee payer person phone profile
    recipient resident session ssn student subscriber tenant traveller user vehicle visitor""".split()
)
KEPT = 2  # characters at the beginning
MAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")


def is_personal(type: str, key: str) -> bool:
    """Whether the type says so, or the key is an e-mail address whatever its type."""
    words = re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", type).lower())
    return "@" in key or any(word in TYPES or word.removesuffix("s") in TYPES for word in words)


def shortened(type: str, key: str) -> str:
    """`4711…` becomes `47…`, an e-mail address `a…`; a key that names nobody stays as it is."""
    if not is_personal(type, key):
        return key
    return f"{key[: 1 if '@' in key else min(KEPT, len(key) // 2)]}…"


def masked(text: str) -> str:
    """Text whose e-mail addresses are shortened, as in a span's name that holds one."""
    return MAIL.sub(lambda found: f"{found[0][0]}…", text)
