"""How much of a request is read: counted while reading, unpacked while counting.

64 MiB is the most, raw and unpacked, and all requests in flight together share a budget, so neither a long
body nor a bomb costs memory or seconds. `http` and `grpc` turn these exceptions into answers.
"""

import threading
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol

MAX_BYTES = 64 * 1024 * 1024
BUDGET_BYTES = 2 * MAX_BYTES
_PIECE = 64 * 1024
# What one member gives back at a time.
_UNPACKED_PIECE = 1024 * 1024
# Each member costs an inflater of its own, however short it is.
_MOST_MEMBERS = 1000
GZIP, ZLIB, RAW_DEFLATE = 31, 15, -15


class TooLarge(Exception):
    """The body is longer than `MAX_BYTES`, as sent or unpacked."""

    sentence = "the body is larger than 64 MiB, as sent or unpacked; send smaller batches"


class BadPacking(Exception):
    """The body is not what its Content-Encoding says, or it ends early."""


class Overloaded(Exception):
    """Requests in flight hold the whole budget."""

    sentence = "too much is being received at once; send again in a moment"


class ClientGone(Exception):
    """The client stopped sending in the middle of its body."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Budget:
    """Bytes that requests in flight may hold together."""

    def __init__(self, total: int = BUDGET_BYTES) -> None:
        self._left = total
        self._lock = threading.Lock()

    def take(self, size: int) -> None:
        with self._lock:
            if size > self._left:
                raise Overloaded
            self._left -= size

    def give_back(self, size: int) -> None:
        with self._lock:
            self._left += size


class Share:
    """What one request holds of the budget; given back when the block ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._held = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._budget.give_back(self._held)

    def take(self, size: int) -> None:
        if self._held + size > MAX_BYTES:
            raise TooLarge
        self._budget.take(size)
        self._held += size


def pieces(stream: Stream, length: int | None) -> Iterator[bytes]:
    """A body piece by piece, to its end or for `length` bytes. Raises `TooLarge` and `ClientGone`."""
    if length is not None and length > MAX_BYTES:
        raise TooLarge
    read = 0
    while length is None or read < length:
        try:
            piece = stream.read(_PIECE if length is None else min(_PIECE, length - read))
        except OSError as error:
            raise ClientGone from error
        if not piece:
            break
        read += len(piece)
        if read > MAX_BYTES:
            raise TooLarge
        yield piece
    if length is not None and read < length:
        raise ClientGone


def collected(parts: Iterator[bytes], share: Share) -> bytes:
    """Everything, paid for from the budget as it comes."""
    body = []
    for part in parts:
        share.take(len(part))
        body.append(part)
    return b"".join(body)


def unpacked(parts: Iterator[bytes], packing: str) -> Iterator[bytes]:
    """The pieces of a body without its `gzip` (of several members) or `deflate`. Raises `BadPacking`."""
    try:
        yield from _inflated(parts, packing)
    except zlib.error as error:
        raise BadPacking(f"the body is not valid {packing}: {str(error)[:100]}") from error


def _inflated(parts: Iterator[bytes], packing: str) -> Iterator[bytes]:
    inflater, members = None, 0
    for part in parts:
        rest = part
        while rest:
            if inflater is None:
                # gzip may be padded with zeros between and after its members.
                rest = rest.lstrip(b"\0") if members else rest
                if not rest:
                    break
                members += 1
                if members > _MOST_MEMBERS:
                    raise BadPacking(f"the body has more than {_MOST_MEMBERS} gzip members")
                inflater = zlib.decompressobj(_window(packing, rest))
            yield inflater.decompress(rest, _UNPACKED_PIECE)
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if inflater.eof:
                inflater = None
    if inflater is not None or not members:
        raise BadPacking(f"the body ends in the middle of its {packing} stream")


def _window(packing: str, start: bytes) -> int:
    if packing == "gzip":
        return GZIP
    # What is called deflate comes with and without zlib's header.
    return (
        ZLIB
        if start[0] & 0x0F == 8 and (len(start) < 2 or int.from_bytes(start[:2]) % 31 == 0)
        else RAW_DEFLATE
    )
