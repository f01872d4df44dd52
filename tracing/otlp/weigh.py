"""How many parts a protobuf message has, counted on the wire before anything is built from it.

An empty message takes two bytes to send and hundreds to hold, so 64 MiB of them would cost gigabytes and
minutes. `protobuf` asks here before it parses what is large; what is small cannot hold many.
"""

from collections.abc import Iterator

# Far beyond what exporters and collectors send at once (512 to 8,192 records).
MOST_RECORDS = 500_000
# Events, links and attributes of one record; SDKs stop at 128 each.
MOST_PARTS = 50_000
# Below these sizes nothing is counted.
LARGE_REQUEST, LARGE_RECORD = 1024 * 1024, 128 * 1024

_LENGTH_DELIMITED = 2
_FIXED = {1: 8, 5: 4}


class TooMany(Exception):
    """More parts than are read; the sentence is for the sender."""


def check_request(body: bytes) -> None:
    """Raise `TooMany` for a trace or logs request of too many records (or groups of none)."""
    if len(body) < LARGE_REQUEST:
        return
    count = 0
    for resource in _messages(body, 0, len(body), 1):
        count += 1
        for scope in _messages(body, *resource, 2):
            count += 1
            for _ in _messages(body, *scope, 2):
                count += 1
                if count > MOST_RECORDS:
                    break
            if count > MOST_RECORDS:
                break
        if count > MOST_RECORDS:
            raise TooMany(f"more than {MOST_RECORDS} records in one request; send smaller batches")


def check_record(raw: bytes) -> None:
    """Raise `TooMany` for a span or log of too many parts."""
    if len(raw) < LARGE_RECORD:
        return
    for count, _ in enumerate(_fields(raw, 0, len(raw))):
        if count > MOST_PARTS:
            raise TooMany(f"it has more than {MOST_PARTS} attributes, events and links")


def _messages(body: bytes, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Where the messages of one field lie."""
    tag = number << 3 | _LENGTH_DELIMITED
    return ((begins, ends) for found, begins, ends in _fields(body, start, end) if found == tag)


def _fields(body: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Tag, begin and end of each field; ends early where the bytes make no sense, which the parser will say."""
    at = start
    while at < end:
        tag, at = _varint(body, at, end)
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, at = _varint(body, at, end)
            following = at + length
        elif kind == 0:
            _, following = _varint(body, at, end)
        elif kind in _FIXED:
            following = at + _FIXED[kind]
        else:
            return
        if following > end or at > end:
            return
        yield tag, at, following
        at = following


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """A number and where the next byte lies; beyond `end` where it is cut short."""
    number = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7
    return 0, end + 1
