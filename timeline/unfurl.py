"""What a link says of itself where it is pasted: Open Graph and Twitter tags, and the title, from a card and its address.

Slack, Teams, Discord and Mastodon read `og:`, Slack and others `twitter:` before it; all follow the picture's own address,
so both are absolute. Who may not see the page without signing in gets the product's name and nothing else.
"""

from dataclasses import dataclass
from typing import Any

from timeline.addresses import absolute
from timeline.layout.card import HEIGHT, WIDTH, Card

SITE = "Threadline"
# What is shown whole nearly everywhere; longer texts are cut by whoever shows them.
LONGEST_TITLE = 90
LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Tags:
    """For `templates/share/tags.html`; `image` and `url` are absolute, empty where the page is not public."""

    title: str
    text: str
    url: str = ""
    image: str = ""
    alt: str = ""
    site: str = SITE
    width: int = WIDTH
    height: int = HEIGHT


def tags(card: Card | None, path: str = "", image_path: str = "") -> Tags:
    """The tags of a page that anyone may open; without a card those of all others."""
    if card is None:
        return Tags(SITE, "")
    return Tags(title(card), text(card), absolute(path), absolute(image_path), alt(card))


def context(card: Card | None, path: str = "", image_path: str = "") -> dict[str, Any]:
    """The same for a template: `{% include "share/tags.html" %}` in the block `head`."""
    return {"tags": tags(card, path, image_path)}


def title(card: Card) -> str:
    """`order 4715: stuck 1 d 2 h · reserved`; of two that are compared their titles."""
    if len(card.subjects) > 1:
        return _cut(card.title, LONGEST_TITLE)
    (subject,) = card.subjects
    told = " · ".join(part for part in (subject.mark.word, subject.state) if part)
    # Where it is matters more than the whole of a long title.
    return f"{_cut(subject.title, max(20, LONGEST_TITLE - len(told)))}: {_cut(told, LONGEST_TITLE)}"


def text(card: Card) -> str:
    """What the lines and numbers of the picture say, as sentences."""
    if len(card.subjects) > 1:
        told = [
            f"{one.title}: {one.mark.word}{f', {one.state}' if one.state else ''}" for one in card.subjects
        ]
    else:
        told = [" ".join(part for part in (line.text, line.rest) if part) for line in card.lines]
    parts = [
        part[0].upper() + part[1:] for part in (*told, card.facts, f"{card.place}, {card.as_of}") if part
    ]
    return _cut(". ".join(parts) + ".", LONGEST_TEXT)


def alt(card: Card) -> str:
    """The picture for those who do not see it."""
    return f"{title(card)}. {text(card)}"


def _cut(told: str, most: int) -> str:
    flat = " ".join("".join(letter if letter.isprintable() else " " for letter in told).split())
    return flat if len(flat) <= most else f"{flat[: most - 1].rstrip()}…"
