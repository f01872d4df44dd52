"""How many values a JSON body has and how deep they lie, counted before anything is built from it.

Two bytes of `{}` become sixty, so a body of nothing else would cost gigabytes. `json` asks here before it
parses; `weigh` does the same for protobuf. Brackets and commas within strings do not count.
"""

import re
from collections.abc import Iterator

from tracing.otlp.attributes import Malformed
from tracing.otlp.weigh import LARGE_REQUEST, TooMany

# 64 MiB of ordinary spans have half as many; those of a bomb are objects of a few hundred bytes each.
MOST_VALUES = 4_000_000
# As deep as orjson goes; newer Pythons have no limit of their own.
DEEPEST = 1024
# The next mark outside of strings, whatever lies before it. Possessive, so that nothing is tried twice.
_MARK = re.compile(rb'[^\[\]{},"]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^\[\]{},"]*+)*+([\[\]{},])', re.DOTALL)
_BEGINNINGS = (b"[", b"{", b",")


def check_values(body: bytes) -> None:
    """Raise `TooMany` for a body of more values than are read."""
    if len(body) < LARGE_REQUEST or sum(map(body.count, _BEGINNINGS)) <= MOST_VALUES:
        return
    # Text may hold as many of them, as a log that is JSON itself does.
    values = 0
    for mark in _marks(body):
        values += mark in _BEGINNINGS
        if values > MOST_VALUES:
            raise TooMany(f"more than {MOST_VALUES} values in one request; send smaller batches")


def check_depth(body: bytes) -> None:
    """Raise `Malformed` where arrays and objects lie too deep in each other."""
    depth = 0
    for mark in _marks(body):
        depth += (mark in b"[{") - (mark in b"]}")
        if depth > DEEPEST:
            raise Malformed("the body is nested too deep")


def _marks(body: bytes) -> Iterator[bytes]:
    """Brackets and commas outside of strings, one at a time; ends early where a string does not end."""
    at = 0
    # Each match begins where the last one ended: a search would try an unended string at each of its bytes.
    while found := _MARK.match(body, at):
        yield found[1]
        at = found.end()
