"""What correlation reads of one record, as values: which flows it mentions, and what it says about their state (pure).

`correlation` makes these from rules, `flows` folds them into rows.
"""

from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as a value. `keys` are alternatives, each the attributes that make one key together."""

    rule_id: int
    kind: str  # entity or workflow
    type: str  # "" where only an attribute can name it
    keys: tuple[tuple[str, ...], ...]
    type_attributes: tuple[str, ...] = ()
    any_prefix: bool = False
    state_attributes: tuple[str, ...] = ()


class Flow(NamedTuple):
    """What a mention points at. `flow_id` is a hash of the rest."""

    flow_id: bytes
    kind: str
    type: str
    key: str
    environment: str


class Mention(NamedTuple):
    flow: Flow
    rule_id: int


class Assertion(NamedTuple):
    """One record's statement about a flow's state; who said it and when it arrived is the record's."""

    flow: Flow
    rule_id: int
    state: str
    valid_ns: int


class Reading(NamedTuple):
    """What one record says. A flow stands in `mentions` once a rule."""

    mentions: tuple[Mention, ...]
    assertions: tuple[Assertion, ...]


NOTHING = Reading((), ())


def flow_id(kind: str, type: str, key: str, environment: str) -> bytes:
    """16 bytes that name an entity or workflow; the environment is part of what it is."""
    text = "\0".join((kind, type, key, environment))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
