"""How many parts a protobuf message has, counted on the wire before anything is built from it.

An empty message takes two bytes to send and hundreds to hold, so 64 MiB of them would cost gigabytes and
minutes. `protobuf` and `metrics` ask here before they parse what is large; what is small cannot hold many.
`jsonmarks` does the same for JSON.
"""

from collections.abc import Iterator

# Far beyond what exporters and collectors send at once (512 to 8,192 records).
MOST_RECORDS = 500_000
# Fields outside of the records: those of resources, scopes and metrics.
MOST_FIELDS = 2_000_000
# Events, links and attributes of one record; SDKs stop at 128 each.
MOST_PARTS = 50_000
# Below these sizes nothing is counted.
LARGE_REQUEST, LARGE_RECORD = 1024 * 1024, 128 * 1024

Path = tuple[tuple[int, ...], ...]
# The numbers of the fields that lead to the records: resources, scopes, then spans or logs.
_GROUP = (2,)
RECORDS: Path = ((1,), _GROUP, _GROUP)
# A metric is of one of five kinds, and its points are in there.
POINTS: Path = (*RECORDS, (5, 7, 9, 10, 11), (1,))

_LENGTH_DELIMITED = 2
# What a group says of itself, its resource or scope, is its first field.
_DESCRIBED = 1 << 3 | _LENGTH_DELIMITED
_FIXED = {1: 8, 5: 4}


class TooMany(Exception):
    """More parts than are read; the sentence is for the sender."""


def check_request(body: bytes, path: Path = RECORDS) -> None:
    """Raise `TooMany` for a request of too many records (or groups of none) or of too many other fields."""
    if len(body) < LARGE_REQUEST:
        return
    records = 0
    for fields, counts in enumerate(_walked(body, 0, len(body), path)):
        records += counts
        check_records(records)
        if fields > MOST_FIELDS:
            raise TooMany(f"more than {MOST_FIELDS} fields in one request; send smaller batches")


def check_records(count: int) -> None:
    if count > MOST_RECORDS:
        raise TooMany(f"more than {MOST_RECORDS} records in one request; send smaller batches")


def _walked(body: bytes, start: int, end: int, path: Path) -> Iterator[bool]:
    """Every field on the way down a path: whether it is on the path, that is a record or a group of them."""
    numbers, below = path[0], path[1:]
    for tag, begins, ends in _fields(body, start, end):
        counts = tag & 7 == _LENGTH_DELIMITED and tag >> 3 in numbers
        yield counts
        if counts and below:
            yield from _walked(body, begins, ends, below)
        elif tag == _DESCRIBED and numbers == _GROUP:
            yield from (False for _ in _fields(body, begins, ends))


def check_record(raw: bytes) -> None:
    """Raise `TooMany` for a span or log of too many parts."""
    if len(raw) < LARGE_RECORD:
        return
    for count, _ in enumerate(_fields(raw, 0, len(raw))):
        if count > MOST_PARTS:
            raise TooMany(f"it has more than {MOST_PARTS} attributes, events and links")


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
