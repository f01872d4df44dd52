"""Counting while reading: the largest body, bombs, broken packing, and the budget all requests share."""

import gzip
import io
import time
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracing.otlp import limits

MIB = 1024 * 1024


def read(sent: bytes, length: int | None = -1, packing: str = "") -> bytes:
    parts = limits.pieces(io.BytesIO(sent), len(sent) if length == -1 else length)
    with limits.Share(limits.Budget()) as share:
        return limits.collected(limits.unpacked(parts, packing) if packing else parts, share)


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, limits.MAX_BYTES])
def test_bodies_up_to_the_limit(size: int) -> None:
    assert len(read(bytes(size))) == size
    assert len(read(bytes(size), None)) == size


def test_one_byte_more_is_too_large() -> None:
    for length in (-1, None):
        with pytest.raises(limits.TooLarge):
            read(bytes(limits.MAX_BYTES + 1), length)


def test_an_announced_length_is_believed_before_anything_is_read() -> None:
    with pytest.raises(limits.TooLarge):
        list(limits.pieces(io.BytesIO(b""), limits.MAX_BYTES + 1))


def test_a_body_shorter_than_announced() -> None:
    with pytest.raises(limits.ClientGone):
        read(b"half", 8)


def gzipped(body: bytes, level: int = 9) -> bytes:
    """Without the time in it: tests are named by what they are given, in every worker alike."""
    return gzip.compress(body, level, mtime=0)


BODY = b"some text " * 20_000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("packing", "sent", "body"),
    [
        ("gzip", gzipped(BODY), BODY),
        ("gzip", gzipped(b""), b""),
        ("gzip", gzipped(BODY) + gzipped(b"and more"), BODY + b"and more"),
        ("gzip", b"".join(gzipped(bytes([n])) for n in range(200)), bytes(range(200))),
        ("gzip", gzipped(BODY) + bytes(600), BODY),
        ("gzip", gzipped(bytes(limits.MAX_BYTES), 1), bytes(limits.MAX_BYTES)),
        ("deflate", zlib.compress(BODY), BODY),
        ("deflate", zlib.compress(BODY, 9), BODY),
        ("deflate", raw_deflate(BODY), BODY),
    ],
)
def test_unpacking(packing: str, sent: bytes, body: bytes) -> None:
    assert read(sent, packing=packing) == body


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"not gzip at all",
        gzipped(BODY)[:-4],
        gzipped(BODY)[:20],
        gzipped(BODY)[:-8] + bytes(8),
        gzipped(BODY) + b"trailing",
        gzipped(b"") * (limits._MOST_MEMBERS + 1),
    ],
)
def test_broken_gzip(sent: bytes) -> None:
    with pytest.raises(limits.BadPacking) as caught:
        read(sent, packing="gzip")
    assert "gzip" in str(caught.value)


def test_a_bomb_costs_neither_memory_nor_seconds() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(limits.TooLarge):
        read(bomb, packing="gzip")
    took, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 2 and most < limits.MAX_BYTES + 8 * MIB


def test_the_budget_is_shared_and_given_back() -> None:
    budget = limits.Budget(100)
    with limits.Share(budget) as first:
        first.take(60)
        with limits.Share(budget) as second, pytest.raises(limits.Overloaded):
            second.take(60)
    with limits.Share(budget) as third:
        third.take(100)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_unpacked_or_bad(sent: bytes, packing: str) -> None:
    try:
        read(sent, packing=packing)
    except limits.BadPacking as error:
        assert str(error)
