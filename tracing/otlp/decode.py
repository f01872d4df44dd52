"""One OTLP request, bytes in and a batch of records out. Pure: no Django, no database, no clock.

`protobuf` and `json` read the two encodings, `finishing` makes what is stored; `storing` takes the batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tracing.otlp import json, protobuf
from tracing.otlp.attributes import Malformed, memory_for
from tracing.otlp.finishing import Work
from tracing.otlp.weigh import TooMany
from tracing.records import Batch
from tracing.redaction import Redaction

__all__ = [
    "Decoding",
    "Malformed",
    "Reader",
    "TooMany",
    "decode_logs",
    "decode_traces",
    "logs_in_parts",
    "traces_in_parts",
]


@dataclass(slots=True, frozen=True)
class Decoding:
    """How to read a request. `digest_key` belongs to the installation; `received_ns` is our clock."""

    encoding: Literal["protobuf", "json"]
    digest_key: bytes
    received_ns: int
    redact: Redaction
    transport: str


def decode_traces(body: bytes, how: Decoding) -> Batch:
    """Every span of an export request. Raises `Malformed` where the body is no trace request at all."""
    return _joined(traces_in_parts(body, how), how)


def decode_logs(body: bytes, how: Decoding) -> Batch:
    """Every log of an export request. Raises `Malformed` where the body is no logs request at all."""
    return _joined(logs_in_parts(body, how), how)


def traces_in_parts(body: bytes, how: Decoding) -> Iterator[Batch]:
    """The same as batches of bounded size, each made when it is asked for. Raises `TooMany`, too."""
    return _decode(body, how, json.read_spans if how.encoding == "json" else protobuf.read_spans)


def logs_in_parts(body: bytes, how: Decoding) -> Iterator[Batch]:
    return _decode(body, how, json.read_logs if how.encoding == "json" else protobuf.read_logs)


def _decode(body: bytes, how: Decoding, read: Callable[[Work, bytes], Iterator[None]]) -> Iterator[Batch]:
    batch = Batch(transport=how.transport, received_ns=how.received_ns)
    work = Work(how.digest_key, memory_for(how.redact), batch)
    for _ in read(work, body):
        yield work.next_part()
    yield work.batch


class Reader:
    """Requests of a file, parsed already, with what our own files carry beside the records.

    Equal logs are told apart by their ordinals over all that one reader reads.
    """

    def __init__(self, how: Decoding) -> None:
        batch = Batch(transport=how.transport, received_ns=how.received_ns)
        self._work = Work(how.digest_key, memory_for(how.redact), batch, from_file=True)

    def read(self, request: dict[str, Any]) -> Iterator[Batch]:
        """Spans and logs in batches of bounded size. Raises `Malformed` and `TooMany`; `rest` has what was read before."""
        for part in (json.spans_in, json.logs_in):
            for _ in part(self._work, request):
                yield self._work.next_part()

    def rest(self) -> Batch:
        """What was read and not handed over yet."""
        return self._work.next_part()


def _joined(parts: Iterator[Batch], how: Decoding) -> Batch:
    whole = Batch(transport=how.transport, received_ns=how.received_ns)
    for part in parts:
        whole.spans += part.spans
        whole.logs += part.logs
        whole.refusals += part.refusals
    return whole
