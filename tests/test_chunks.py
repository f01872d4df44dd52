"""Chunked bodies: whatever the pieces, the same bytes; whatever is wrong, Malformed; never more than asked."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.chunks import LONGEST_LINE, Chunks, Malformed


def coded(pieces: list[bytes], trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece)
    return chunks + b"0\r\n" + trailer + b"\r\n"


@given(st.lists(st.binary(max_size=300)), st.integers(1, 400))
def test_any_cut_gives_the_same_body(pieces: list[bytes], size: int) -> None:
    stream = io.BytesIO(coded(pieces) + b"NEXT")
    chunks, read = Chunks(stream), []
    while piece := chunks.read(size):
        assert len(piece) <= size
        read.append(piece)
    assert b"".join(read) == b"".join(pieces)
    assert chunks.finished
    assert stream.read() == b"NEXT"  # the connection stands where the next request begins


def test_all_at_once_and_then_nothing() -> None:
    chunks = Chunks(io.BytesIO(coded([b"abc", b"def"])))
    assert chunks.read() == b"abcdef"
    assert chunks.read() == b""
    assert chunks.read(5) == b""


def test_extensions_and_trailers_are_passed_over() -> None:
    chunks = Chunks(io.BytesIO(b"3;name=value\r\nabc\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\nGET"))
    assert chunks.read(100) == b"abc"
    assert chunks.stream.read(3) == b"GET"


BROKEN = [
    b"",
    b"zz\r\nabc\r\n0\r\n\r\n",
    b"-3\r\nabc\r\n0\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"1_0\r\nabc",
    b"\r\nabc",
    b"5\r\nabc",
    b"3\r\nabcdef\r\n0\r\n\r\n",
    b"3\r\nabc",
    b"3\r\nabc\r\n",
    b"3\r\nabc\r\n0\r\n",
    b"3\r\nabc\r\n0\r\nX-Sum: 1",
    b"1" * (LONGEST_LINE + 10) + b"\r\n",
]


@pytest.mark.parametrize("body", BROKEN, ids=lambda body: str(body[:20]))
def test_what_is_broken_is_said(body: bytes) -> None:
    with pytest.raises(Malformed):
        Chunks(io.BytesIO(body)).read()


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_malformed(body: bytes) -> None:
    with contextlib.suppress(Malformed):
        Chunks(io.BytesIO(body)).read()


class Counting(io.BytesIO):
    """Remembers the largest piece asked of it."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, size if size is not None else 1 << 60)
        return super().read(size)


def test_a_chunk_that_claims_a_terabyte_costs_nothing() -> None:
    stream = Counting(b"10000000000\r\n" + b"a" * 1000)
    assert Chunks(stream).read(100) == b"a" * 100
    assert stream.largest == 100
