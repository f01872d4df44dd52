"""What a file that we wrote carries of a record beside what its form can hold, in two attributes (pure).

`threadline.exact` holds the columns that read back otherwise. `threadline.identity` is the record's digest where even
with them it cannot be computed: redaction comes after it, and equal logs are told apart by their ordinals. A seal
keeps it from being made up: without the installation's key nobody can give one record another's place. It is over
what the record says (`restored`), so it holds in every form of a file. `tracing.files` writes both; `finishing` takes
them off, of files alone: what a sender calls so is an attribute like any other.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tracing.otlp import identity
from tracing.otlp.jsonfields import BadField
from tracing.records import ATTRIBUTES
from tracing.values import opened

IDENTITY, EXACT = "threadline.identity", "threadline.exact"
RESERVED = frozenset((IDENTITY, EXACT))
# Where a record keeps the identity of another installation, so that it can go home.
ORIGIN = "identity"
Form = dict[str, Any]
_SEALED = re.compile(r"([0-9a-f]{32}|[0-9a-f]{64})\.([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Carried:
    """The two attributes of one record; `columns` are those of `exact`, as `tracing.otlp.forms` names them."""

    origin: str
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """Who a record is: `ids` as carried by us, else made from what it says; `origin` where it is another's."""

    ids: bytes
    origin: str = ""


def with_origin(attributes: ATTRIBUTES, origin: str) -> ATTRIBUTES:
    """Resources and scopes keep it among their attributes, under `IDENTITY`: they have no other place."""
    if not origin:
        return attributes
    attributes = without_identity(attributes)
    if "$map" in attributes:
        return {"$map": [*attributes["$map"], [IDENTITY, origin]]}
    return attributes | {IDENTITY: origin}


def without_identity(attributes: ATTRIBUTES) -> ATTRIBUTES:
    if "$map" in attributes:
        return {"$map": [pair for pair in attributes["$map"] if pair[0] != IDENTITY]}
    return {name: value for name, value in attributes.items() if name != IDENTITY}


def origin_of(attributes: ATTRIBUTES) -> str:
    """What a resource or scope keeps of another installation; a sender's own attribute is none."""
    value = opened(attributes).get(IDENTITY)
    return value if isinstance(value, str) and _SEALED.fullmatch(value) else ""


def take(attributes: dict[str, Any]) -> Carried | None:
    """Take both off a record's attributes; None where there are none. Raises `BadField`."""
    if RESERVED.isdisjoint(attributes):
        return None
    origin, exact = attributes.pop(IDENTITY, ""), attributes.pop(EXACT, "")
    if not isinstance(origin, str) or (origin and not _SEALED.fullmatch(origin)):
        raise BadField(f"{IDENTITY} is none")
    return Carried(origin, _columns(exact))


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


def sealed(key: bytes, ids: bytes, told: bytes) -> str:
    """The text of `threadline.identity`; `told` is the digest of what the record says, of `restored`."""
    return f"{ids.hex()}.{_seal(key, ids, told).hex()}"


def settle(
    key: bytes,
    carried: Carried,
    sent: bytes | None,
    told: Callable[[Form], bytes],
    forms: tuple[Form, Form],
    size: int,
) -> Settled:
    """The `size` bytes that name a record: the carried ones where the seal is ours, where there are none those `sent` here.

    Those of another installation make new ones together with everything else it says, always the same: two records
    that differ in nothing but what was redacted stay two. So does what no sender can have sent (None). `forms` are
    the record's as the file tells it, which is sealed, and as it is stored, which is all that a file from here tells.
    """
    if not carried.origin and sent is not None:
        return Settled(sent)
    as_told, as_stored = forms
    found = _SEALED.fullmatch(carried.origin)
    if found and len(found[1]) == 2 * size:
        ids = bytes.fromhex(found[1])
        if _seal(key, ids, told(as_told)).hex() == found[2]:
            return Settled(ids)
    parts = (told(as_stored), carried.origin.encode())
    made = (identity.digest(key, b"carried", bytes([n]), *parts) for n in range(size // 16))
    return Settled(b"".join(made), carried.origin)


def _seal(key: bytes, ids: bytes, told: bytes) -> bytes:
    return identity.digest(key, b"seal", ids, told)
