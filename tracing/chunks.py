"""A request body in chunked transfer coding, read as a stream.

Never holds more than was asked for, whatever length a chunk claims, so the reader above can count and stop.
`tracing.server` puts it in place of cheroot's own, which takes a chunk whole and leaves the trailer behind.
"""

from typing import Protocol

LONGEST_LINE = 4096
PIECE = 64 * 1024


class Malformed(ValueError):
    """The bytes are no chunked body; the connection cannot be used further."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...


class Chunks:
    """A file-like body. `finished` is true once the last chunk and the trailer were read."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.left = 0
        self.begun = False
        self.finished = False

    def read(self, size: int | None = None) -> bytes:
        """At most `size` bytes, fewer only at the end; all of it without a size. Raises Malformed."""
        wanted = size if size is not None and size >= 0 else None
        pieces: list[bytes] = []
        while not self.finished and (wanted is None or wanted > 0):
            piece = self.piece(PIECE if wanted is None else min(wanted, PIECE))
            pieces.append(piece)
            wanted = wanted if wanted is None else wanted - len(piece)
        return b"".join(pieces)

    def piece(self, most: int) -> bytes:
        if not self.left and not self.next_chunk():
            return b""
        piece = self.stream.read(min(most, self.left))
        if not piece:
            raise Malformed("the body ended inside a chunk")
        self.left -= len(piece)
        return piece

    def next_chunk(self) -> bool:
        if self.begun and self.line():
            raise Malformed("a chunk is longer than it said")
        self.begun = True
        length = self.line().split(b";", 1)[0].strip()
        # int() would also take a sign, underscores and 0x.
        if not length or length.strip(b"0123456789abcdefABCDEF"):
            raise Malformed("a chunk's length is not a hexadecimal number")
        self.left = int(length, 16)
        if not self.left:
            while self.line():
                pass
            self.finished = True
        return not self.finished

    def line(self) -> bytes:
        line = self.stream.readline(LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise Malformed("the body ended early")
        return line.rstrip(b"\r\n")
