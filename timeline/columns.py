"""How wide a text is in a terminal, and the text cut, filled or broken to a width (pure).

Wide letters take two columns. `timeline.plain` and `timeline.text` keep their lines with it.
"""

from collections.abc import Iterator
from unicodedata import east_asian_width


def columns(text: str) -> int:
    """How wide a terminal draws this."""
    return len(text) if text.isascii() else sum(1 + (east_asian_width(letter) in "WF") for letter in text)


def cut(text: str, width: int) -> str:
    """As much of the text as these columns hold."""
    taken = 0
    for place, letter in enumerate(text):
        taken += columns(letter)
        if taken > width:
            return text[:place]
    return text


def shortened(text: str, width: int) -> str:
    """The text where these columns hold it, else as much of it as they do before an ellipsis."""
    return text if columns(text) <= width else f"{cut(text, width - 1)}…"


def fitted(text: str, width: int) -> str:
    """Text cut or filled to this many columns."""
    kept = shortened("".join(letter if letter.isprintable() else "·" for letter in text), width)
    return kept + " " * (width - columns(kept))


def wrapped(text: str, width: int) -> Iterator[str]:
    """Lines of at most so many columns (at least two), broken between words, and within one that is longer than a line."""
    line = ""
    for word in text.split(" "):
        if line and columns(line) + 1 + columns(word) > width:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
        while columns(line) > width:
            part = cut(line, width)
            yield part
            line = line[len(part) :]
    yield line
