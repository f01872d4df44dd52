"""A wrongness as a detector found it, before it is anybody's problem (pure).

Each detector answers, at every look, with all that is wrong now; `problems` reconciles that with the table: what is
seen often enough opens, what is no longer seen closes. So a detector keeps nothing and may be asked again at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

KINDS = (
    "failed",
    "stuck",
    "late",
    "conflict",
    "retry_storm",
    "abandoned_retry",
    "duplicate",
    "orphan_message",
    "silent_service",
    "slow",
)
GREY, WARNING, NEEDS_A_PERSON = 1, 2, 3


class Unfinished(Exception):
    """Raised by a detector that could not look at everything this time: nothing is known of its kinds yet."""


class Affected(NamedTuple):
    """A flow that is wrong in this way. `flow_id` is a trace id where `kind` is 0."""

    flow_id: bytes
    kind: int  # 0 request, 1 entity, 2 workflow
    since_ns: int


@dataclass(slots=True)
class Finding:
    """One wrongness. `identity` of two findings is equal where they are the same problem.

    `since_ns` is the true moment it began, `last_ns` the latest sign of it. `bad_looks` and `good_looks` say how many
    looks in a row open and close it.
    """

    kind: str
    type: str  # of the flows; empty where it concerns a service
    environment: str
    step: str
    system: str
    title: str  # "22 orders wait for shipment.created from wms"
    why: str  # the sentence with the evidence
    severity: int
    since_ns: int
    last_ns: int
    flows: Sequence[Affected] = ()
    count: int = 0  # how many flows, where more are wrong than `flows` names; 0: as many
    fingerprint: bytes = b""
    bad_looks: int = 1
    good_looks: int = 1
    evidence: Mapping[str, Any] = field(default_factory=dict)
    # What hides behind it: flows that wait for this system are its effect.
    causes_system: str = ""
    follows: bytes = b""  # identity of the finding that tells the same, of which this one is an effect

    @property
    def identity(self) -> bytes:
        """16 bytes. A wait that turns from late to stuck stays the same problem.

        An error is the same wherever it shows and whatever it strikes: it is named after the flows it strikes most.
        """
        kind = "wait" if self.kind in ("late", "stuck") else self.kind
        where = (
            # Requests that fail alone are another matter than flows that do.
            ("trace" if self.type == "trace" else "", "", "")
            if self.kind == "failed" and self.fingerprint
            else (self.type, self.step, self.system)
        )
        parts = (kind, *where, self.environment, self.fingerprint.hex())
        return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()
