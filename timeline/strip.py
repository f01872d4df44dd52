"""The life of a problem as a strip: a band for each state it was in, and a mark for each thing that happened.

In units of a drawing `WIDTH` wide; the template writes them into SVG attributes.
"""

from collections.abc import Sequence
from typing import NamedTuple

from timeline.queries.history import Band, Entry

WIDTH = 1_000
LEAST = 3.0  # a band that short is still seen


class Piece(NamedTuple):
    state: str
    x: float
    width: float


class Mark(NamedTuple):
    what: str
    x: float


class Strip(NamedTuple):
    pieces: list[Piece]
    marks: list[Mark]


def strip(bands: Sequence[Band], entries: Sequence[Entry], from_ns: int, until_ns: int) -> Strip:
    """What lies outside of `from_ns` to `until_ns` is drawn at the edge."""
    from_ns = min([from_ns, *(band.from_ns for band in bands)])
    length = max(1, until_ns - from_ns)

    def place(time_ns: int) -> float:
        return round(min(max(0.0, (time_ns - from_ns) / length), 1.0) * WIDTH, 1)

    pieces = []
    for band in bands:
        x = min(place(band.from_ns), WIDTH - LEAST)
        end = place(until_ns if band.until_ns is None else band.until_ns)
        pieces.append(Piece(band.state, x, round(max(end - x, LEAST), 1)))
    marks = [Mark(entry.what, place(entry.at_ns)) for entry in entries if entry.what != "flip"]
    return Strip(pieces, marks)
