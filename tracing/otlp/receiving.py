"""One request, whichever way it came: what is in it, store it, what to say.

`http` and `grpc` bring the bytes and carry the answer away. Nothing is acknowledged before it is committed,
and trouble of ours is always an answer that makes exporters send again.
"""

import logging
from typing import Literal, Protocol

from tracing.clock import now_ns
from tracing.keyring import NOT_YET, Key, Refused
from tracing.otlp import metrics
from tracing.otlp.answers import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Failure,
    Success,
    sentence_for,
)
from tracing.otlp.attributes import Malformed
from tracing.otlp.decode import Decoding, TooMany, logs_in_parts, traces_in_parts
from tracing.records import Batch, Refusal
from tracing.redaction import Redaction
from tracing.senders import Senders
from tracing.storing import Outcome, Unavailable

logger = logging.getLogger(__name__)

Signal = Literal["traces", "logs", "metrics"]
_COUNTED = {"traces": "spans", "logs": "log_records", "metrics": "data_points"}


class Storing(Protocol):
    """What of `tracing.storing.Store` is needed here."""

    @property
    def digest_key(self) -> bytes: ...

    def put(self, batch: Batch) -> Outcome: ...


class Admitting(Protocol):
    """What of `tracing.keyring.Keyring` is needed here."""

    def admit(self, secret: str) -> Key | None: ...

    def admit_patiently(self, secret: str) -> Key | None: ...


class Receiver:
    """Decodes and stores requests; shared by all threads of a process."""

    def __init__(self, store: Storing, redaction: Redaction, senders: Senders, keys: Admitting) -> None:
        self._store = store
        self._redaction = redaction
        self._senders = senders
        self._keys = keys

    def admit_now(self, secret: str) -> Key | None:
        """The key of a request as far as it is known without waiting. Raises `Refused` of `tracing.keyring`."""
        return self._keys.admit(secret)

    def admit(self, secret: str, transport: str) -> Key | None:
        """The key of a request, None where none is asked for. Raises `Failure`; whose fault it is stands under Senders."""
        try:
            return self._keys.admit_patiently(secret)
        except Refused as refused:
            if refused.retry_after_s is not None:
                failure = Failure(UNAVAILABLE, refused.sentence, refused.retry_after_s)
                # Too much is its sender's affair, a database that is away is not.
                raise failure if refused.sentence == NOT_YET else self.refused(failure, transport) from None
            raise self.refused(Failure(UNAUTHENTICATED, refused.sentence), transport) from None

    def receive(
        self,
        signal: Signal,
        body: bytes,
        encoding: Literal["protobuf", "json"],
        transport: str,
        key: Key | None = None,
    ) -> Success:
        """Store a request. Raises `Failure` with what to tell the sender."""
        try:
            return self._receive(signal, body, encoding, transport, key)
        except Malformed as error:
            raise self.refused(Failure(INVALID_ARGUMENT, str(error)), transport) from None
        except TooMany as error:
            raise self.refused(Failure(RESOURCE_EXHAUSTED, str(error)), transport) from None
        except Unavailable as trouble:
            seconds = min(max(trouble.retry_after_s, 1), 9)
            raise Failure(UNAVAILABLE, trouble.sentence, seconds) from None
        except Exception:
            # Exporters drop their data on any other answer, and the fault is ours.
            logger.exception("a request could not be stored")
            raise Failure(UNAVAILABLE, "the request could not be stored; send it again", 5) from None

    def _receive(
        self,
        signal: Signal,
        body: bytes,
        encoding: Literal["protobuf", "json"],
        transport: str,
        key: Key | None,
    ) -> Success:
        if signal == "metrics":
            # Nothing is stored, so nothing is asked of the store.
            how = Decoding(encoding, bytes(16), now_ns(), self._redaction, transport)
            counted = metrics.refuse_points(body, how)
            self._senders.note(counted, Outcome())
            points = sum(refusal.count for refusal in counted.refusals)
            return Success("data_points", points, metrics.SENTENCE if points else "")
        how = Decoding(encoding, self._store.digest_key, now_ns(), self._redaction, transport)
        refusals: list[Refusal] = []
        # What was stored of a request that fails later is there already when it is sent again.
        for batch in (traces_in_parts if signal == "traces" else logs_in_parts)(body, how):
            outcome = self._store.put(batch)
            self._senders.note(batch, outcome)
            if key is not None:
                key.spend(len(batch.spans) + len(batch.logs))
            refusals += [*batch.refusals, *outcome.refusals]
        return Success(_COUNTED[signal], sum(refusal.count for refusal in refusals), sentence_for(refusals))

    def refused(self, failure: Failure, transport: str) -> Failure:
        """Remember a request refused whole, so that a page can say why nothing arrived."""
        self._senders.note_refused(transport, failure.sentence)
        return failure
