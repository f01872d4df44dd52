"""One problem as a value: flows that are wrong in the same way, and the problem object of the JSON contract.

`timeline.queries.problems` reads them; `timeline.views.now` and `.problems` show them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from timeline import signs
from tracing.lengths import MINUTE_NS

STATES = ("open", "acknowledged", "muted", "resolved")
# Shown, but nobody is told of it.
GREY = 1


@dataclass(slots=True, frozen=True)
class Problem:
    """Times are Unix nanoseconds; `resolved_ns` and `cause_id` are None where there is none."""

    identity: bytes  # 12 bytes
    kind: str
    type: str  # empty where it concerns a service
    environment: str
    step: str
    system: str
    title: str
    why: str
    severity: int
    state: str
    flows: int  # wrong in this way now
    all_flows: int  # ever, since it opened
    first_ns: int
    last_ns: int
    opened_ns: int
    resolved_ns: int | None
    flaps: int
    cause_id: bytes | None
    quieted: Mapping[str, Any]  # who acknowledged or muted it, why, until what
    evidence: Mapping[str, Any]
    effects: Sequence["Problem"] = ()

    @property
    def hex(self) -> str:
        return self.identity.hex()

    @property
    def path(self) -> str:
        return f"/problems/{self.hex}"

    @property
    def sign(self) -> signs.Sign:
        return signs.PROBLEM[self.kind]

    @property
    def is_here(self) -> bool:
        """Whether it lives in the default environment, which need not be named."""
        return self.environment in ("", settings.ENVIRONMENT)

    @property
    def took_ns(self) -> int | None:
        """How long it was a problem; None while it is one."""
        return None if self.resolved_ns is None else self.resolved_ns - self.opened_ns

    @property
    def is_older(self) -> bool:
        """Whether the flow that it opened with is well again, and the oldest left went wrong a minute or more later."""
        return self.flows > 1 and self.first_ns - self.opened_ns >= MINUTE_NS

    @property
    def is_grey(self) -> bool:
        return self.severity <= GREY

    @property
    def is_standing(self) -> bool:
        return self.state != "resolved"

    @property
    def behind(self) -> int:
        """Flows that are wrong because of its effects, each counted once an effect."""
        return sum(effect.flows for effect in self.effects)

    def as_json(self, base_url: str) -> dict[str, Any]:
        """The contract's problem object, and a few words more."""
        return {
            "id": self.hex,
            "kind": self.kind,
            "type": self.type,
            "step": self.step,
            "system": self.system,
            "title": self.title,
            "why": self.why,
            "flows": self.flows,
            "first": str(self.first_ns),
            "last": str(self.last_ns),
            "state": self.state,
            "url": base_url + self.path,
            "environment": self.environment,
            "severity": self.severity,
            "grey": self.is_grey,
            "opened": str(self.opened_ns),
            "resolved": None if self.resolved_ns is None else str(self.resolved_ns),
            "cause": self.cause_id.hex() if self.cause_id else None,
        }
