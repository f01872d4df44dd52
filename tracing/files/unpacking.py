"""The bytes of a file as lines, whether it is packed by gzip or not, in bounded memory (pure).

A file that ends in the middle or whose packing breaks gives what came before, and `Account` is told how far that was.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

from tracing.files.account import Account
from tracing.otlp.limits import GZIP, MAX_BYTES

_PIECE = 256 * 1024
_UNPACKED_PIECE = 1024 * 1024
# Of a file that may not be of any size: packed, it may hold hundreds of millions.
MOST_EMPTY = 1_000_000
_MAGIC = b"\x1f\x8b"


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class TooLong:
    """A line longer than is read; what it held is gone."""


LINE = tuple[int, bytes | TooLong]


def lines(stream: Stream, account: Account, most_bytes: int = 0) -> Iterator[LINE]:
    """Number and content of each line that holds something; of all of them at most `most_bytes`, unless that is 0."""
    pieces = _bounded(_unpacked(stream, account), account, most_bytes)
    return _cut(pieces, MAX_BYTES, account, MOST_EMPTY if most_bytes else 0)


def _unpacked(stream: Stream, account: Account) -> Iterator[bytes]:
    first = stream.read(_PIECE)
    while len(first) < 2 and (more := stream.read(_PIECE)):
        first += more
    if not first.startswith(_MAGIC):
        while first:
            yield first
            first = stream.read(_PIECE)
        return
    yield from _inflated(first, stream, account)


def _inflated(rest: bytes, stream: Stream, account: Account) -> Iterator[bytes]:
    """The content of one or more gzip members; of many small ones together, a piece of little work each."""
    gathered: list[bytes] = []
    size = 0
    for piece in _members(rest, stream, account):
        gathered.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _members(rest: bytes, stream: Stream, account: Account) -> Iterator[bytes]:
    unpacked, inflater = 0, zlib.decompressobj(GZIP)
    try:
        while rest or not inflater.eof:
            if inflater.eof:
                # Zeros may pad a file to the size of a tape's block.
                rest = rest.lstrip(b"\0")
                if rest:
                    inflater = zlib.decompressobj(GZIP)
            if not rest and not (rest := stream.read(_PIECE)):
                break
            piece = inflater.decompress(rest, _UNPACKED_PIECE)
            unpacked += len(piece)
            yield piece
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            if inflater.eof and not rest:
                rest = stream.read(_PIECE)
    except zlib.error as error:
        account.note(f"The file's gzip packing is broken after {unpacked:,} bytes ({error}); they were read.")
        return
    if not inflater.eof:
        account.note(
            f"The file ends in the middle of its gzip packing, after {unpacked:,} bytes; they were read."
        )


def _bounded(pieces: Iterator[bytes], account: Account, most_bytes: int) -> Iterator[bytes]:
    left = most_bytes
    for piece in pieces:
        if most_bytes and len(piece) > left:
            account.note(
                f"Unpacked, the file is larger than {most_bytes // 2**20:,} MiB; only the beginning was read."
                " `manage.py import` reads files of any size."
            )
            yield piece[:left]
            return
        left -= len(piece)
        yield piece


def _cut(pieces: Iterator[bytes], longest: int, account: Account, most_empty: int) -> Iterator[LINE]:
    number, size, given = 1, 0, 0
    held: list[bytes] = []
    for piece in pieces:
        *ended, open_end = piece.split(b"\n")
        for part in ended:
            for line in _line(number, [*held, part], size + len(part), longest):
                given += 1
                yield line
            number, held, size = number + 1, [], 0
        if most_empty and number - given > most_empty:
            account.note(f"More than {most_empty:,} of its lines are empty; the rest was not read.")
            return
        size += len(open_end)
        # What is too long is not kept, only measured.
        if size <= longest:
            held.append(open_end)
        else:
            held = []
    yield from _line(number, held, size, longest)


def _line(number: int, parts: list[bytes], size: int, longest: int) -> Iterator[LINE]:
    if size > longest:
        yield number, TooLong()
        return
    line = b"".join(parts)
    if number == 1:
        line = line.removeprefix(b"\xef\xbb\xbf")
    if line.strip():
        yield number, line.strip()
