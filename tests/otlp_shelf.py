"""A store that fails on demand, for the endpoints' troubles that a healthy product never shows."""

from tests import otlp_bodies as bodies
from tracing.keyring import Key
from tracing.records import Batch, Refusal
from tracing.senders import Senders
from tracing.storing import Outcome


class Shelf:
    """A store that keeps batches in a list and raises what it is told to."""

    digest_key = bodies.KEY

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.trouble: BaseException | None = None
        self.refusals: list[Refusal] = []

    def put(self, batch: Batch) -> Outcome:
        if self.trouble:
            raise self.trouble
        self.batches.append(batch)
        return Outcome(len(batch.spans), len(batch.logs), refusals=self.refusals)


class Open:
    """Asks nobody for a key."""

    def admit(self, secret: str) -> Key | None:
        return None

    def admit_patiently(self, secret: str) -> Key | None:
        return None


class Quiet(Senders):
    """Remembers the sentences of refused requests, writes nothing."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, batch: Batch, outcome: Outcome) -> None:
        pass

    def note_refused(self, transport: str, sentence: str) -> None:
        self.said.append(sentence)
