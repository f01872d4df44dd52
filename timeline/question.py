"""What a list of flows is asked for: filters, place and length, as a value (pure).

`timeline.forms` reads it from the address, `timeline.queries.listing` and `.requests` answer it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from timeline.search import Equality


class Position(NamedTuple):
    """A place in the order of a list: newest activity first, then the larger id."""

    activity: int  # Unix minute
    identity: bytes  # 16 bytes
    keys_told: bool = False  # an earlier page showed the keys that begin with a searched word

    def __str__(self) -> str:
        return f"{self.activity}.{self.identity.hex()}{'.k' if self.keys_told else ''}"


@dataclass(frozen=True, slots=True)
class Question:
    """Empty text filters nothing. Minutes are of the latest activity, `to_minute` excluded."""

    kind: str = ""  # "" is entities and workflows
    type: str = ""
    environment: str = ""
    service: str = ""
    status: str = ""
    state: str = ""
    step: str = ""  # "none" is for who stands at no step, as judged
    verdict: str = ""  # one of the judge's, or "open": all that has not ended
    grey: str = ""  # "no" leaves out whose deadline is a guess that nobody is told of
    waits: str = ""  # the step that is awaited
    from_minute: int | None = None
    to_minute: int | None = None
    words: tuple[str, ...] = ()
    equalities: tuple[Equality, ...] = ()
    after: Position | None = None
    limit: int = 50

    @property
    def of_requests(self) -> bool:
        return self.kind == "request"
