"""The pictures of cards as answers: drawn once, kept by what is drawn while there is room, and told apart by an ETag.

`timeline.card` says what a card holds, `timeline.drawncard` draws it.
"""

from collections import OrderedDict
from hashlib import blake2b
from threading import Lock

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.http import parse_etags

from timeline.drawncard import drawn
from timeline.layout.card import Card

VERSION = b"1"  # another where the same card is drawn otherwise
MOST_BYTES = 6_000_000  # of pictures kept in this process


def png(card: Card) -> bytes:
    """The picture, drawn once and kept while there is room."""
    return _SHELF.get(card)


def etag(card: Card) -> str:
    """Equal for cards that are drawn alike."""
    return f'"{_key(card).hex()}"'


def answer(request: HttpRequest, card: Card) -> HttpResponse:
    """The picture, or 304. Nobody keeps it unasked: a share that is revoked is gone at once."""
    mine = etag(card)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    is_known = mine in known or f"W/{mine}" in known
    response = HttpResponseNotModified() if is_known else HttpResponse(png(card), content_type="image/png")
    response["ETag"] = mine
    response["Cache-Control"] = "private, no-cache"
    return response


class Shelf:
    """Pictures by what is drawn, the least recently asked for given up first."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.held: OrderedDict[bytes, bytes] = OrderedDict()
        self.size = 0
        self.lock = Lock()

    def get(self, card: Card) -> bytes:
        key = _key(card)
        with self.lock:
            if key in self.held:
                self.held.move_to_end(key)
                return self.held[key]
        # Two that ask at once draw it twice, which is cheaper than one waiting for the other's card.
        made = drawn(card)
        with self.lock:
            self.size += len(made) - len(self.held.get(key, b""))
            self.held[key] = made
            while self.size > self.most and len(self.held) > 1:
                _, gone = self.held.popitem(last=False)
                self.size -= len(gone)
        return made


_SHELF = Shelf(MOST_BYTES)


def _key(card: Card) -> bytes:
    return blake2b(repr(card).encode("utf-8", "backslashreplace"), digest_size=16, key=VERSION).digest()
