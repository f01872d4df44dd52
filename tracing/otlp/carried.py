"""What a file that we wrote carries of a record beside what its form can hold, in two attributes (pure).

`threadline.identity` is the record's digest where it cannot be computed from the file: redaction comes after it, and
equal logs are told apart by their ordinals. A seal keeps it from being made up: without the installation's key nobody
can give one record another's place. `threadline.exact` holds the columns that read back otherwise. `tracing.files`
writes both; `finishing` takes them off, of files alone: what a sender calls so is an attribute like any other.
"""

import re
from dataclasses import dataclass
from typing import Any

import orjson

from tracing.otlp import identity
from tracing.otlp.jsonfields import BadField

IDENTITY, EXACT = "threadline.identity", "threadline.exact"
RESERVED = frozenset((IDENTITY, EXACT))
# Where a record keeps the identity of another installation, so that it can go home.
ORIGIN = "identity"
_SEALED = re.compile(r"([0-9a-f]{32}|[0-9a-f]{64})\.([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Carried:
    """The two attributes of one record; `columns` are those of `exact`, as `tracing.otlp.forms` names them."""

    origin: str
    exact: str
    columns: dict[str, Any]

    @property
    def told(self) -> bytes:
        return f"{self.origin}\n{self.exact}".encode()


@dataclass(frozen=True, slots=True)
class Settled:
    """Who a record is: `ids` as carried by us, else made from what it says; `origin` where it is another's."""

    ids: bytes
    origin: str = ""


def origin_of(value: Any) -> str:
    """What a resource or scope keeps of another installation under `IDENTITY`; a sender's own attribute is none."""
    return value if isinstance(value, str) and _SEALED.fullmatch(value) else ""


def take(attributes: dict[str, Any]) -> Carried | None:
    """Take both off a record's attributes; None where there are none. Raises `BadField`."""
    if RESERVED.isdisjoint(attributes):
        return None
    origin, exact = attributes.pop(IDENTITY, ""), attributes.pop(EXACT, "")
    if not isinstance(origin, str) or (origin and not _SEALED.fullmatch(origin)):
        raise BadField(f"{IDENTITY} is none")
    return Carried(origin, exact if isinstance(exact, str) else "", _columns(exact))


def _columns(exact: Any) -> dict[str, Any]:
    if exact == "":
        return {}
    try:
        columns = orjson.loads(exact)
    except (orjson.JSONDecodeError, TypeError):
        columns = None
    if not isinstance(columns, dict):
        raise BadField(f"{EXACT} is not an object in JSON")
    return columns


def sealed(key: bytes, ids: bytes, native: bytes, exact: str) -> str:
    """The text of `threadline.identity`; `native` is the digest of the record as the file alone tells it."""
    return f"{ids.hex()}.{_seal(key, ids, native, exact).hex()}"


def settle(key: bytes, carried: Carried, native: bytes, size: int) -> Settled:
    """The `size` bytes that name a record: the carried ones where the seal is ours.

    Those of another installation make new ones together with everything else it says, always the same: two records
    that differ in nothing but what was redacted stay two.
    """
    found = _SEALED.fullmatch(carried.origin)
    if found and len(found[1]) == 2 * size:
        ids = bytes.fromhex(found[1])
        if _seal(key, ids, native, carried.exact).hex() == found[2]:
            return Settled(ids)
    parts = (identity.digest(key, b"carried", bytes([n]), native, carried.told) for n in range(size // 16))
    return Settled(b"".join(parts), carried.origin)


def _seal(key: bytes, ids: bytes, native: bytes, exact: str) -> bytes:
    return identity.digest(key, b"seal", ids, native, exact.encode())
